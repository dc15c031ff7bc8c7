-- psql: begin, sign in, look; commit ends it. The token comes from the environment, so that it is in no history file.
--   TOKEN=… psql "$DATABASE_URL" -f psql.sql
-- In ~/.psqlrc:  \set signin 'begin; select identity.authenticate(:''token'');'   and then  :signin

\getenv token TOKEN
\set signin 'begin; select identity.authenticate(:''token'');'
:signin
select identity.subject(), identity.scopes();
select body from notes order by body;
commit;
