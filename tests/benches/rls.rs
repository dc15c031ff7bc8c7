//! A scan of a million rows under row-level security: what asking for the identity costs, beside what others do.

use tests::Database;

use crate::backend::Backend;
use crate::report::{Report, Target, median, rounds, time};

/// A policy, as the condition of a table's owner column.
struct Policy {
    name: &'static str,
    condition: &'static str,
    target: Target,
}

/// One role per policy on the same table.
pub async fn run(report: &Report) {
    if !report.wants("rls") {
        return;
    }
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
    let times = times.map(|times| median(times.into_iter().skip(1)));
    for (policy, seconds) in POLICIES.iter().zip(times).skip(1) {
        let measure = format!("RLS over 1,000,000 rows, {}", policy.name);
        report.row(
            &measure,
            &time(seconds),
            &format!("a constant: {}", time(times[0])),
            seconds / times[0],
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
