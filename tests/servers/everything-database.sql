-- What belongs to a database itself, and so is not copied when it serves as a template. For psql, as a superuser.
\set ON_ERROR_STOP 1
SET standard_conforming_strings = on;

-- Settings that a careless client stumbles over: most of them change how values look.
COMMENT ON DATABASE :"DBNAME" IS E'a database''s comment\nwith \\ two lines';
ALTER DATABASE :"DBNAME" OWNER TO molt_owner;
ALTER DATABASE :"DBNAME" CONNECTION LIMIT 77;
REVOKE TEMPORARY ON DATABASE :"DBNAME" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"DBNAME" TO molt_app WITH GRANT OPTION;
ALTER DATABASE :"DBNAME" SET work_mem = '7MB';
ALTER DATABASE :"DBNAME" SET search_path = "we""ird $chema.name|*\", 'Mixed Case', app, public;
ALTER DATABASE :"DBNAME" SET DateStyle = 'SQL, DMY';
ALTER DATABASE :"DBNAME" SET IntervalStyle = 'sql_standard';
ALTER DATABASE :"DBNAME" SET TimeZone = 'Asia/Kolkata';
ALTER DATABASE :"DBNAME" SET extra_float_digits = -3;
ALTER DATABASE :"DBNAME" SET bytea_output = 'escape';
ALTER DATABASE :"DBNAME" SET standard_conforming_strings = off;
ALTER DATABASE :"DBNAME" SET default_transaction_isolation = 'serializable';
ALTER DATABASE :"DBNAME" SET statement_timeout = '10min';
ALTER DATABASE :"DBNAME" SET molt.setting = E'it''s, "odd" \\';
ALTER ROLE molt_app IN DATABASE :"DBNAME" SET search_path = secure, "$user";
ALTER ROLE molt_app IN DATABASE :"DBNAME" SET statement_timeout = '5min';
ALTER ROLE "molt ""odd"" role.name" IN DATABASE :"DBNAME" SET work_mem = '9MB';
