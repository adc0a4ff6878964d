-- Makes a role with the rights that Restore-MoltBackup needs on a server to bring one application's database back. Run it as a
-- superuser; owners are the roles to which the application's things belong, with commas between them.
--
--   psql -v role=molt_restore -v owners=moltbeat,moltbeat_admin -f restore-role.sql
--   psql -c '\password molt_restore'
--
-- This role can do all that the owners can. Keep its password where the backup host cannot read it. With -NoOwner it needs no
-- owners: then everything belongs to it.
-- What only a superuser can make (an extension that is not trusted, an event trigger, a publication of all tables, a function
-- in C) only a superuser can restore.
\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role molt_restore
\endif
\if :{?owners}
\else
  \set owners ''
\endif
BEGIN;
SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = :'role') \gexec

-- CREATEDB: a restore makes a new database beside the old one. No BYPASSRLS: what it loads belongs to roles that it is a member of.
ALTER ROLE :"role" NOSUPERUSER CREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

-- To give things to their owners.
SELECT format('GRANT %I TO %I', trim(owner), :'role') FROM regexp_split_to_table(:'owners', ',') AS owner WHERE trim(owner) <> '' \gexec
COMMIT;
