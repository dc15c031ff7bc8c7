-- Lint: what lets people see more than their rows, what makes policies slow, and the statement that mends it. From the catalog
-- alone, with the rights of whoever asks: the catalog is open to everybody.
--
--   lint(allowed)   DBAs, owners of tables, gateway check
--   lint_rules()    what each code means: the page of every finding
--
-- lint_exposure, lint_ways_past, lint_views   (lint_tables.sql)      who reaches which table, and past its policies
-- lint_policies                               (lint_policies.sql)    what policies say
-- lint_columns, lint_indexes                  (lint_indexes.sql)     what they cost, and what a unique index tells
-- lint_functions                              (lint_functions.sql)   security definer
--
-- System schemas, temporary tables, identity, identity_store and members of extensions are nobody's business here.

create function identity.lint_rules()
returns table (code text, severity text, meaning text)
language sql immutable parallel safe
as $$
  select * from (values
    ('definer_public', 'warning',
      'PostgreSQL lets everybody execute a new function. A security definer function runs with the rights of its owner: grant it to the roles that need it and to nobody else.'),
    ('definer_reads_protected', 'warning',
      'A security definer function of an owner whom the policies do not bind names a table with row-level security: its caller gets whatever the function does not filter itself. Found by the words of its body. Make it security invoker, or have it owned by an ordinary role; a table with FORCE ROW LEVEL SECURITY binds its owner too.'),
    ('definer_search_path', 'error',
      'A security definer function finds tables and functions by the search_path of its caller, who can put others of the same name first. Its own search_path must be set, name no schema where others than its owner may create objects, and end with pg_temp, which is searched first when it is not named. An empty one is accepted, and so are bodies in SQL-standard form, which were resolved when the function was made.'),
    ('grantee_cannot_authenticate', 'warning',
      'A role has privileges on a table of identity.protect and does not inherit identity_app: the policies call functions that it cannot execute, so its queries fail.'),
    ('index_not_leakproof', 'info',
      'Under row-level security an index serves a condition of the query only if the operator is leakproof: one that is not could tell about hidden rows by its errors, so PostgreSQL asks the policies first and reads the table for it. No operator of the first column''s operator class is leakproof according to pg_proc.proleakproof (so it is for numeric, jsonb, arrays, enums, ranges, citext, trigrams and full text; LIKE never is), and no policy compares that column. The index serves roles whom the policies do not bind, and constraints.'),
    ('matview_past_policies', 'error',
      'A materialized view is a copy made with the rights of its owner. No policy guards it: query the tables under it, or grant it to nobody.'),
    ('member_table_unreadable', 'warning',
      'A policy of identity.protect reads its member table with the privileges of whoever queries: without SELECT on it their queries fail.'),
    ('member_table_writable', 'error',
      'Who may write memberships of their own decides what they see. Let somebody else write them, or bind them: scope_write, role.'),
    ('parent_past_policies', 'error',
      'PostgreSQL asks the policies of the table that a query names and of no other, so rows are read through a parent without row-level security.'),
    ('partition_past_policies', 'error',
      'PostgreSQL asks the policies of the table that a query names and of no other, so a partition or child with privileges of its own is read past those of its parent. Grant privileges on the parent only.'),
    ('policies_without_rls', 'error',
      'The table has policies, and row-level security is off: they are never asked.'),
    ('policy_beside_protect', 'warning',
      'Permissive policies add up: the rows of this one are allowed in addition to those of identity.protect. A restrictive one narrows them.'),
    ('policy_column_unindexed', 'warning',
      'A policy compares a column with who is asking, for every query, and no index begins with it: every query reads the whole table.'),
    ('policy_forgeable', 'error',
      'A policy believes a setting that whoever can run SQL can set: select set_config(''request.jwt.claims'', …). The readers of identity answer from a verified token only. Seen in the policy itself and in the source of functions that it calls. The remedy puts the reader that answers the same question in its place.'),
    ('policy_open_when_signed_out', 'error',
      'A policy allows every row when a reader is NULL, which is what it is when nobody is signed in, or the token has expired.'),
    ('policy_per_row', 'warning',
      'A policy calls a function that does not depend on the row, once for each row. In a sub-select, (select f()), PostgreSQL calls it once a statement, and an index on the column can be used.'),
    ('policy_recursion', 'error',
      'A policy reads its own table, or one whose policies read this one: every query ends with 42P17, infinite recursion. identity.protect takes a table of members; otherwise move the question into a security definer function of an ordinary role. The remedy closes the policy; nothing is lost, because nobody gets a row as it is.'),
    ('policy_without_check', 'warning',
      'A policy for UPDATE or ALL has several branches and no WITH CHECK. PostgreSQL then takes USING for it: a row that was reached by one branch may be changed into any row that another one allows, one in somebody else''s name among them. Say what may be written. The remedy writes down what holds now.'),
    ('policy_writes_unchecked', 'warning',
      'A permissive policy lets everybody write, change or delete any row (its condition is true), and so rows in somebody else''s name. The remedy takes the condition of the table''s policy for SELECT where there is one, else demands that somebody is signed in.'),
    ('privilege_past_policies', 'warning',
      'TRUNCATE empties the table for everybody, a trigger sees every row that anybody writes, a foreign key finds rows that are hidden: no policy binds these privileges. GRANT ALL gives all three.'),
    ('protect_altered', 'error',
      'A policy of identity.protect was changed or dropped. Protect the table again.'),
    ('protect_check', 'warning',
      'Something else that identity.protect_check(table) finds; its hint is the remedy.'),
    ('public_create', 'warning',
      'Everybody may create objects in the schema: tables and functions of theirs are then found instead of yours, by whoever has it in the search_path.'),
    ('public_grant', 'warning',
      'Everybody who can connect has privileges on it, logins of services and of monitoring too. Grant them to the roles that need it.'),
    ('rls_not_forced', 'warning',
      'The owner of the table is not bound by its policies, and neither are views and security definer functions of the owner. FORCE ROW LEVEL SECURITY binds all of them.'),
    ('rls_off', 'warning',
      'Roles other than the owner have privileges on the table, and row-level security is off: they reach every row. Enabled without a policy, it shows them none.'),
    ('rls_off_owned', 'error',
      'Roles other than the owner reach every row of a table whose rows belong to people: it has a uuid column user_id, owner_id or owner. identity.protect shows everybody their own.'),
    ('rls_without_policy', 'info',
      'Row-level security is on and there is no policy: roles with privileges on the table get no row and can write none.'),
    ('unique_reveals', 'warning',
      'A unique violation says that a hidden row has the same value, and that of an exclusion constraint that one conflicts. Put the column by which the policies tell rows apart into the key. Keys of uuid and generated numbers tell nothing and are not reported.'),
    ('view_past_policies', 'error',
      'A view reads with the rights of its owner unless it has security_invoker, and the policies of a table under it do not bind that owner: it shows all rows to whoever may select from it, or from a view above it.')
  ) as registry (code, severity, meaning)
$$;
comment on function identity.lint_rules() is
  'What each code of identity.lint means: severity (error: somebody sees or writes what they should not, or nobody gets anything; warning: likely so, or slow; info: good to know), and why, how it is found and what mends it. Raises nothing.';
revoke all on function identity.lint_rules() from public;
grant execute on function identity.lint_rules() to identity_owner, identity_admin, identity_app;

-- Somebody has looked at it and means it so: says the comment on the table, view, policy, index, function or schema, which goes along in every dump.
create function identity.lint_allowed(comment text, code text)
returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
  select coalesce(comment ~ ('@lint allow[ \w,]* ' || code || '\M'), false)
$$;
comment on function identity.lint_allowed(text, text) is
  'Whether a comment contains "@lint allow" and then, on the same line, the code of a rule. False for NULL. Raises nothing.';
revoke all on function identity.lint_allowed(text, text) from public;
grant execute on function identity.lint_allowed(text, text) to identity_owner, identity_admin, identity_app;

create function identity.lint(allowed boolean default false)
returns table (severity text, code text, object text, finding text, remedy text)
language sql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
  with found as (
    select * from identity.lint_exposure()
    union all select * from identity.lint_ways_past()
    union all select * from identity.lint_views()
    union all select * from identity.lint_policies()
    union all select * from identity.lint_columns()
    union all select * from identity.lint_indexes()
    union all select * from identity.lint_functions()
  )
  select rule.severity, found.code, found.object, found.finding, found.remedy
  from found
  join identity.lint_rules() rule on rule.code = found.code
  where coalesce(lint.allowed, false) or not identity.lint_allowed(obj_description(found.id, found.catalog), found.code)
  order by array_position(array['error', 'warning', 'info'], rule.severity), found.code, found.object, found.finding
$$;
comment on function identity.lint(boolean) is
  'What is wrong with the tables, policies, views and security definer functions of this database: severity (error, warning, info), code (select * from identity.lint_rules() says what it means), object, finding, and the remedy, a statement to be run by the owner of the object. Reads the catalog only. A finding that is meant so is left out once the comment on the object says "@lint allow" and the code; allowed => true shows these too. Raises nothing.';
revoke all on function identity.lint(boolean) from public;
grant execute on function identity.lint(boolean) to identity_owner, identity_admin, identity_app;
