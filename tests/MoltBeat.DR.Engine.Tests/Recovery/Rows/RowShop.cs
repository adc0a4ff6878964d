using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Rows;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Rows;

/// <summary>A database that loses rows, its backup, and a folder for undo files.</summary>
internal sealed class RowShop : IAsyncDisposable
{
    /// <summary>Users have agents, these have messages, these have attachments; all go with their owners. Names are odd where they may be.</summary>
    public const string Schema = """
        CREATE SCHEMA app;
        CREATE TYPE app.mood AS ENUM ('calm', 'angry');
        CREATE TABLE app.users (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, seen timestamptz NOT NULL DEFAULT now());
        CREATE TABLE app.agents (id text PRIMARY KEY, user_id int NOT NULL REFERENCES app.users ON DELETE CASCADE, mood app.mood NOT NULL DEFAULT 'calm', settings jsonb NOT NULL DEFAULT '{}', boss text REFERENCES app.agents ON DELETE SET NULL);
        CREATE TABLE app.messages (id bigserial PRIMARY KEY, agent_id text NOT NULL REFERENCES app.agents ON DELETE CASCADE, body text NOT NULL, size int GENERATED ALWAYS AS (length(body)) STORED, at timestamptz NOT NULL DEFAULT now());
        CREATE TABLE app."Attach ments" ("message Id" bigint NOT NULL, "n°" int NOT NULL, "da""ta" bytea, PRIMARY KEY ("message Id", "n°"), FOREIGN KEY ("message Id") REFERENCES app.messages ON DELETE CASCADE);
        CREATE TABLE app.notes (agent_id text REFERENCES app.agents ON DELETE CASCADE, note text);
        """;

    private const string Content = """
        INSERT INTO app.users (email) SELECT 'user' || i || '@example.org' FROM generate_series(1, 20) i;
        INSERT INTO app.agents (id, user_id, mood, settings) SELECT 'agent' || i, i % 20 + 1, CASE WHEN i % 3 = 0 THEN 'angry' ELSE 'calm' END::app.mood, jsonb_build_object('n', i) FROM generate_series(1, 60) i;
        UPDATE app.agents SET boss = 'agent1' WHERE id IN ('agent2', 'agent3');
        INSERT INTO app.messages (agent_id, body) SELECT 'agent' || (i % 60 + 1), E'body\t\\ ' || i FROM generate_series(1, 600) i;
        INSERT INTO app."Attach ments" SELECT i % 600 + 1, i / 600, sha256(i::text::bytea) FROM generate_series(0, 1199) i;
        INSERT INTO app.notes SELECT 'agent' || (i % 60 + 1), 'note ' || i % 2 FROM generate_series(1, 240) i;
        """;

    public static readonly string[] Tables = ["app.users", "app.agents", "app.messages", "app.\"Attach ments\"", "app.notes"];

    private RowShop(TestDatabase database, Workshop workshop, BackupInfo backup)
    {
        Database = database;
        Workshop = workshop;
        Backup = backup;
    }

    public TestDatabase Database { get; }

    public Workshop Workshop { get; }

    public BackupInfo Backup { get; }

    public string UndoFile => Path.Combine(Workshop.Folder, "undo.sql");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<RowShop> OpenAsync(PostgresFixture postgres, string sql = Schema + Content, bool text = false, Func<BackupOptions, BackupOptions>? with = null, PostgresServer? server = null)
    {
        var database = await (server?.CreateDatabaseAsync("rows", cancel: Cancel) ?? postgres.CreateDatabaseAsync("rows"));
        await database.ExecuteAsync(sql, Cancel);
        var workshop = new Workshop();
        return new RowShop(database, workshop, await workshop.BackupAsync(database, with ?? (o => text ? o with { TextRows = true } : o)));
    }

    public Task ExecuteAsync(string sql) => Database.ExecuteAsync(sql, Cancel);

    public Task<T> ScalarAsync<T>(string sql) => Database.ScalarAsync<T>(sql, Cancel);

    /// <summary>All rows of these tables, as one text.</summary>
    public async Task<string> StateAsync(params string[] tables)
    {
        var state = "";
        foreach (var table in tables.Length > 0 ? tables : Tables)
        {
            state += await ScalarAsync<string>($"SELECT '{table.Replace("'", "''", StringComparison.Ordinal)} ' || count(*) || E'\\n' || coalesce(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\"), '') || E'\\n' FROM {table} t");
        }

        return state;
    }

    public RowRestoreOptions Options(string table, string where, Func<RowRestoreOptions, RowRestoreOptions>? with = null, string? uri = null)
    {
        var options = new RowRestoreOptions { Connection = ConnectionSettings.Parse(uri ?? Database.Uri), Table = table, Where = where, UndoFile = UndoFile, Backup = Backup };
        return with?.Invoke(options) ?? options;
    }

    public Task<IReadOnlyList<RestoredRows>> RestoreAsync(string table, string where, Func<RowRestoreOptions, RowRestoreOptions>? with = null, Func<RowRestorePlan, Task<bool>>? approve = null, IOperationObserver? observer = null, string? uri = null, IBackupStore? store = null)
        => RowRestoreOperation.RunAsync([(store ?? Workshop.Store, Backup.Name)], Options(table, where, with, uri), approve ?? (_ => Task.FromResult(true)), observer ?? new Listener(), Cancel);

    /// <summary>Runs the undo file as psql does.</summary>
    public async Task UndoAsync()
        => await Tool.RunAsync("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", Database.Uri, "-f", UndoFile], cancel: Cancel);

    public static Task<MoltException> RefusedAsync(string id, Func<Task> action) => Workshop.RefusedAsync(id, action);

    public async ValueTask DisposeAsync()
    {
        Workshop.Dispose();
        await Database.DisposeAsync();
    }
}
