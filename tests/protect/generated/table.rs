//! Random tables with random rules, and what those let through.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::who::{Dice, ORGANIZATIONS, PEOPLE, Who};

const LEVELS: [&str; 3] = ["viewer", "editor", "owner"];

#[derive(Clone, Debug)]
struct Row {
    id: usize,
    user_id: Option<&'static str>,
    organization: Option<&'static str>,
    project: Option<usize>,
}

impl Row {
    fn random(id: usize, uuids: bool, dice: &mut Dice) -> Row {
        let organizations = if uuids { &ORGANIZATIONS[..2] } else { &ORGANIZATIONS };
        Row {
            id,
            user_id: (dice.below(6) > 0).then(|| dice.one(&PEOPLE)),
            organization: (dice.below(6) > 0).then(|| dice.one(organizations)),
            project: (dice.below(6) > 0).then(|| dice.below(4)),
        }
    }

    fn values(&self) -> String {
        let text = |value: Option<&str>| value.map_or("null".to_owned(), |value| format!("'{value}'"));
        let project = self.project.map_or("null".to_owned(), |project| project.to_string());
        format!("{}, {}, {}, {project}", self.id, text(self.user_id), text(self.organization))
    }
}

#[derive(Clone, Debug)]
struct Membership {
    row: usize,
    person: &'static str,
    can_write: bool,
    level: &'static str,
}

/// Which membership may write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Writers {
    All,
    Flagged,
    Levels(&'static [&'static str]),
    None,
}

/// A table with its rules. Rows beyond [`ROWS`] are not in it: they are what somebody tries to write.
#[derive(Debug)]
pub struct Table {
    number: usize,
    owner: bool,
    organization: bool,
    uuids: bool,
    scope_read: bool,
    scope_write: bool,
    role: bool,
    /// By the project, or by the row itself.
    members: Option<(bool, Writers)>,
    agents: Option<&'static str>,
    rows: Vec<Row>,
    memberships: Vec<Membership>,
}

const ROWS: usize = 8;
const TRIED: usize = 4;

impl Table {
    pub fn random(number: usize, dice: &mut Dice) -> Table {
        let uuids = dice.below(2) == 0;
        let mut table = Table {
            number,
            owner: false,
            organization: false,
            uuids,
            scope_read: false,
            scope_write: false,
            role: false,
            members: None,
            agents: dice.one(&[None, None, Some("write"), Some("read"), Some("deny")]),
            rows: (0..ROWS + TRIED).map(|id| Row::random(id, uuids, dice)).collect(),
            memberships: Vec::new(),
        };
        while !(table.owner
            || table.organization
            || table.scope_read
            || table.scope_write
            || table.role
            || table.members.is_some())
        {
            table.owner = dice.below(2) == 0;
            table.organization = dice.below(2) == 0;
            table.scope_read = dice.below(3) == 0;
            table.scope_write = dice.below(3) == 0;
            table.role = dice.below(3) == 0;
            let writers = [
                Writers::All,
                Writers::Flagged,
                Writers::Levels(&["editor", "owner"]),
                Writers::Levels(&["viewer"]),
                Writers::None,
            ];
            let members = (dice.below(2) == 0, dice.one(&writers));
            table.members = dice.maybe(members);
        }
        for row in 0..ROWS + TRIED {
            for person in PEOPLE {
                if dice.below(4) == 0 {
                    let (can_write, level) = (dice.below(2) == 0, dice.one(&LEVELS));
                    table.memberships.push(Membership { row, person, can_write, level });
                }
            }
        }
        table
    }

    pub fn call(&self) -> String {
        let mut call = format!("select identity.protect('g.t_{}'", self.number);
        for (given, argument) in [
            (self.owner, ", owner => 'user_id'".to_owned()),
            (self.organization, ", organization => 'org'".to_owned()),
            (self.scope_read, ", scope_read => 't:read'".to_owned()),
            (self.scope_write, ", scope_write => 't:write'".to_owned()),
            (self.role, r", role => 'it''s \admin'".to_owned()),
            (self.agents.is_some(), format!(", agents => '{}'", self.agents.unwrap_or_default())),
        ] {
            if given {
                call += &argument;
            }
        }
        if let Some((by_project, writers)) = self.members {
            let key = if by_project { "project" } else { "id" };
            write!(call, ", members => 'g.m_{}', members_row => 'row', members_key => '{key}'", self.number).unwrap();
            match writers {
                Writers::All => {}
                Writers::Flagged => call += ", members_write => 'can_write'",
                Writers::Levels(levels) => {
                    write!(call, ", members_write => 'level', members_writers => '{{{}}}'", levels.join(",")).unwrap();
                }
                Writers::None => call += ", members_writers => '{}'",
            }
        }
        call + ")"
    }

    pub fn script(&self) -> String {
        let Table { number, .. } = self;
        let organization = if self.uuids { "uuid" } else { "text" };
        let mut script = format!(
            "create table g.t_{number} (id integer primary key, user_id uuid, org {organization}, project integer, n integer default 0);
             create table g.m_{number} (\"row\" integer, user_id uuid, can_write boolean, level text);
             create table g.tried_{number} (id integer, user_id uuid, org {organization}, project integer);"
        );
        for row in &self.rows {
            let table = if row.id < ROWS { "t" } else { "tried" };
            write!(script, "insert into g.{table}_{number} values ({});", row.values()).unwrap();
        }
        for Membership { row, person, can_write, level } in &self.memberships {
            write!(script, "insert into g.m_{number} values ({row}, '{person}', {can_write}, '{level}');").unwrap();
        }
        write!(
            script,
            "{call};
             create function g.probe_{number}() returns jsonb language plpgsql as $$
             declare
               tried record; seen jsonb; changed jsonb; deleted jsonb; blind integer; inserted jsonb := '[]'; moved jsonb := '[]'; rows integer;
             begin
               select coalesce(jsonb_agg(id order by id), '[]') into seen from g.t_{number};
               begin
                 with r as (update g.t_{number} set n = n + 1 returning id) select coalesce(jsonb_agg(id order by id), '[]') into changed from r;
                 raise sqlstate 'ZZ001';
               exception when sqlstate 'ZZ001' then null; end;
               begin
                 update g.t_{number} set n = 1;
                 get diagnostics blind = row_count;
                 raise sqlstate 'ZZ001';
               exception when sqlstate 'ZZ001' then null; end;
               begin
                 with r as (delete from g.t_{number} returning id) select coalesce(jsonb_agg(id order by id), '[]') into deleted from r;
                 raise sqlstate 'ZZ001';
               exception when sqlstate 'ZZ001' then null; end;
               for tried in select * from g.tried_{number} order by id loop
                 begin
                   insert into g.t_{number} (id, user_id, org, project) values (tried.id, tried.user_id, tried.org, tried.project);
                   inserted := inserted || to_jsonb(tried.id);
                   raise sqlstate 'ZZ001';
                 exception when sqlstate 'ZZ001' or insufficient_privilege then null; end;
                 begin
                   update g.t_{number} set user_id = tried.user_id, org = tried.org, project = tried.project where id = tried.id - {ROWS};
                   get diagnostics rows = row_count;
                   if rows = 1 then moved := moved || to_jsonb(tried.id - {ROWS}); end if;
                   raise sqlstate 'ZZ001';
                 exception when sqlstate 'ZZ001' or insufficient_privilege then null; end;
               end loop;
               return jsonb_build_object('seen', seen, 'changed', changed, 'blind', blind, 'deleted', deleted, 'inserted', inserted, 'moved', moved);
             end $$;",
            call = self.call()
        )
        .unwrap();
        script
    }

    /// A plain reading of the rules, row by row.
    fn allows(&self, who: &Who, row: &Row, writing: bool) -> bool {
        let Some(subject) = &who.subject else { return false };
        let scoped = |demanded: bool, scope: &str| !demanded || who.scopes.contains(&scope);
        let bounds = (!self.organization || (who.organization.is_some() && row.organization == who.organization))
            && if writing { scoped(self.scope_write, "t:write") } else { scoped(self.scope_read, "t:read") }
            && match self.agents {
                Some("deny") => !who.agent,
                Some("read") => !(who.agent && writing),
                _ => true,
            };
        let owns = self.owner && row.user_id == Some(subject);
        let shared = self.members.is_some_and(|(by_project, writers)| {
            let key = if by_project { row.project } else { Some(row.id) };
            self.memberships.iter().any(|membership| {
                Some(membership.row) == key
                    && membership.person == subject
                    && (!writing
                        || match writers {
                            Writers::All => true,
                            Writers::Flagged => membership.can_write,
                            Writers::Levels(levels) => levels.contains(&membership.level),
                            Writers::None => false,
                        })
            })
        });
        let anybody = !self.owner
            && self.members.is_none()
            && !self.role
            && (self.organization || if writing { self.scope_write } else { self.scope_read });
        bounds && (owns || shared || (self.role && who.admin) || anybody)
    }

    pub fn expected(&self, who: &Who) -> Value {
        let (rows, tried) = self.rows.split_at(ROWS);
        let reads = |row: &Row| self.allows(who, row, false);
        let writes = |row: &Row| self.allows(who, row, true);
        let both = |row: &Row| reads(row) && writes(row);
        let ids = |rows: &[Row], allowed: &dyn Fn(&Row) -> bool| -> Vec<usize> {
            rows.iter().filter(|row| allowed(row)).map(|row| row.id).collect()
        };
        let moved =
            |row: &Row| both(row) && tried.get(row.id).is_some_and(|to| both(&Row { id: row.id, ..to.clone() }));
        json!({
            "seen": ids(rows, &reads), "changed": ids(rows, &both), "deleted": ids(rows, &both),
            // What reads no column needs no right to read.
            "blind": ids(rows, &writes).len(),
            "inserted": ids(tried, &writes), "moved": ids(rows, &moved),
        })
    }
}
