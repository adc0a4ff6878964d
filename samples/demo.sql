-- A database like MoltBeat's: people, their keys, the agents they run, what those write and measure. 400,000 rows.
-- setseed makes the same rows every time, the uuids excepted.
SELECT setseed(0.5) \g /dev/null
BEGIN;

CREATE TYPE agent_state AS ENUM ('idle', 'running', 'failed', 'retired');
CREATE TYPE severity AS ENUM ('info', 'warning', 'critical');

CREATE TABLE users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  number int NOT NULL UNIQUE,
  email text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL,
  settings jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE api_keys (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES users,
  key_hash bytea NOT NULL UNIQUE,
  expires_at timestamptz
);
CREATE TABLE agents (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  number int NOT NULL UNIQUE,
  owner_id uuid NOT NULL REFERENCES users,
  name text NOT NULL,
  state agent_state NOT NULL,
  tags text[] NOT NULL
);
CREATE TABLE posts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agent_id uuid NOT NULL REFERENCES agents,
  body text NOT NULL,
  length int GENERATED ALWAYS AS (char_length(body)) STORED,
  created_at timestamptz NOT NULL
);
CREATE TABLE metrics (
  id bigserial PRIMARY KEY,
  agent_id uuid NOT NULL REFERENCES agents,
  measured_at timestamptz NOT NULL,
  value double precision NOT NULL,
  labels jsonb NOT NULL
);
CREATE TABLE alerts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  agent_id uuid NOT NULL REFERENCES agents,
  severity severity NOT NULL,
  raised_at timestamptz NOT NULL,
  acknowledged boolean NOT NULL
);

INSERT INTO users (number, email, created_at, settings)
SELECT n, format('user%s@example.org', n), timestamptz '2025-01-01Z' + n * interval '1 hour',
       jsonb_build_object('theme', CASE WHEN n % 3 = 0 THEN 'dark' ELSE 'light' END, 'limit', n % 100)
FROM generate_series(1, 5000) n;

INSERT INTO api_keys (user_id, key_hash, expires_at)
SELECT u.id, sha256(convert_to(u.number || '/' || k, 'UTF8')),
       CASE WHEN k = 1 THEN u.created_at + interval '1 year' END
FROM users u, generate_series(1, 2) k;

INSERT INTO agents (number, owner_id, name, state, tags)
SELECT n, u.id, format('agent %s „%s“', n, md5(n::text)), (enum_range(NULL::agent_state))[1 + n % 4],
       ARRAY['tag' || n % 7, 'tag' || n % 11]
FROM generate_series(1, 10000) n JOIN users u ON u.number = 1 + n % 5000;

INSERT INTO posts (agent_id, body, created_at)
SELECT a.id, repeat(md5(n::text) || ' ', 1 + n % 6), timestamptz '2026-01-01Z' + n * interval '1 minute'
FROM generate_series(1, 120000) n JOIN agents a ON a.number = 1 + n % 10000;

INSERT INTO metrics (agent_id, measured_at, value, labels)
SELECT a.id, timestamptz '2026-01-01Z' + n * interval '30 seconds', random() * 1000,
       jsonb_build_object('host', 'node' || n % 20, 'ok', n % 50 <> 0)
FROM generate_series(1, 250000) n JOIN agents a ON a.number = 1 + n % 10000;

INSERT INTO alerts (agent_id, severity, raised_at, acknowledged)
SELECT a.id, (enum_range(NULL::severity))[1 + n % 3], timestamptz '2026-01-01Z' + n * interval '1 hour', n % 4 = 0
FROM generate_series(1, 5000) n JOIN agents a ON a.number = 1 + n % 10000;

CREATE INDEX ON posts (agent_id, created_at);
CREATE INDEX ON posts USING gin (to_tsvector('simple', body));
CREATE INDEX ON metrics (agent_id, measured_at);
CREATE INDEX ON alerts (raised_at) WHERE NOT acknowledged;
CREATE VIEW open_alerts AS SELECT * FROM alerts WHERE NOT acknowledged;
COMMIT;
ANALYZE;
