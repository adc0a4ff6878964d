-- One database with every kind of object and value that a backup must bring back. For psql, as a superuser, into an empty
-- database in UTF8, LATIN1 or SQL_ASCII; each gets what it can hold. Nothing here depends on time or chance, so that
-- two loads give the same rows. What belongs to the database itself is in everything-database.sql. Stock pg_dump and pg_restore bring it back whole: a test sees to that.
\set ON_ERROR_STOP 1
\encoding UTF8
-- error: the server need not be set up for the publications to work.
SET client_min_messages = error;
SET standard_conforming_strings = on;
SET search_path = pg_catalog;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SELECT current_setting('server_encoding') = 'UTF8' AS utf8,
       current_setting('server_encoding') = 'LATIN1' AS latin1,
       current_setting('server_encoding') = 'SQL_ASCII' AS sql_ascii \gset

---------------------------------------------------------------------------------------------------- roles
-- Roles belong to the cluster: another load may have made them, or be making them now.
DO $do$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY[
        'CREATE ROLE molt_owner NOLOGIN',
        'CREATE ROLE molt_reader NOLOGIN',
        'CREATE ROLE molt_writer NOLOGIN IN ROLE molt_reader',
        'CREATE ROLE molt_app LOGIN PASSWORD ''molt app password'' IN ROLE molt_writer CONNECTION LIMIT 50',
        'CREATE ROLE "molt ""odd"" role.name" NOLOGIN NOINHERIT'
    ] LOOP
        BEGIN
            EXECUTE statement;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END $do$;

---------------------------------------------------------------------------------------------------- schemas, extensions
CREATE SCHEMA app AUTHORIZATION molt_owner;
CREATE SCHEMA ext;
CREATE SCHEMA types;
CREATE SCHEMA names;
CREATE SCHEMA parts;
CREATE SCHEMA secure AUTHORIZATION molt_owner;
CREATE SCHEMA empty;
CREATE SCHEMA "Mixed Case";
CREATE SCHEMA "we""ird $chema.name|*\" AUTHORIZATION "molt ""odd"" role.name";
COMMENT ON SCHEMA "we""ird $chema.name|*\" IS E'odd''s "schema"\nwith \\ two lines; -- and no comment';
COMMENT ON SCHEMA public IS 'public, but not the standard comment';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO molt_reader;
GRANT USAGE ON SCHEMA app, ext, types, names, "Mixed Case" TO molt_reader;
GRANT USAGE, CREATE ON SCHEMA app TO molt_writer WITH GRANT OPTION;

CREATE EXTENSION pg_trgm SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE EXTENSION file_fdw SCHEMA ext;
CREATE EXTENSION postgres_fdw SCHEMA ext;
CREATE EXTENSION molt_settings SCHEMA ext;
COMMENT ON EXTENSION pg_trgm IS 'a comment of our own on an extension';
REVOKE EXECUTE ON FUNCTION ext.show_trgm(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ext.show_trgm(text) TO molt_reader;
-- Rows of an extension's configuration table; pg_dump saves them, as the extension asks it to.
INSERT INTO ext.molt_setting (name, value) SELECT 'setting ' || i, E'va\\l\tue ' || i FROM generate_series(1, 20) i;
GRANT SELECT ON ext.molt_setting TO molt_reader;

---------------------------------------------------------------------------------------------------- types
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy', 'with space', 'quote''d "x"', E'back\\slash');
ALTER TYPE app.mood ADD VALUE 'so-so' BEFORE 'ok';
ALTER TYPE app.mood ADD VALUE 'meh' BEFORE 'ok';
ALTER TYPE app.mood RENAME VALUE 'meh' TO 'MEH';
CREATE TYPE app.no_label AS ENUM ();
CREATE DOMAIN app.positive AS integer CONSTRAINT more_than_nothing CHECK (VALUE > 0);
CREATE DOMAIN app.email AS text COLLATE "C" DEFAULT 'nobody@example.org' CHECK (VALUE LIKE '%@%') CHECK (length(VALUE) < 200);
CREATE DOMAIN app.short_list AS integer[] CHECK (cardinality(VALUE) <= 5);
CREATE DOMAIN app.email_of_ours AS app.email CHECK (VALUE LIKE '%example%');
ALTER DOMAIN app.positive ADD CONSTRAINT less_than_much CHECK (VALUE < 1000000) NOT VALID;
CREATE TYPE app.address AS (street text, gone text, nr app.positive, tags text[]);
ALTER TYPE app.address DROP ATTRIBUTE gone;
CREATE TYPE app.person AS (name text, home app.address, others app.address[]);
CREATE DOMAIN app.valid_address AS app.address CHECK (VALUE IS NULL OR (VALUE).nr IS NOT NULL);
CREATE TYPE app.float_range AS RANGE (subtype = float8, subtype_diff = float8mi, multirange_type_name = app.floats);
CREATE TYPE app.text_range AS RANGE (subtype = text, collation = "C");
CREATE TYPE app.not_yet;
-- A base type of our own, with integer's functions.
CREATE TYPE app.rgb;
CREATE FUNCTION app.rgb_in(cstring) RETURNS app.rgb LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION app.rgb_out(app.rgb) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION app.rgb_recv(internal) RETURNS app.rgb LANGUAGE internal IMMUTABLE STRICT AS 'int4recv';
CREATE FUNCTION app.rgb_send(app.rgb) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
CREATE TYPE app.rgb (input = app.rgb_in, output = app.rgb_out, receive = app.rgb_recv, send = app.rgb_send, like = int4, default = '0');
ALTER TYPE app.mood OWNER TO molt_owner;
ALTER TYPE app.person OWNER TO "molt ""odd"" role.name";
REVOKE USAGE ON TYPE app.mood FROM PUBLIC;
GRANT USAGE ON TYPE app.mood TO molt_reader;
GRANT USAGE ON DOMAIN app.email TO molt_writer WITH GRANT OPTION;
COMMENT ON TYPE app.mood IS 'an enum';
COMMENT ON TYPE app.address IS 'a composite';
COMMENT ON COLUMN app.address.street IS 'an attribute';
COMMENT ON DOMAIN app.email IS 'a domain';
COMMENT ON CONSTRAINT more_than_nothing ON DOMAIN app.positive IS 'a constraint of a domain';

---------------------------------------------------------------------------------------------------- functions, operators, casts, collations
CREATE FUNCTION app.rgb_lt(app.rgb, app.rgb) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'int4lt';
CREATE FUNCTION app.rgb_le(app.rgb, app.rgb) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION app.rgb_eq(app.rgb, app.rgb) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION app.rgb_ne(app.rgb, app.rgb) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4ne';
CREATE FUNCTION app.rgb_ge(app.rgb, app.rgb) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE FUNCTION app.rgb_gt(app.rgb, app.rgb) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION app.rgb_cmp(app.rgb, app.rgb) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION app.rgb_hash(app.rgb) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE OPERATOR app.< (leftarg = app.rgb, rightarg = app.rgb, function = app.rgb_lt, commutator = OPERATOR(app.>), negator = OPERATOR(app.>=), restrict = scalarltsel);
CREATE OPERATOR app.<= (leftarg = app.rgb, rightarg = app.rgb, function = app.rgb_le, commutator = OPERATOR(app.>=), negator = OPERATOR(app.>));
CREATE OPERATOR app.= (leftarg = app.rgb, rightarg = app.rgb, function = app.rgb_eq, commutator = OPERATOR(app.=), negator = OPERATOR(app.<>), restrict = eqsel, join = eqjoinsel, hashes, merges);
CREATE OPERATOR app.<> (leftarg = app.rgb, rightarg = app.rgb, function = app.rgb_ne, commutator = OPERATOR(app.<>), negator = OPERATOR(app.=));
CREATE OPERATOR app.>= (leftarg = app.rgb, rightarg = app.rgb, function = app.rgb_ge, commutator = OPERATOR(app.<=), negator = OPERATOR(app.<));
CREATE OPERATOR app.> (leftarg = app.rgb, rightarg = app.rgb, function = app.rgb_gt, commutator = OPERATOR(app.<), negator = OPERATOR(app.<=));
CREATE OPERATOR FAMILY app.rgb_family USING btree;
CREATE OPERATOR CLASS app.rgb_ops DEFAULT FOR TYPE app.rgb USING btree FAMILY app.rgb_family AS
    OPERATOR 1 app.<, OPERATOR 2 app.<=, OPERATOR 3 app.=, OPERATOR 4 app.>=, OPERATOR 5 app.>, FUNCTION 1 app.rgb_cmp(app.rgb, app.rgb);
CREATE OPERATOR CLASS app.rgb_hash_ops DEFAULT FOR TYPE app.rgb USING hash AS OPERATOR 1 app.=, FUNCTION 1 app.rgb_hash(app.rgb);
COMMENT ON OPERATOR app.< (app.rgb, app.rgb) IS 'an operator';
COMMENT ON OPERATOR CLASS app.rgb_ops USING btree IS 'an operator class';
COMMENT ON OPERATOR FAMILY app.rgb_family USING btree IS 'an operator family';
CREATE CAST (app.rgb AS integer) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (text AS app.rgb) WITH INOUT;
CREATE FUNCTION app.mood_number(app.mood) RETURNS integer LANGUAGE sql IMMUTABLE AS $$SELECT CASE $1 WHEN 'sad' THEN 1 ELSE 2 END$$;
CREATE CAST (app.mood AS integer) WITH FUNCTION app.mood_number(app.mood) AS IMPLICIT;
COMMENT ON CAST (app.mood AS integer) IS 'a cast';

CREATE FUNCTION app.twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 RETURN n * 2;
CREATE FUNCTION app.twice(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT t || t';
CREATE FUNCTION app.add_to(a integer, b integer DEFAULT 40 + 2, VARIADIC more integer[] DEFAULT '{}') RETURNS integer LANGUAGE sql
BEGIN ATOMIC
    SELECT a + b + coalesce((SELECT sum(m) FROM unnest(more) m), 0);
END;
CREATE FUNCTION app.shouted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET work_mem = '7MB' AS $body$
BEGIN
    -- $$ and 'quotes' and \ backslashes must survive.
    NEW.t := pg_catalog.upper(NEW.t) || E'\\$$' || coalesce(TG_ARGV[0], '');
    RETURN NEW;
END $body$;
CREATE FUNCTION app.pairs(OUT a integer, INOUT b text, OUT c app.mood) RETURNS SETOF record LANGUAGE sql ROWS 3 AS $$SELECT 1, b, 'ok'::app.mood$$;
CREATE FUNCTION "Mixed Case"."odd ""function"" (x)"("Odd Arg" text DEFAULT E'\\\'') RETURNS TABLE ("A" integer, b text) LANGUAGE plpgsql STABLE AS
$$BEGIN RETURN QUERY SELECT 1, "Odd Arg"; END$$;
CREATE PROCEDURE app.do_nothing(INOUT n integer) LANGUAGE plpgsql AS $$BEGIN n := n; END$$;
CREATE AGGREGATE app.total(integer) (sfunc = int4pl, stype = integer, initcond = '0', combinefunc = int4pl, parallel = safe,
    msfunc = int4pl, minvfunc = int4mi, mstype = integer, minitcond = '0');
CREATE FUNCTION app.lower_of(app.rgb, app.rgb) RETURNS app.rgb LANGUAGE sql IMMUTABLE STRICT AS $$SELECT CASE WHEN $1 OPERATOR(app.<) $2 THEN $1 ELSE $2 END$$;
CREATE AGGREGATE app.lowest(app.rgb) (sfunc = app.lower_of, stype = app.rgb, sortop = OPERATOR(app.<));
ALTER FUNCTION app.twice(integer) OWNER TO molt_owner;
REVOKE ALL ON FUNCTION app.twice(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.twice(integer) TO molt_reader;
GRANT EXECUTE ON PROCEDURE app.do_nothing(integer) TO molt_writer WITH GRANT OPTION;
COMMENT ON FUNCTION app.twice(integer) IS 'a function';
COMMENT ON PROCEDURE app.do_nothing(integer) IS 'a procedure';
COMMENT ON AGGREGATE app.total(integer) IS 'an aggregate';

CREATE COLLATION app.plain FROM "C";
COMMENT ON COLLATION app.plain IS 'a collation';
\if :utf8
CREATE COLLATION app.libc (provider = libc, locale = 'C.UTF-8');
\endif
\if :sql_ascii
-- ICU knows no SQL_ASCII: stand-ins let the tables be the same.
CREATE COLLATION app."natural" FROM "C";
CREATE COLLATION app.blind FROM "C";
\else
CREATE COLLATION app."natural" (provider = icu, locale = 'de-u-kn');
CREATE COLLATION app.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
\endif
CREATE CONVERSION app.from_latin1 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
COMMENT ON CONVERSION app.from_latin1 IS 'a conversion';
CREATE ACCESS METHOD molt_heap TYPE TABLE HANDLER heap_tableam_handler;
COMMENT ON ACCESS METHOD molt_heap IS 'a table access method of our own, by another name';

CREATE TEXT SEARCH TEMPLATE app.plain_template (init = dsimple_init, lexize = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY app.plain_words (template = app.plain_template, accept = 'false');
CREATE TEXT SEARCH PARSER app.plain_parser (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype, headline = prsd_headline);
CREATE TEXT SEARCH CONFIGURATION app.words (copy = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION app.words ALTER MAPPING FOR asciiword WITH app.plain_words, english_stem;
ALTER TEXT SEARCH CONFIGURATION app.words DROP MAPPING FOR url;
COMMENT ON TEXT SEARCH CONFIGURATION app.words IS 'a text search configuration';
COMMENT ON TEXT SEARCH DICTIONARY app.plain_words IS 'a text search dictionary';

---------------------------------------------------------------------------------------------------- values of every type
CREATE TABLE types.numbers (id serial PRIMARY KEY, i2 smallint, i4 integer, i8 bigint, n numeric, n2 numeric(20, 5), n3 numeric(3, -2), f4 real, f8 double precision, m money, b boolean, o oid);
INSERT INTO types.numbers (i2, i4, i8, n, n2, n3, f4, f8, m, b, o) VALUES
    (-32768, -2147483648, -9223372036854775808, 'NaN', 'NaN', -99900, 'NaN', 'NaN', '-92233720368547758.08', false, 0),
    (32767, 2147483647, 9223372036854775807, 'Infinity', 123456789012345.67890, 99900, 'Infinity', 'Infinity', '92233720368547758.07', true, 4294967295),
    (0, 0, 0, '-Infinity', -0.00001, 0, '-Infinity', '-Infinity', '0.01', NULL, 1),
    (1, 1, 1, repeat('1234567890', 200)::numeric, 1, 100, '-0', '-0', '1', true, 2),
    (2, 2, 2, ('0.' || repeat('0', 500) || '1')::numeric, 0.1, 200, 1.17549435e-38, 2.2250738585072014e-308, '2', true, 3),
    (3, 3, 3, 1.000000000000000000000, 1.1, 300, 1e-45, 4.9e-324, '3', false, 4),
    (4, 4, 4, 1e131071, 100, 400, 3.4028235e38, 1.7976931348623157e308, '4', false, 5),
    (5, 5, 5, 0.1, 0.3, 500, 0.1, 0.30000000000000004, '5', false, 6),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE types.texts (id integer PRIMARY KEY, t text, v varchar(300), c char(20), n name, q "char");
INSERT INTO types.texts (id, t) VALUES
    (1, ''), (2, ' '), (3, 'NULL'), (4, E'\\N'), (5, E'\\.'), (6, E'before\n\\.\nafter'), (7, E'\\'), (8, E'ends in \\'),
    (9, E'tab\there'), (10, E'CR\rLF\nCRLF\r\nend'), (11, E'\n'), (12, E'\b\f\v\x01\x02\x1b\x1f\x7f'), (13, 'it''s "quoted" $$ $1 :v %s {0} <&>'),
    (14, E'\\n is not a newline, \\x41 is not A, \\t'), (15, '-- no comment /* nor this */; DROP TABLE x;'), (16, E'  leading and trailing \t '),
    (17, 'a,b;c|d'), (18, NULL), (19, repeat('x', 300)), (20, '{"a": [1, null]}');
UPDATE types.texts SET v = t, c = left(t, 20), n = left(t, 63)::name, q = t::"char" WHERE t IS NOT NULL;
INSERT INTO types.texts (id, q) VALUES (30, E'\\001'::"char"), (31, ''::"char"), (32, E'\\377'::"char");
\if :utf8
INSERT INTO types.texts (id, t, v) SELECT 100 + n, u, u FROM unnest(ARRAY[
    U&'\00e9', U&'e\0301', U&'\feffBOM', U&'\ffff', U&'\+10ffff', U&'\2028\2029\0085', U&'\202egnp.exe', U&'\+01f469\200d\+01f469\200d\+01f467',
    U&'\0645\0631\062d\0628\0627 \05e9\05dc\05d5\05dd', U&'Z\0351\036b\0343\0334\0321', U&'\0e01\0e33', U&'\+020000\+02a6d6', U&'\00a0\200b\3000',
    U&'\0080\009f', U&'\d83d\de00', U&'\0130\0131\00df\1e9e', U&'\+0e0001\fffd\fffe']) WITH ORDINALITY AS odd (u, n);
\endif
\if :latin1
INSERT INTO types.texts (id, t) SELECT 100 + i, chr(i) || ' is ' || i FROM generate_series(128, 255) i;
INSERT INTO types.texts (id, t) SELECT 400, string_agg(chr(i), '' ORDER BY i) FROM generate_series(128, 255) i;
UPDATE types.texts SET v = t, c = left(t, 20), n = left(t, 63)::name WHERE id > 100;
\endif
\if :sql_ascii
INSERT INTO types.texts (id, t) VALUES
    (100, E'caf\xe9 in LATIN1'), (101, E'caf\xc3\xa9 in UTF-8'), (102, E'\xff\xfe\x80\xbf'), (103, E'cut \xc3'), (104, E'\xed\xa0\x80 surrogate'), (105, E'\x80 euro in 1252');
INSERT INTO types.texts (id, t) SELECT 200, string_agg(chr(i), '' ORDER BY i) FROM generate_series(1, 127) i;
UPDATE types.texts SET v = t, c = left(t, 20), n = left(t, 63)::name WHERE id >= 100;
-- Names that are no UTF-8.
DO $do$
BEGIN
    EXECUTE format('CREATE TABLE names.%I (id integer PRIMARY KEY, %I text)', E'caf\xe9', E'col\xff');
    EXECUTE format('INSERT INTO names.%I VALUES (1, %L)', E'caf\xe9', E'\xe9');
END $do$;
\endif

CREATE TABLE types.bytes (id integer PRIMARY KEY, b bytea, bits bit(11), vb bit varying(70), u uuid);
INSERT INTO types.bytes VALUES
    (1, '', '00000000000', '', '00000000-0000-0000-0000-000000000000'),
    (2, (SELECT string_agg(set_byte('\x00', 0, i), '' ORDER BY i) FROM generate_series(0, 255) i), '10101010101', repeat('10', 35)::bit varying, 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
    (3, '\x00', '11111111111', '1', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
    (4, '\x5c2e0a5c4e', NULL, NULL, NULL), (5, NULL, NULL, NULL, NULL);

CREATE TABLE types.times (id integer PRIMARY KEY, d date, t time, t3 time(3), tt time with time zone, ts timestamp, tz timestamp with time zone, i interval, iy interval year to month, s interval second(2));
INSERT INTO types.times VALUES
    (1, 'infinity', '00:00', '00:00', '00:00+15:59', 'infinity', 'infinity', '0', '0', '0'),
    (2, '-infinity', '24:00', '24:00', '24:00-15:59', '-infinity', '-infinity', '-1 mons +2 days -03:04:05.678901', '-13 months', '-1.25'),
    (3, '4713-01-01 BC', '23:59:59.999999', '23:59:59.999', '12:34:56.789012+05:45:30', '4713-01-01 00:00:00 BC', '4713-01-02 00:00:00+00 BC', '178000000 years', '1 year', '59.99'),
    (4, '5874897-12-31', '12:00', '12:00', '12:00-00', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '-178000000 years', '1 month', '1'),
    (5, '0001-01-01', '01:02:03.4', '01:02:03.4', '01:02:03.4+01', '1582-10-10', '1883-11-18 12:03:58-04:56:02', '1 mon -1 day 1 us', NULL, NULL),
    (6, '2000-02-29', NULL, NULL, NULL, '2024-03-31 02:30:00', '2024-10-27 01:30:00+00', '-00:00:00.000001', NULL, NULL),
    (7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE types.nets (id integer PRIMARY KEY, i inet, c cidr, m macaddr, m8 macaddr8);
INSERT INTO types.nets VALUES
    (1, '192.168.1.5/24', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'), (2, '::1', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', '00:00:00:00:00:00:00:00'),
    (3, '::ffff:1.2.3.4/96', '0.0.0.0/0', '00:00:00:00:00:00', NULL), (4, NULL, NULL, NULL, NULL);

CREATE TABLE types.shapes (id integer PRIMARY KEY, p point, l line, s lseg, b box, pa path, po polygon, c circle);
INSERT INTO types.shapes VALUES
    (1, '(1,2)', '{1,-1,0}', '[(0,0),(1,1)]', '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),1.5>'),
    (2, '(NaN,Infinity)', '{0,1,-Infinity}', '[(1e300,-1e-300),(0.1,0.2)]', '(Infinity,Infinity),(-Infinity,-Infinity)', '((0,0),(0.30000000000000004,-0))', '((0,0))', '<(1,1),0>'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE types.documents (id integer PRIMARY KEY, j json, jb jsonb, x xml, jp jsonpath, tv tsvector, tq tsquery);
INSERT INTO types.documents VALUES
    (1, '{"a": 1,   "a": 2, "b": [ ]}', '{"b": 1, "aa": [null, true, 1.50, "x\\y\"z\n"], "": {}}', '<a b="1">&lt;text&gt;<!-- c --></a>', '$.a[*] ? (@.b > 1 && @.c like_regex "^x")', 'a:1A fat:2B,4C cat:5', 'fat & (rat | !cat:AB)'),
    (2, '"just text"', '123456789012345678901234567890.1234567890e-5', 'content without <b/> a root', 'strict $', '''it''''s'' ''a b'':3', '''two words'' <-> next <3> far:*'),
    (3, ' null ', 'null', '', '$', '', ''), (4, '[1e400, -0, 1.0]', '[1E+10, -0, 1.0]', '<?xml version="1.0"?><r/>', NULL, NULL, NULL), (5, NULL, NULL, NULL, NULL, NULL, NULL);
\if :utf8
INSERT INTO types.documents (id, j, jb) VALUES (6, '{"\u00e9": "\ud83d\ude00", "raw": "😀"}', '{"\u00e9": "\ud83d\ude00", "raw": "😀\u202e"}');
\endif

CREATE TABLE types.arrays (id integer PRIMARY KEY, i integer[], t text[], m app.mood[], a app.address[], p app.positive[], e app.email[], b bytea[], f float8[], ts timestamptz[], r int4range[], mr int4multirange[], jb jsonb[], h ext.hstore[], c ext.citext[], rgb app.rgb[], l app.short_list, n numeric[], bo box[]);
INSERT INTO types.arrays VALUES
    (1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
    (2, '{{1,2,NULL},{4,5,6}}', ARRAY['', 'NULL', NULL, '{', '"', E'\\', E'a,b\n', ' '], '{happy,NULL,"with space","quote''d \"x\""}', ARRAY[ROW('Main "St", 1', 5, ARRAY['x', NULL, ''])::app.address, NULL, ROW(NULL, NULL, NULL)::app.address],
        '{1,2,NULL}', '{a@example.org}', ARRAY['\x00ff5c'::bytea, NULL, ''], '{NaN,Infinity,-Infinity,-0}', '{infinity,-infinity,"2020-01-01 00:00+00"}', '{empty,"[1,5)","(,)",NULL}', '{"{}","{[1,2),[5,7)}"}',
        ARRAY['{"a": "b,c"}'::jsonb, 'null', NULL], ARRAY['a=>b, "c d"=>NULL'::ext.hstore, ''], '{Ab,aB}', '{1,2}', '{1,NULL}', '{NaN,1.0,Infinity}', '{(1,1),(0,0);(2,2),(1,1)}'),
    (3, '[2:3][-1:0]={{1,2},{3,4}}', '[5:5]={five}', '[0:0]={sad}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, '{{{{{{1}}}}}}', '{{a,b},{c,d}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE types.own (id integer PRIMARY KEY, m app.mood DEFAULT 'so-so', p app.positive, e app.email DEFAULT 'x@example.org', eo app.email_of_ours, a app.address, pe app.person, va app.valid_address, fr app.float_range, fs app.floats, tr app.text_range, rgb app.rgb,
    i4r int4range, nr numrange, tsr tstzrange, dr daterange, nmr nummultirange, h ext.hstore, c ext.citext, lst app.short_list);
INSERT INTO types.own VALUES
    (1, 'happy', 1, 'a@example.org', 'b@example.org', ROW(E'a "b" (c), \\', 2, '{x,"y z"}'), ROW('p', ROW('s', 3, NULL), ARRAY[ROW('t', 4, '{}')::app.address]), ROW('v', 9, NULL), '[-Infinity,NaN]', '{[1,2],(3.5,4)}', '["a b","c\"d")', '16711680',
        '(,5)', '[1.50,)', '[infinity,infinity]', '[2020-01-01,infinity)', '{(,1],[2,3]}', '"k 1"=>"v\"1", nothing=>NULL, ""=>""', 'MiXeD', '{1,2,3}'),
    (2, E'back\\slash', 999999, NULL, NULL, ROW('', NULL, NULL), ROW(NULL, NULL, NULL), NULL, 'empty', '{}', '(,)', '-1', 'empty', 'empty', '(,)', '(,)', '{}', '', '', '{}'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (4, 'MEH', DEFAULT, DEFAULT, DEFAULT, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE INDEX ON types.own USING gist (h);
CREATE INDEX ON types.own USING gin (h);
CREATE UNIQUE INDEX ON types.own (c);
CREATE INDEX ON types.own (rgb);
CREATE INDEX ON types.own USING hash (rgb);
CREATE INDEX ON types.own USING spgist (tr);

-- Names of objects, which are OIDs in binary form and other OIDs after a restore.
CREATE TABLE types.registry (id integer PRIMARY KEY, c regclass, p regproc, pr regprocedure, o regoper, op regoperator, t regtype, r regrole, n regnamespace, cfg regconfig, d regdictionary, co regcollation, lsn pg_lsn, s pg_snapshot, x8 xid8, x xid, ci cid, ti tid, ov oidvector, iv int2vector, ai aclitem);
INSERT INTO types.registry VALUES
    (1, 'types.own', 'app.total', 'app.twice(text)', 'app.<>', 'app.<(app.rgb,app.rgb)', 'app.mood[]', 'molt_owner', '"we""ird $chema.name|*\"', 'app.words', 'app.plain_words', 'app.plain', 'FFFFFFFF/FFFFFFFF', '10:20:10,14,15', '18446744073709551615', '4294967295', '7', '(42,7)', '1 2 3', '1 -1', 'molt_reader=r*w/molt_owner'),
    (2, 'pg_catalog.pg_class', 'pg_catalog.pi', 'pg_catalog.now()', 'pg_catalog.||/', 'pg_catalog.+(integer,integer)', 'integer', '"molt ""odd"" role.name"', 'pg_catalog', 'pg_catalog.simple', 'pg_catalog.simple', 'pg_catalog."C"', '0/0', '1:1:', '0', '0', '0', '(0,0)', '', '', '=r/postgres'),
    (3, '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

---------------------------------------------------------------------------------------------------- names
DO $do$
DECLARE
    odd text;
    names text[] := ARRAY[
        'MixedCase', 'MIXEDCASE', 'mixedcase', 'select', 'user', 'table', 'a.b', '"', 'quote"d', '""', '''', 'pipe|d', '$', '$1', 'dollar$', '*', 'st*r', '?', '[a-z]+', 'back\slash', '\', '\.', 'per%cent %s', '{0}',
        ' ', ' leading', 'trailing ', 'two  spaces', E'tab\there', E'line\nbreak', E'line\r\nbreak; DROP TABLE x; --', '-dash', '--comment', '/', '.', '..', '../../etc/passwd', '/etc/passwd', 'con', 'a:b', '~', '#', '@', '&', '(x)', 'a,b',
        '1', 'null', 'ctid', repeat('n', 62) || '1', repeat('n', 62) || '2', repeat('"', 63)];
BEGIN
    IF current_setting('server_encoding') = 'UTF8' THEN
        names := names || ARRAY[chr(233), 'e' || chr(769), chr(201), repeat(chr(233), 31) || 'x', repeat(chr(128512), 15) || 'abc', chr(8238) || 'txt.exe', chr(1605) || chr(1585) || chr(1581), chr(160), chr(8203)];
    ELSIF current_setting('server_encoding') = 'LATIN1' THEN
        names := names || ARRAY[chr(233), chr(201), repeat(chr(255), 63), 'Gr' || chr(246) || chr(223) || 'e', chr(160), chr(133)];
    ELSE
        names := names || ARRAY['Größe'];
    END IF;
    FOREACH odd IN ARRAY names LOOP
        -- A column may not be called like a system column.
        EXECUTE format('CREATE TABLE names.%I (id integer PRIMARY KEY, %I text)', odd, CASE odd WHEN 'ctid' THEN 'CTID' ELSE odd END);
        EXECUTE format('INSERT INTO names.%I VALUES (1, %L), (2, NULL)', odd, odd);
        EXECUTE format('COMMENT ON TABLE names.%I IS %L', odd, 'called ' || odd);
    END LOOP;
END $do$;
CREATE TABLE "Mixed Case"."Table" (LIKE types.own INCLUDING ALL);
INSERT INTO "Mixed Case"."Table" SELECT * FROM types.own;
CREATE TABLE "we""ird $chema.name|*\"."we""ird $chema.name|*\" ("we""ird $chema.name|*\" serial PRIMARY KEY, "select" text DEFAULT E'\\''', "Order" integer GENERATED ALWAYS AS (length("select")) STORED);
INSERT INTO "we""ird $chema.name|*\"."we""ird $chema.name|*\" ("select") VALUES ('x'), (DEFAULT), (NULL);
CREATE INDEX "we""ird $index" ON "we""ird $chema.name|*\"."we""ird $chema.name|*\" (lower("select")) WHERE "Order" > 0;
ALTER TABLE "we""ird $chema.name|*\"."we""ird $chema.name|*\" OWNER TO "molt ""odd"" role.name";

---------------------------------------------------------------------------------------------------- sequences
CREATE SEQUENCE app.plain_seq;
CREATE SEQUENCE app.used_seq;
SELECT setval('app.used_seq', 4711) \g /dev/null
CREATE SEQUENCE app.not_called_seq;
SELECT setval('app.not_called_seq', 99, false) \g /dev/null
CREATE SEQUENCE app.down_seq AS smallint INCREMENT -3 MINVALUE -1000 MAXVALUE 10 START 7 CACHE 20 CYCLE;
SELECT setval('app.down_seq', -2) \g /dev/null
CREATE SEQUENCE app.full_seq AS bigint MAXVALUE 9223372036854775807;
SELECT setval('app.full_seq', 9223372036854775807) \g /dev/null
CREATE UNLOGGED SEQUENCE app.unlogged_seq START 5;
SELECT nextval('app.unlogged_seq') \g /dev/null
CREATE SEQUENCE "Mixed Case"."Odd ""Seq"".x";
GRANT USAGE ON SEQUENCE app.used_seq TO molt_writer;
ALTER SEQUENCE app.used_seq OWNER TO molt_owner;
COMMENT ON SEQUENCE app.used_seq IS 'a sequence';
CREATE TABLE app.counted (
    always integer GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5),
    by_default bigint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME app."Identity of counted" CACHE 3),
    shared integer DEFAULT nextval('app.used_seq'),
    odd integer DEFAULT nextval('"Mixed Case"."Odd ""Seq"".x"'),
    serial_too bigserial,
    t text);
INSERT INTO app.counted (t) SELECT 'row ' || i FROM generate_series(1, 50) i;
INSERT INTO app.counted (always, by_default, t) OVERRIDING SYSTEM VALUE VALUES (-1, -1, 'overridden');
ALTER SEQUENCE app.plain_seq OWNED BY app.counted.t;

---------------------------------------------------------------------------------------------------- generated and dropped columns, no columns
CREATE TABLE app.generated (
    twice integer GENERATED ALWAYS AS (app.twice(n)) STORED,
    n integer,
    whole text GENERATED ALWAYS AS (coalesce(first, '') || ' ' || coalesce("Last Name", '')) STORED NOT NULL,
    first text, "Last Name" text,
    words tsvector GENERATED ALWAYS AS (to_tsvector('app.words'::regconfig, coalesce(first, ''))) STORED);
INSERT INTO app.generated (n, first, "Last Name") SELECT i, 'name ' || i, CASE i % 3 WHEN 0 THEN 'last' END FROM generate_series(1, 100) i;
CREATE INDEX ON app.generated USING gin (words);
CREATE TABLE app.only_generated (g integer GENERATED ALWAYS AS (42) STORED);
INSERT INTO app.only_generated DEFAULT VALUES;
INSERT INTO app.only_generated DEFAULT VALUES;

CREATE TABLE app.dropped (gone1 integer, a integer, gone2 text, b text, c integer DEFAULT 3, gone3 text);
INSERT INTO app.dropped SELECT i, i, 'gone ' || i, 'kept ' || i, i FROM generate_series(1, 100) i;
ALTER TABLE app.dropped DROP COLUMN gone1, DROP COLUMN gone2, DROP COLUMN gone3;
ALTER TABLE app.dropped ADD COLUMN late text DEFAULT 'filled in without a rewrite';
INSERT INTO app.dropped VALUES (101, 'after', 3, NULL);
CREATE TABLE app.no_columns ();
INSERT INTO app.no_columns DEFAULT VALUES;
INSERT INTO app.no_columns DEFAULT VALUES;
INSERT INTO app.no_columns DEFAULT VALUES;
CREATE TABLE app.no_columns_left (a integer, b text);
INSERT INTO app.no_columns_left SELECT i, 'x' FROM generate_series(1, 7) i;
ALTER TABLE app.no_columns_left DROP COLUMN a, DROP COLUMN b;
CREATE TABLE app.no_columns_no_rows ();
CREATE TABLE app.no_rows (id integer PRIMARY KEY, t text, b bytea);
CREATE TYPE app.line AS (street text, nr app.positive, tags text[]);
CREATE TABLE app.typed OF app.line (PRIMARY KEY (street), nr WITH OPTIONS DEFAULT 1);
INSERT INTO app.typed VALUES ('first', 1, NULL), ('second', DEFAULT, '{x}');
DO $do$
BEGIN
    EXECUTE (SELECT 'CREATE TABLE app.wide (' || string_agg('c' || i || CASE WHEN i % 2 = 0 THEN ' integer' ELSE ' text' END, ', ' ORDER BY i) || ')' FROM generate_series(1, 600) i);
    EXECUTE (SELECT 'INSERT INTO app.wide SELECT ' || string_agg(CASE WHEN i % 7 = 0 THEN 'NULL' WHEN i % 2 = 0 THEN 'g * ' || i ELSE '''t'' || g' END, ', ' ORDER BY i) || ' FROM generate_series(1, 20) g' FROM generate_series(1, 600) i);
END $do$;

---------------------------------------------------------------------------------------------------- partitions
CREATE TABLE app.events (id bigint GENERATED BY DEFAULT AS IDENTITY, day date NOT NULL, kind text NOT NULL, body text, size integer GENERATED ALWAYS AS (length(body)) STORED, PRIMARY KEY (id, day, kind)) PARTITION BY RANGE (day);
CREATE TABLE parts.events_2023 PARTITION OF app.events FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE parts."Events 2024" PARTITION OF app.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (kind);
CREATE TABLE parts.events_2024_click PARTITION OF parts."Events 2024" FOR VALUES IN ('click', 'tap') PARTITION BY HASH (id);
CREATE TABLE parts.events_2024_click_0 PARTITION OF parts.events_2024_click FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.events_2024_click_1 PARTITION OF parts.events_2024_click FOR VALUES WITH (MODULUS 2, REMAINDER 1) WITH (fillfactor = 70);
CREATE TABLE parts.events_2024_rest PARTITION OF parts."Events 2024" DEFAULT;
CREATE TABLE app.events_other PARTITION OF app.events DEFAULT;
-- A partition whose columns have another order, with a dropped one between.
CREATE TABLE parts.events_2025 (kind text NOT NULL, gone integer, body text DEFAULT 'its own default', id bigint NOT NULL, day date NOT NULL, size integer GENERATED ALWAYS AS (length(body)) STORED);
ALTER TABLE parts.events_2025 DROP COLUMN gone;
ALTER TABLE app.events ATTACH PARTITION parts.events_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO app.events (day, kind, body) SELECT DATE '2023-10-01' + i % 1000, (ARRAY['click', 'tap', 'view', 'x'])[1 + i % 4], md5(i::text) FROM generate_series(1, 6000) i;
CREATE INDEX events_kind ON app.events (kind, day DESC NULLS LAST);
CREATE INDEX only_on_parent ON ONLY app.events (body);
COMMENT ON TABLE app.events IS 'a partitioned table';
CREATE TABLE app.partitioned_empty (a integer) PARTITION BY LIST (a);
-- Hashing an enum goes by its labels' OIDs: after a restore rows belong to other partitions, so pg_dump loads them through the root.
CREATE TABLE app.by_mood (m app.mood, n integer) PARTITION BY HASH (m);
CREATE TABLE parts.by_mood_0 PARTITION OF app.by_mood FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE parts.by_mood_1 PARTITION OF app.by_mood FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE parts.by_mood_2 PARTITION OF app.by_mood FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO app.by_mood SELECT (enum_range(NULL::app.mood))[1 + i % 8], i FROM generate_series(1, 80) i;
CREATE TABLE app.by_expression (t text COLLATE app."natural", n integer) PARTITION BY RANGE (lower(t), (n % 10));
CREATE TABLE parts.by_expression_low PARTITION OF app.by_expression FOR VALUES FROM (MINVALUE, MINVALUE) TO ('m', 5);
CREATE TABLE parts.by_expression_high PARTITION OF app.by_expression FOR VALUES FROM ('m', 5) TO (MAXVALUE, MAXVALUE);
INSERT INTO app.by_expression SELECT chr(97 + i % 26) || i, i FROM generate_series(1, 200) i;

---------------------------------------------------------------------------------------------------- inheritance
CREATE TABLE app.parent (id integer PRIMARY KEY, t text DEFAULT 'parent', CONSTRAINT not_zero CHECK (id <> 0), CONSTRAINT mine_only CHECK (id < 1000000) NO INHERIT);
CREATE TABLE app.other_parent (extra integer, t text);
CREATE TABLE app.child (more text, PRIMARY KEY (id)) INHERITS (app.parent);
CREATE TABLE parts.grandchild (t text DEFAULT 'grandchild', extra integer DEFAULT 5) INHERITS (app.child, app.other_parent);
-- In the parent's order of columns: with another one pg_dump's own round trip reorders them.
CREATE TABLE app.adopted (id integer NOT NULL, gone integer, t text, own integer, CONSTRAINT not_zero CHECK (id <> 0));
ALTER TABLE app.adopted DROP COLUMN gone;
ALTER TABLE app.adopted INHERIT app.parent;
INSERT INTO app.parent SELECT i, 'p' || i FROM generate_series(1, 10) i;
INSERT INTO app.child SELECT i, 'c' || i, 'more' FROM generate_series(11, 30) i;
INSERT INTO parts.grandchild (id, more) SELECT i, NULL FROM generate_series(31, 35) i;
INSERT INTO app.adopted (id, t, own) SELECT i, 'a' || i, i FROM generate_series(41, 47) i;
ALTER TABLE app.child ALTER COLUMN t SET DEFAULT 'child';

---------------------------------------------------------------------------------------------------- constraints
CREATE TABLE app.chicken (id integer PRIMARY KEY, egg integer NOT NULL, t text);
CREATE TABLE app.egg (id integer PRIMARY KEY, chicken integer NOT NULL, next integer);
INSERT INTO app.chicken SELECT i, 101 - i, 'chicken ' || i FROM generate_series(1, 100) i;
INSERT INTO app.egg SELECT i, i, nullif((i + 1) % 101, 0) FROM generate_series(1, 100) i;
ALTER TABLE app.chicken ADD CONSTRAINT from_egg FOREIGN KEY (egg) REFERENCES app.egg DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE app.egg ADD CONSTRAINT from_chicken FOREIGN KEY (chicken) REFERENCES app.chicken ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE;
ALTER TABLE app.egg ADD CONSTRAINT next_egg FOREIGN KEY (next) REFERENCES app.egg ON DELETE SET NULL (next);
ALTER TABLE app.egg ADD UNIQUE (chicken) DEFERRABLE INITIALLY DEFERRED;
COMMENT ON CONSTRAINT from_egg ON app.chicken IS 'a foreign key';
CREATE TABLE app.not_valid (id integer, parent integer);
INSERT INTO app.not_valid VALUES (-1, 777), (2, 1);
ALTER TABLE app.not_valid ADD CONSTRAINT positive CHECK (id > 0) NOT VALID;
ALTER TABLE app.not_valid ADD CONSTRAINT has_chicken FOREIGN KEY (parent) REFERENCES app.chicken NOT VALID;
CREATE TABLE app.booking (room integer, during tsrange, EXCLUDE USING gist (during WITH &&) WHERE (room = 1) DEFERRABLE);
INSERT INTO app.booking SELECT 1, tsrange(TIMESTAMP '2024-01-01' + i * INTERVAL '1 hour', TIMESTAMP '2024-01-01' + (i + 1) * INTERVAL '1 hour') FROM generate_series(1, 50) i;
CREATE TABLE app.event_note (event bigint, day date, kind text, note text, FOREIGN KEY (event, day, kind) REFERENCES app.events MATCH FULL);
INSERT INTO app.event_note SELECT id, day, kind, 'note ' || id FROM app.events WHERE id % 100 = 0 ORDER BY id;
CREATE TABLE app.unique_nulls (a integer, b integer, UNIQUE NULLS NOT DISTINCT (a) INCLUDE (b));
INSERT INTO app.unique_nulls VALUES (NULL, 1), (1, 1);

---------------------------------------------------------------------------------------------------- storage, indexes, statistics
CREATE TABLE app.tuned (id integer PRIMARY KEY WITH (fillfactor = 80), e text COMPRESSION pglz, m text, x bytea, k text NOT NULL, g text COLLATE app.blind, nat text COLLATE app."natural")
    WITH (fillfactor = 66, autovacuum_enabled = false, toast.autovacuum_enabled = false, parallel_workers = 2, toast_tuple_target = 256);
ALTER TABLE app.tuned ALTER COLUMN e SET STORAGE EXTERNAL, ALTER COLUMN m SET STORAGE MAIN, ALTER COLUMN k SET STATISTICS 321, ALTER COLUMN k SET (n_distinct = -0.5);
INSERT INTO app.tuned SELECT i, repeat('e' || i, 500), repeat('m', i), decode(repeat('00', i * 10), 'hex'), 'k' || i, 'g' || i, i::text FROM generate_series(1, 300) i;
CREATE UNIQUE INDEX tuned_k ON app.tuned (k);
CREATE INDEX tuned_trgm ON app.tuned USING gin (k ext.gin_trgm_ops);
CREATE INDEX tuned_trgm_gist ON app.tuned USING gist (k ext.gist_trgm_ops (siglen = 32));
CREATE INDEX tuned_expression ON app.tuned (app.twice(id), (k || 'x') text_pattern_ops DESC) INCLUDE (g) WHERE id > 5;
ALTER INDEX app.tuned_expression ALTER COLUMN 2 SET STATISTICS 77;
CREATE INDEX tuned_brin ON app.tuned USING brin (id) WITH (pages_per_range = 4);
CREATE UNIQUE INDEX tuned_blind ON app.tuned (g);
CREATE INDEX tuned_natural ON app.tuned (nat COLLATE "C", nat);
CLUSTER app.tuned USING tuned_pkey;
ALTER TABLE app.tuned REPLICA IDENTITY USING INDEX tuned_k;
ALTER TABLE app.no_rows REPLICA IDENTITY NOTHING;
ALTER TABLE app.dropped REPLICA IDENTITY FULL;
CREATE STATISTICS app.tuned_statistics (ndistinct, dependencies, mcv) ON id, k FROM app.tuned;
CREATE STATISTICS app.tuned_expressions ON (id % 10), (lower(k)) FROM app.tuned;
ALTER STATISTICS app.tuned_statistics SET STATISTICS 55;
COMMENT ON STATISTICS app.tuned_statistics IS 'a statistics object';
COMMENT ON INDEX app.tuned_k IS 'an index';
COMMENT ON COLUMN app.tuned.k IS 'a column';
CREATE TABLE app.other_method (id integer, t text) USING molt_heap;
INSERT INTO app.other_method SELECT i, 'row ' || i FROM generate_series(1, 1000) i;
CREATE UNLOGGED TABLE app.unlogged (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);
INSERT INTO app.unlogged (t) SELECT 'unlogged ' || i FROM generate_series(1, 500) i;

---------------------------------------------------------------------------------------------------- many rows, big rows, holes
CREATE TABLE app.narrow (id integer NOT NULL, k smallint, v integer);
INSERT INTO app.narrow SELECT i, i % 100, nullif((i::bigint * 7919 % 1000003)::integer % 1000, 0) FROM generate_series(1, 300000) i;
ALTER TABLE app.narrow ADD PRIMARY KEY (id);
CREATE TABLE app.big (id integer PRIMARY KEY, t text, b bytea);
-- Uncompressed, and rows of 20 MB of text and 10 MB of bytes that do not compress to nothing; then some of 2 MB that do.
ALTER TABLE app.big ALTER COLUMN t SET STORAGE EXTERNAL, ALTER COLUMN b SET STORAGE EXTERNAL;
INSERT INTO app.big SELECT 1, repeat(string_agg(md5(i::text) || CASE i % 1000 WHEN 0 THEN E'\n\\.\n' ELSE '' END, '' ORDER BY i), 5), NULL FROM generate_series(1, 128000) i;
INSERT INTO app.big SELECT 2, NULL, decode(repeat(string_agg(md5(i::text), '' ORDER BY i), 5), 'hex') FROM generate_series(1, 128000) i;
ALTER TABLE app.big ALTER COLUMN t SET STORAGE EXTENDED, ALTER COLUMN b SET STORAGE EXTENDED;
INSERT INTO app.big SELECT 10 + i, repeat(chr(96 + i), 1000000), decode(repeat('00ff', 500000), 'hex') FROM generate_series(1, 5) i;
-- Mostly pages without any row.
CREATE TABLE app.sparse (id integer PRIMARY KEY, filler text) WITH (autovacuum_enabled = false);
INSERT INTO app.sparse SELECT i, repeat('f', 100) FROM generate_series(1, 30000) i;
DELETE FROM app.sparse WHERE id <= 20000 OR id % 50 <> 0;
UPDATE app.sparse SET filler = 'moved' WHERE id % 100 = 0;

---------------------------------------------------------------------------------------------------- large objects
SELECT lo_from_bytea(70001, 'a large object') \g /dev/null
SELECT lo_from_bytea(70002, '') \g /dev/null
SELECT lo_from_bytea(70003, (SELECT string_agg(decode(md5(i::text), 'hex'), '' ORDER BY i) FROM generate_series(1, 50000) i)) \g /dev/null
SELECT lo_create(4000000001) \g /dev/null
-- Its first megabyte is a hole.
SELECT lo_put(4000000001, 1048576, '\x00ff') \g /dev/null
ALTER LARGE OBJECT 70001 OWNER TO molt_owner;
GRANT SELECT, UPDATE ON LARGE OBJECT 70001 TO molt_reader;
COMMENT ON LARGE OBJECT 70001 IS 'a large object''s comment';
CREATE TABLE app.files (id integer PRIMARY KEY, content oid);
INSERT INTO app.files VALUES (1, 70001), (2, 70002), (3, 70003), (4, 4000000001), (5, 4294967295);

---------------------------------------------------------------------------------------------------- views, materialized views
CREATE VIEW app.v1 AS SELECT id, k, v FROM app.narrow WHERE id <= 1000;
CREATE VIEW app.v2 WITH (security_barrier, security_invoker) AS SELECT k, count(*) AS rows, sum(v) AS "Sum" FROM app.v1 GROUP BY k;
CREATE VIEW app.a_view_on_v2 ("K", r, "Sum", one) AS SELECT v2.*, a.n FROM app.v2, LATERAL (SELECT 1 AS n) a;
ALTER VIEW app.a_view_on_v2 RENAME COLUMN "Sum" TO "The ""Sum""";
CREATE VIEW app.checked AS SELECT id, t FROM app.no_rows WHERE id > 0 WITH LOCAL CHECK OPTION;
ALTER VIEW app.checked ALTER COLUMN t SET DEFAULT 'default of a view';
CREATE RECURSIVE VIEW app.countdown (n) AS VALUES (10) UNION ALL SELECT n - 1 FROM countdown WHERE n > 0;
-- Allowed by the primary key only, so that it can be made after the data only; and what is built on it likewise.
CREATE VIEW app.by_key AS SELECT c.id, c.t, count(*) AS eggs FROM app.chicken c JOIN app.egg e ON e.chicken = c.id GROUP BY c.id;
CREATE MATERIALIZED VIEW app.z_first AS SELECT k, count(*) AS n FROM app.v1 GROUP BY k ORDER BY k;
CREATE UNIQUE INDEX ON app.z_first (k);
CREATE MATERIALIZED VIEW app.m_second WITH (fillfactor = 50) AS SELECT sum(n) AS n FROM app.z_first;
CREATE MATERIALIZED VIEW app.a_third AS SELECT n FROM app.m_second UNION ALL SELECT count(*) FROM app.events;
CREATE MATERIALIZED VIEW app.not_filled AS SELECT * FROM app.a_third WITH NO DATA;
CREATE INDEX ON app.not_filled (n);
CREATE MATERIALIZED VIEW app.keyed AS SELECT id, eggs FROM app.by_key;
CREATE VIEW app.on_materialized AS SELECT z_first.k, z_first.n, v2."Sum" FROM app.z_first JOIN app.v2 USING (k);
COMMENT ON VIEW app.v1 IS 'a view';
COMMENT ON COLUMN app.v2."Sum" IS 'a view''s column';
COMMENT ON MATERIALIZED VIEW app.z_first IS 'a materialized view';
ALTER MATERIALIZED VIEW app.m_second OWNER TO molt_owner;
GRANT SELECT ON app.v1, app.z_first TO molt_reader;
-- Refreshing is done with the owner's privileges.
GRANT SELECT ON app.narrow, app.z_first TO molt_owner;

---------------------------------------------------------------------------------------------------- rules and triggers, after the rows
CREATE TABLE app.touched (id integer PRIMARY KEY, t text);
INSERT INTO app.touched SELECT i, 'as it was ' || i FROM generate_series(1, 100) i;
CREATE TABLE app.log (at integer, t text);
INSERT INTO app.log VALUES (1, 'one row only: more would mean that triggers or rules fired');
CREATE FUNCTION app.logged() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.log VALUES (1, TG_NAME); RETURN NULL; END$$;
CREATE TRIGGER shout BEFORE INSERT OR UPDATE OF t ON app.touched FOR EACH ROW WHEN (NEW.id IS NOT NULL) EXECUTE FUNCTION app.shouted(E'odd ''argument'' \\ $$');
ALTER TABLE app.touched ENABLE ALWAYS TRIGGER shout;
CREATE TRIGGER "Log ""it"" " AFTER INSERT OR DELETE OR TRUNCATE ON app.touched FOR EACH STATEMENT EXECUTE FUNCTION app.logged();
CREATE TRIGGER log_new AFTER INSERT ON app.touched REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.logged();
CREATE CONSTRAINT TRIGGER log_late AFTER UPDATE ON app.touched DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.logged();
ALTER TABLE app.touched DISABLE TRIGGER log_new;
ALTER TABLE app.touched ENABLE REPLICA TRIGGER log_late;
CREATE TRIGGER on_events AFTER INSERT ON app.events FOR EACH ROW EXECUTE FUNCTION app.logged();
ALTER TABLE parts.events_2023 DISABLE TRIGGER on_events;
CREATE FUNCTION app.insert_view() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER instead INSTEAD OF INSERT ON app.v2 FOR EACH ROW EXECUTE FUNCTION app.insert_view();
CREATE RULE "Log, too" AS ON INSERT TO app.touched DO ALSO INSERT INTO app.log VALUES (NEW.id, 'rule');
CREATE RULE no_delete AS ON DELETE TO app.touched WHERE OLD.id < 10 DO INSTEAD NOTHING;
ALTER TABLE app.touched DISABLE RULE no_delete;
COMMENT ON TRIGGER shout ON app.touched IS 'a trigger';
COMMENT ON RULE no_delete ON app.touched IS 'a rule';

---------------------------------------------------------------------------------------------------- row-level security
CREATE TABLE secure.own_rows (id integer PRIMARY KEY, owner name, t text);
INSERT INTO secure.own_rows SELECT i, CASE i % 2 WHEN 0 THEN 'molt_app' ELSE 'molt_owner' END, 'row ' || i FROM generate_series(1, 100) i;
ALTER TABLE secure.own_rows OWNER TO molt_owner;
ALTER TABLE secure.own_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secure.own_rows USING (owner = current_user) WITH CHECK (owner = current_user);
CREATE POLICY "Read, some" ON secure.own_rows AS RESTRICTIVE FOR SELECT TO molt_reader, molt_app USING (id > 0 AND EXISTS (SELECT 1 FROM app.narrow n WHERE n.id = own_rows.id));
COMMENT ON POLICY own ON secure.own_rows IS 'a policy';
CREATE TABLE secure.forced (id integer PRIMARY KEY, t text);
INSERT INTO secure.forced SELECT i, 'row ' || i FROM generate_series(1, 100) i;
ALTER TABLE secure.forced OWNER TO molt_owner;
ALTER TABLE secure.forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY few ON secure.forced FOR ALL TO PUBLIC USING (id <= 10);
CREATE TABLE secure.not_yet_enabled (id integer);
CREATE POLICY sleeping ON secure.not_yet_enabled USING (true);
GRANT USAGE ON SCHEMA secure TO molt_app;
GRANT SELECT, INSERT ON secure.own_rows, secure.forced TO molt_app;

---------------------------------------------------------------------------------------------------- foreign data
CREATE SERVER file_server FOREIGN DATA WRAPPER file_fdw;
-- A program, so that the rows need no file beside the database.
CREATE FOREIGN TABLE app.foreign_file (id integer OPTIONS (force_not_null 'false'), t text NOT NULL) SERVER file_server OPTIONS (program 'printf ''1,one\n2,two\n''', format 'csv');
CREATE TABLE app.half_foreign (id integer, t text NOT NULL) PARTITION BY LIST (id);
CREATE TABLE parts.half_local PARTITION OF app.half_foreign DEFAULT;
CREATE FOREIGN TABLE parts.half_foreign_1 PARTITION OF app.half_foreign FOR VALUES IN (1) SERVER file_server OPTIONS (program 'printf ''1,foreign\n''', format 'csv');
INSERT INTO parts.half_local VALUES (2, 'local'), (3, 'local too');
CREATE SERVER far_away TYPE 'nowhere' VERSION '1' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname 'd''b');
CREATE USER MAPPING FOR molt_app SERVER far_away OPTIONS (user 'x', password 'secret of a user mapping');
CREATE USER MAPPING FOR PUBLIC SERVER far_away;
-- Reading it fails, as a far server may be away.
CREATE FOREIGN TABLE app.unreachable (id integer, t text) SERVER far_away OPTIONS (table_name 't');
CREATE FOREIGN DATA WRAPPER no_handler OPTIONS (debug 'true');
GRANT USAGE ON FOREIGN SERVER far_away TO molt_app;
GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO molt_owner;
COMMENT ON SERVER far_away IS 'a server';
COMMENT ON FOREIGN TABLE app.unreachable IS 'a foreign table';
COMMENT ON FOREIGN DATA WRAPPER no_handler IS 'a foreign data wrapper';

---------------------------------------------------------------------------------------------------- owners, privileges, defaults
ALTER TABLE app.chicken OWNER TO molt_owner;
ALTER TABLE app.egg OWNER TO "molt ""odd"" role.name";
GRANT SELECT (id, t), UPDATE (t) ON app.touched TO molt_reader;
GRANT ALL ON app.touched TO molt_writer WITH GRANT OPTION;
REVOKE DELETE ON app.touched FROM molt_writer;
GRANT SELECT ON app.dropped TO PUBLIC;
GRANT SELECT (late) ON app.dropped TO molt_app WITH GRANT OPTION;
SET ROLE molt_owner;
GRANT SELECT ON app.chicken TO molt_writer WITH GRANT OPTION;
REVOKE INSERT, UPDATE ON app.chicken FROM molt_owner;
SET ROLE molt_writer;
GRANT SELECT ON app.chicken TO molt_app;
RESET ROLE;
GRANT USAGE ON LANGUAGE plpgsql TO molt_app;
ALTER DEFAULT PRIVILEGES FOR ROLE molt_owner IN SCHEMA app GRANT SELECT ON TABLES TO molt_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE molt_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE molt_owner GRANT USAGE ON SCHEMAS TO molt_reader;
ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO molt_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE "molt ""odd"" role.name" IN SCHEMA "Mixed Case" GRANT USAGE ON SEQUENCES TO molt_writer WITH GRANT OPTION;

---------------------------------------------------------------------------------------------------- publications, event triggers
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert, truncate');
CREATE PUBLICATION "Some, ""tables""" FOR TABLE app.touched (id, t) WHERE (id > 10), ONLY app.parent WITH (publish = 'insert');
CREATE PUBLICATION schemas FOR TABLES IN SCHEMA parts, TABLE app.narrow WITH (publish = 'insert', publish_via_partition_root = true);
CREATE PUBLICATION nothing;
ALTER PUBLICATION nothing OWNER TO molt_owner;
COMMENT ON PUBLICATION everything IS 'a publication';

CREATE FUNCTION app.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.log VALUES (2, TG_TAG); END$$;
CREATE FUNCTION app.never() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'this event trigger is disabled'; END$$;
CREATE EVENT TRIGGER never ON ddl_command_start EXECUTE FUNCTION app.never();
ALTER EVENT TRIGGER never DISABLE;
CREATE EVENT TRIGGER "Log drops" ON sql_drop WHEN TAG IN ('DROP TABLE', 'DROP VIEW') EXECUTE FUNCTION app.on_ddl();
ALTER EVENT TRIGGER "Log drops" ENABLE ALWAYS;
CREATE EVENT TRIGGER replica_only ON ddl_command_end EXECUTE FUNCTION app.on_ddl();
ALTER EVENT TRIGGER replica_only ENABLE REPLICA;
COMMENT ON EVENT TRIGGER never IS 'an event trigger';
