//! A scan of a million rows under row-level security: what asking for the identity costs, beside what others do. And the comparison that
//! Supabase's advice on such policies is published with (owner with and without index, a role looked up, membership in a team): what
//! `identity.protect` writes, the same with `(select auth.uid())`, and with that function bare, where the claims are a JSON setting.

use tests::Database;

use crate::backend::Backend;
use crate::report::{Report, Target, median, ratio, rounds, time};

/// A policy, as the condition of a table's owner column.
struct Policy {
    name: &'static str,
    condition: &'static str,
    target: Target,
}

/// Both.
pub async fn run(report: &Report) {
    if report.wants("rls") {
        constants(report).await;
    }
    if report.wants("rls_published") {
        for rows in [100_000, 1_000_000] {
            published(report, rows).await;
        }
    }
}

/// One role per policy on the same table.
async fn constants(report: &Report) {
    let db = Database::new().await;
    let backend = Backend::new(&db).await;
    backend.client.batch_execute(TABLE).await.unwrap();
    for (number, policy) in POLICIES.iter().enumerate() {
        let role = format!(
            "create role reader{number} in role identity_app; grant select on documents to reader{number};
             create policy policy{number} on documents to reader{number} using ({})",
            policy.condition
        );
        backend.client.batch_execute(&role).await.unwrap();
    }
    backend.client.batch_execute("vacuum analyze documents").await.unwrap();

    let mut times = POLICIES.map(|_| Vec::new());
    for _ in 0..=rounds() * 4 {
        for (number, times) in times.iter_mut().enumerate() {
            times.push(scan(&backend, number).await);
        }
    }
    // The first round planned and filled caches.
    let times = times.each_ref().map(|times| &times[1..]);
    let shown = |times: &[f64]| time(median(times.iter().copied()));
    for (policy, seconds) in POLICIES.iter().zip(times).skip(1) {
        let measure = format!("RLS over 1,000,000 rows, {}", policy.name);
        report.row(
            &measure,
            &shown(seconds),
            &format!("a constant: {}", shown(times[0])),
            ratio(seconds, times[0]),
            policy.target,
        );
    }
}

async fn scan(backend: &Backend, number: usize) -> f64 {
    let begin = format!(
        "begin; select identity.authenticate(t) from token t; select set_config('app.user_id', '{PERSON}', true);
         select set_config('request.jwt.claims', json_build_object('sub', '{PERSON}', 'role', 'authenticated', 'aud', 'authenticated')::text, true);
         set local role reader{number}"
    );
    backend.client.batch_execute(&begin).await.unwrap();
    let seconds = backend.seconds("select count(*) from documents").await;
    let seen: i64 = backend.client.query_one("select count(*) from documents", &[]).await.unwrap().get(0);
    assert_eq!(seen, 1000, "{}", POLICIES[number].name);
    backend.client.batch_execute("commit").await.unwrap();
    seconds
}

/// A question of the published comparison: the rules of `protect`, and the condition that others write, with `me` for their function.
struct Question {
    name: &'static str,
    indexed: bool,
    rules: &'static str,
    wrapped: &'static str,
    bare: &'static str,
    /// Rows seen of every 100,000.
    seen: i64,
}

/// Each question asked in three ways on the same rows, in turns; the bare one, which takes seconds, once. Published too is `auth.uid() in
/// (select t.user_id …)` for membership: 38 s for 100,000 rows, which nobody waits for here.
async fn published(report: &Report, rows: i64) {
    let db = Database::new().await;
    let backend = Backend::new(&db).await;
    backend.client.batch_execute(&PUBLISHED.replace("ROWS", &rows.to_string())).await.unwrap();
    backend.client.batch_execute("vacuum analyze papers, team_users").await.unwrap();
    for (number, question) in QUESTIONS.iter().enumerate() {
        if question.indexed {
            backend.client.batch_execute("create index if not exists by_user on papers (user_id); create index if not exists by_team on papers (team_id)").await.unwrap();
        }
        // What protect would write, for one role, so that the three stand side by side.
        let ours = "select condition from identity.protect_policies('papers', $1::text::jsonb) where policy = 'identity_select'";
        let ours: String = backend.client.query_one(ours, &[&question.rules]).await.unwrap().get(0);
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for (way, condition) in [ours.as_str(), question.wrapped, question.bare].into_iter().enumerate() {
            let role = format!(
                "create role asker{number}{way} in role identity_app; grant select on papers, team_users to asker{number}{way};
                 grant usage on schema auth to asker{number}{way};
                 create policy asker{number}{way} on papers to asker{number}{way} using ({condition})"
            );
            backend.client.batch_execute(&role).await.unwrap();
        }
        for round in 0..=rounds() {
            for (way, times) in times.iter_mut().enumerate() {
                if way < 2 || round == 0 {
                    times.push(ask(&backend, &format!("asker{number}{way}"), question.seen * rows / 100_000).await);
                }
            }
        }
        let bare = times[2][0];
        let [ours, wrapped] = [&times[0][1..], &times[1][1..]];
        let shown = |times: &[f64]| time(median(times.iter().copied()));
        report.row(
            &format!("RLS published, {} rows, {}: protect", rows, question.name),
            &shown(ours),
            &format!("(select auth.uid()): {}; bare, JSON setting: {}", shown(wrapped), time(bare)),
            ratio(ours, wrapped),
            Target::AtMost(1.1),
        );
        for way in 0..3 {
            backend
                .client
                .batch_execute(&format!("drop owned by asker{number}{way}; drop role asker{number}{way}"))
                .await
                .unwrap();
        }
    }
}

/// Seconds of one count: as many in a row as make a measurable time.
async fn ask(backend: &Backend, role: &str, seen: i64) -> f64 {
    let begin = format!(
        "begin; select identity.authenticate(t) from token t;
         select set_config('request.jwt.claims', json_build_object('sub', '{PERSON}', 'role', 'authenticated', 'aud', 'authenticated')::text, true);
         set local role {role}"
    );
    backend.client.batch_execute(&begin).await.unwrap();
    let once = backend.seconds("select count(*) from papers").await;
    // What takes longer is measurable at once, and asked no more than needed.
    let times = (0.05 / once) as usize;
    let seconds = if times == 0 {
        once
    } else {
        let times = times.min(1000);
        let count = format!("do $$ begin for i in 1..{times} loop perform count(*) from papers; end loop; end $$");
        backend.seconds(&count).await / times as f64
    };
    if once < 1.0 {
        let count: i64 = backend.client.query_one("select count(*) from papers", &[]).await.unwrap().get(0);
        assert_eq!(count, seen, "{role}");
    }
    backend.client.batch_execute("rollback").await.unwrap();
    seconds
}

const PERSON: &str = "01935d3c-0000-7000-8000-000000000001";

const POLICIES: [Policy; 5] = [
    Policy { name: "a constant", condition: "owner = '01935d3c-0000-7000-8000-000000000001'", target: Target::None },
    Policy { name: "reader per row", condition: "owner = identity.user_id()", target: Target::AtMost(1.6) },
    Policy {
        name: "reader wrapped in (select …)",
        condition: "owner = (select identity.user_id())",
        target: Target::AtMost(1.05),
    },
    Policy {
        name: "for comparison: current_setting",
        condition: "owner = current_setting('app.user_id')::uuid",
        target: Target::None,
    },
    Policy {
        name: "for comparison: claims as a JSON setting",
        condition: "owner = (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid",
        target: Target::None,
    },
];

/// No index on the owner, so that every row is asked about.
const TABLE: &str = "create table documents (id bigint primary key, owner uuid not null, body text not null);
  insert into documents select n,
    case when n % 1000 = 0 then '01935d3c-0000-7000-8000-000000000001' else md5(n::text)::uuid end, 'document ' || n
  from generate_series(1, 1000000) n;
  alter table documents enable row level security;
  create table token as select identity.mint_access_token(json_build_object('sub', '01935d3c-0000-7000-8000-000000000001',
    'client_id', 'bench', 'aud', identity.configured_issuer()), 86400) as t";

const QUESTIONS: [Question; 4] = [
    Question {
        name: "owner without index",
        indexed: false,
        rules: r#"{"owner": "user_id"}"#,
        wrapped: "user_id = (select auth.uid())",
        bare: "user_id = auth.uid()",
        seen: 100,
    },
    Question {
        name: "owner with index",
        indexed: true,
        rules: r#"{"owner": "user_id"}"#,
        wrapped: "user_id = (select auth.uid())",
        bare: "user_id = auth.uid()",
        seen: 100,
    },
    Question {
        name: "role",
        indexed: true,
        rules: r#"{"role": "admin"}"#,
        wrapped: "(select is_admin())",
        bare: "is_admin()",
        seen: 100_000,
    },
    Question {
        name: "membership",
        indexed: true,
        rules: r#"{"members": "team_users", "members_row": "team_id", "members_key": "team_id", "members_user": "user_id"}"#,
        wrapped: "team_id = any (array(select t.team_id from team_users t where t.user_id = (select auth.uid())))",
        bare: "exists (select from team_users t where t.team_id = papers.team_id and t.user_id = auth.uid())",
        seen: 200,
    },
];

/// A thousand teams of a hundred people each; the one who asks is in two. A team has a thousandth of the rows, as has the person.
/// `auth.uid()` and `is_admin()` as they are published.
const PUBLISHED: &str = "create table papers (id bigint primary key, user_id uuid not null, team_id integer not null, body text not null);
  insert into papers select n,
    case when n % 1000 = 0 then '01935d3c-0000-7000-8000-000000000001' else md5(n::text)::uuid end, n % 1000, 'paper ' || n
  from generate_series(1, ROWS) n;
  create table team_users (team_id integer, user_id uuid, primary key (user_id, team_id));
  insert into team_users select n % 1000, md5(n::text)::uuid from generate_series(1, 100000) n;
  insert into team_users values (1, '01935d3c-0000-7000-8000-000000000001'), (2, '01935d3c-0000-7000-8000-000000000001');
  create index on team_users (team_id);
  create table roles (user_id uuid primary key, role text);
  insert into roles values ('01935d3c-0000-7000-8000-000000000001', 'admin');
  alter table papers enable row level security;
  create schema auth;
  create function auth.uid() returns uuid language sql stable as $$
    select coalesce(
      nullif(current_setting('request.jwt.claim.sub', true), ''),
      (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
    )::uuid $$;
  create function is_admin() returns boolean language sql stable security definer set search_path = '' as $$
    select exists (select from public.roles where user_id = (select auth.uid()) and role = 'admin') $$;
  create table token as select identity.mint_access_token(json_build_object('sub', '01935d3c-0000-7000-8000-000000000001',
    'roles', json_build_array('admin'), 'client_id', 'bench', 'aud', identity.configured_issuer()), 86400) as t";
