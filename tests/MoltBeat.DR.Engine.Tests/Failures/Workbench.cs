using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Failures;

/// <summary>
/// A server that tests of failures have for themselves, one test after another: so that what a failed operation leaves
/// behind can be told from what others do.
/// </summary>
[CollectionDefinition(Name)]
public sealed class Workbench : ICollectionFixture<Workbench>, IAsyncDisposable
{
    public const string Name = "failures";

    /// <summary>Small, with binary and text rows, a large object and everything that restores need to do in each section.</summary>
    private const string SampleSql = """
        CREATE SCHEMA app;
        CREATE TYPE app.pair AS (a int, b text);
        CREATE TABLE app.users (id int PRIMARY KEY, name text NOT NULL, data bytea);
        INSERT INTO app.users SELECT i, 'user ' || i, sha256(i::text::bytea) FROM generate_series(1, 400) i;
        CREATE TABLE public.notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int REFERENCES app.users, what app.pair);
        INSERT INTO public.notes (writer, what) SELECT i % 400 + 1, ROW(i, 'note ' || i)::app.pair FROM generate_series(1, 300) i;
        CREATE TABLE public.nothing (x int);
        CREATE INDEX notes_writer ON public.notes (writer);
        CREATE MATERIALIZED VIEW public.counts AS SELECT writer, count(*) FROM public.notes GROUP BY 1;
        SELECT lo_from_bytea(0, decode(repeat('00ff10', 3000), 'hex'));
        """;

    private readonly Lazy<Task<PostgresServer>> _server = new(() => PostgresServer.StartAsync());
    private readonly Lazy<Task<byte[]>> _sample;
    private int _names;

    public Workbench() => _sample = new(MakeSampleAsync);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public Task<PostgresServer> ServerAsync() => PostgresFixture.OrSkipAsync(() => _server.Value);

    /// <summary>A small real archive.</summary>
    public Task<byte[]> SampleAsync() => PostgresFixture.OrSkipAsync(() => _sample.Value);

    public string Unique(string name) => $"{name}_{Interlocked.Increment(ref _names)}";

    /// <summary>A database with the sample's content.</summary>
    public async Task<TestDatabase> CreateSampleDatabaseAsync(string more = "")
    {
        var server = await ServerAsync();
        var database = await server.CreateDatabaseAsync(Unique("sample"), cancel: Cancel);
        await database.ExecuteAsync(SampleSql + more, Cancel);
        return database;
    }

    public static Task<BackupInfo> BackUpAsync(TestDatabase database, string folder, Func<BackupOptions, BackupOptions>? change = null,
        IOperationObserver? observer = null, Action<MoltException>? onProblem = null, CancellationToken? cancel = null)
        => Workshop.BackUpAsync(database.Uri, folder, change, observer ?? new Listener(), onProblem ?? (_ => { }), cancel ?? Cancel);

    public static Task<VerificationResult> VerifyAsync(byte[] archive, VerificationLevel level = VerificationLevel.Full, string? tools = null) =>
        VerificationOperation.RunAsync(new MemoryStore(archive), "memory.tar", new VerificationOptions { Level = level, ClientToolFolder = tools, Jobs = 2 }, new Listener(), Cancel);

    public async Task<RestoreResult> RestoreAsync(byte[] archive, string target, Func<RestoreOptions, RestoreOptions>? change = null,
        IOperationObserver? observer = null, CancellationToken? cancel = null)
    {
        var server = await ServerAsync();
        return await Workshop.RestoreAsync(new MemoryStore(archive), "memory.tar", server.Uri(), target, change, observer ?? new Listener(), cancel ?? Cancel);
    }

    /// <summary>That an operation which ended has left nothing on the server, among our processes and in the temporary folder.</summary>
    public async Task ExpectNothingLeftAsync(string? folder = null, params string[] databases)
    {
        var server = await ServerAsync();
        await EventuallyAsync("sessions", () => server.ScalarAsync<string>(
            "SELECT coalesce(string_agg(format('%s (%s) %s', application_name, state, query), '; '), '') FROM pg_stat_activity WHERE application_name LIKE 'MoltBeat%'", cancel: Cancel));
        await EventuallyAsync("locks", () => server.ScalarAsync<string>("SELECT coalesce(string_agg(locktype, '; '), '') FROM pg_locks WHERE locktype = 'advisory'", cancel: Cancel));
        await EventuallyAsync("children", () => Task.FromResult(string.Join("; ", Children(server))));
        await EventuallyAsync("temporary files", () => Task.FromResult(string.Join("; ", Directory.GetFiles(Path.GetTempPath(), "molt-*").Where(f => Path.GetFileName(f).Length == 37))));
        var unwanted = string.Join(" OR ", databases.Select(d => $"datname = {Sql.Literal(d)}").Prepend("datname LIKE 'molt\\_restoring\\_%'"));
        Assert.Equal("", await server.ScalarAsync<string>($"SELECT coalesce(string_agg(datname, '; '), '') FROM pg_database WHERE {unwanted}", cancel: Cancel));
        if (folder is not null)
        {
            Assert.Empty(Directory.GetFiles(folder, "*.partial"));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated && _server.Value.IsCompletedSuccessfully)
        {
            await (await _server.Value).DisposeAsync();
        }
    }

    /// <summary>Waits, within reason, until there is nothing.</summary>
    public static async Task EventuallyAsync(string what, Func<Task<string>> read)
    {
        var left = "";
        for (var attempt = 0; attempt < 100; attempt++)
        {
            if ((left = await read()).Length == 0)
            {
                return;
            }

            await Task.Delay(100, Cancel);
        }

        Assert.Fail($"{what} left: {left}");
    }

    /// <summary>Client programs that have been told of our server.</summary>
    public static IEnumerable<string> Children(PostgresServer server)
    {
        foreach (var folder in Directory.GetDirectories("/proc").Where(f => char.IsAsciiDigit(Path.GetFileName(f)[0])))
        {
            string environment, command;
            try
            {
                environment = File.ReadAllText(Path.Combine(folder, "environ"));
                command = File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' ');
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue; // it has ended, or is another user's
            }

            if (environment.Split('\0').Contains($"PGPORT={server.Port}") && command.Length > 0)
            {
                yield return command;
            }
        }
    }

    private async Task<byte[]> MakeSampleAsync()
    {
        var folder = Directory.CreateTempSubdirectory("molt-sample-").FullName;
        try
        {
            await using var database = await CreateSampleDatabaseAsync();
            return await File.ReadAllBytesAsync((await BackUpAsync(database, folder)).Path, Cancel);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>A folder of PostgreSQL's client programs in which some are not what they should be.</summary>
internal sealed class FakeTools : IDisposable
{
    private static readonly string[] s_all = ["pg_dump", "pg_dumpall", "pg_restore", "psql"];

    public FakeTools()
    {
        Real = ClientTools.Find(0).Folder;
        foreach (var tool in s_all)
        {
            Replace(tool, $"exec \"{Real}/{tool}\" \"$@\"");
        }
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("molt-tools-").FullName;

    /// <summary>Where the true ones are.</summary>
    public string Real { get; }

    /// <summary>Once this file is there, scripts that wait for it go on.</summary>
    public string Go => Path.Combine(Folder, "go");

    /// <summary>Is there as soon as a script that waits has begun to.</summary>
    public string Waiting => Path.Combine(Folder, "waiting");

    /// <summary>Shell that waits for <see cref="Go"/>.</summary>
    public string Wait => $"touch '{Waiting}'; while [ ! -e '{Go}' ]; do sleep 0.05; done";

    /// <param name="tool">The program.</param>
    /// <param name="script">Bash that runs in its place, except for --version; <c>$real</c> is the true one.</param>
    /// <param name="when">Only when this word is among the arguments.</param>
    public void Replace(string tool, string script, string? when = null)
    {
        var path = Path.Combine(Folder, tool);
        File.WriteAllText(path, $"""
            #!/bin/bash
            set -o pipefail
            real='{Real}/{tool}'
            case "$*" in --version) exec "$real" --version ;; esac
            {(when is null ? "" : $"case \" $* \" in *' {when} '*) ;; *) exec \"$real\" \"$@\" ;; esac")}
            {script}

            """);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    public async Task UntilWaitingAsync(Task operation)
    {
        while (!File.Exists(Waiting))
        {
            Assert.False(operation.IsCompleted, "It ended before it came so far: " + operation.Exception);
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    public void LetGo() => File.WriteAllText(Go, "");

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
