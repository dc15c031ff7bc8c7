-- The table of the notes example: every person sees the rows that carry their own user id, and nothing else.
--
--   psql -v app_role=notes_app -v first=alice -v second=bob -f notes.sql
--
-- Run by a superuser of a database that has the extension and the store; may be run again. Three roles share the work:
-- notes_owner owns the table and never logs in, the role in :app_role is what the application logs in as, and neither
-- can look past the policies that identity.protect() writes.

\set ON_ERROR_STOP on
set client_min_messages = warning;
\if :{?app_role} \else \set app_role notes_app \endif
\if :{?first}    \else \set first alice        \endif
\if :{?second}   \else \set second bob         \endif

select not exists (select from pg_catalog.pg_roles where rolname = 'notes_owner') as missing \gset
\if :missing
  create role notes_owner nologin;
\endif

-- To inherit identity_app is to be able to call authenticate() and the readers, which the policies use.
grant identity_app to notes_owner;
grant identity_app to :"app_role";

begin;

create table if not exists public.notes (
  id         bigint generated always as identity primary key,
  -- Who is signed in writes for themselves: the application never says whose note it is.
  user_id    uuid not null default identity.user_id(),
  body       text not null check (char_length(body) between 1 and 1000),
  created_at timestamptz not null default now()
);
comment on table public.notes is 'Notes of people; row-level security shows each person their own.';
create index if not exists notes_user_id on public.notes (user_id);
alter table public.notes owner to notes_owner;

-- One policy for each command, WITH CHECK where rows are written, and FORCE, so that the owner obeys them too.
select not exists (select from pg_catalog.pg_policy where polrelid = 'public.notes'::regclass) as unprotected \gset
\if :unprotected
  set local role notes_owner;
  select identity.protect('public.notes', owner => 'user_id');
  reset role;
\endif

grant usage on schema public to :"app_role";
grant select, insert, delete on public.notes to :"app_role";

-- Something to look at, once, for people who have nothing yet. A superuser is outside the policies.
insert into public.notes (user_id, body)
select person.id, example.body
  from (values (:'first',  'Remember to water the plants'),
               (:'first',  'Idea: a lamp that knows when the book gets exciting'),
               (:'first',  'Tea with Bob on Thursday'),
               (:'second', 'The bicycle needs a new chain'),
               (:'second', 'Bring the good cups on Thursday')) as example (username, body)
 cross join lateral (select identity.user_find(example.username)) as person (id)
 where person.id is not null
   and not exists (select from public.notes as present where present.user_id = person.id);

commit;
