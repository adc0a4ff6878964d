-- No extension of postgresql-contrib marks a table with pg_extension_config_dump, so the tests bring this one.
CREATE SEQUENCE molt_setting_id_seq;

CREATE TABLE molt_setting (
    id integer PRIMARY KEY DEFAULT nextval('@extschema@.molt_setting_id_seq'),
    name text NOT NULL UNIQUE,
    value text,
    standard boolean NOT NULL DEFAULT false
);
INSERT INTO molt_setting (name, value, standard) VALUES ('colour', 'blue', true), ('shape', 'round', true);

-- Not configuration: filled by the extension, never dumped.
CREATE TABLE molt_setting_kind (kind text PRIMARY KEY);
INSERT INTO molt_setting_kind VALUES ('text'), ('number');

CREATE FUNCTION molt_setting(wanted text) RETURNS text LANGUAGE sql STABLE
    AS $$SELECT value FROM @extschema@.molt_setting WHERE name = wanted$$;

SELECT pg_catalog.pg_extension_config_dump('molt_setting', 'WHERE NOT standard');
SELECT pg_catalog.pg_extension_config_dump('molt_setting_id_seq', '');
