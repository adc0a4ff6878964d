-- Makes a role with the rights that New-MoltBackup needs for one database, and no others. Run it as a superuser, connected
-- to that database; run it again when large objects have been added.
--
--   psql -d moltbeat -v role=molt_backup -f backup-role.sql
--   psql -c '\password molt_backup'
--
-- The tests of MoltBeat.DR back up with exactly this role, and take each right away to see that it is missed.
-- PostgreSQL 14 or newer; before that GRANT USAGE on every schema and SELECT on every table and sequence instead of pg_read_all_data.
\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role molt_backup
\endif
BEGIN;
SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = :'role') \gexec

-- BYPASSRLS: a backup in which row-level security hides rows is refused (RowsHidden). Without policies it is not needed.
ALTER ROLE :"role" NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS;

-- Where PUBLIC may not connect.
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role')
WHERE NOT has_database_privilege(:'role', current_database(), 'CONNECT') \gexec

-- Every table and sequence and every schema, those that are to come as well; but the catalogs too, roles' password verifiers
-- among them. docs/security.md tells what is narrower, and what that costs.
GRANT pg_read_all_data TO :"role";

-- Large objects have rights of their own, which pg_read_all_data does not bring.
SELECT format('GRANT SELECT ON LARGE OBJECT %s TO %I', oid, :'role') FROM pg_catalog.pg_largeobject_metadata
WHERE NOT EXISTS (SELECT FROM pg_catalog.aclexplode(lomacl) WHERE grantee = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = :'role')) \gexec
COMMIT;
