using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Recovery.Checks;
using MoltBeat.DR.Engine.Recovery.Replacement;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Replacement;

/// <summary>A server for tests of replacing, one after another: they look at all its sessions and databases.</summary>
[CollectionDefinition(Name)]
public sealed class ReplaceBench : ICollectionFixture<ReplaceBench>, IAsyncDisposable
{
    public const string Name = "replacing";

    /// <summary>Rows of the table <c>state</c>, all of which say the same, or else it is not whole.</summary>
    public const int Rows = 5000;

    private readonly Lazy<Task<PostgresServer>> _server = new(() => PostgresServer.StartAsync(new PostgresOptions { Configuration = ["max_prepared_transactions = 5", "wal_level = logical"] }));
    private int _names;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public Task<PostgresServer> ServerAsync() => PostgresFixture.OrSkipAsync(() => _server.Value);

    public string Unique(string name) => $"{name}_{Interlocked.Increment(ref _names)}";

    /// <summary>A database whose backup says "backup" in every row, while it says "live" itself.</summary>
    internal async Task<(TestDatabase Database, BackupInfo Backup)> MakeAsync(Workshop workshop, string? name = null, string more = "")
    {
        var database = await (await ServerAsync()).CreateDatabaseAsync(name ?? Unique("shop"), cancel: Cancel);
        await database.ExecuteAsync($"CREATE TABLE state (id int PRIMARY KEY, v text); INSERT INTO state SELECT i, 'backup' FROM generate_series(1, {Rows}) i; {more}", Cancel);
        var backup = await workshop.BackupAsync(database);
        await database.ExecuteAsync("UPDATE state SET v = 'live'", Cancel);
        return (database, backup);
    }

    internal static Task<RestoreResult> ReplaceAsync(Workshop workshop, TestDatabase database, BackupInfo backup, Func<RestoreOptions, RestoreOptions>? with = null, string? uri = null, IOperationObserver? observer = null)
        => Workshop.RestoreAsync(workshop.Store, backup.Name, uri ?? database.Uri, database.Name, o => (with ?? (x => x))(o with { Replace = true }), observer ?? workshop, Cancel);

    internal static Task<RestoreReadiness> TestAsync(Workshop workshop, string uri, BackupInfo backup, string target, Func<RestoreOptions, RestoreOptions>? with = null)
    {
        var options = new RestoreOptions { Connection = ConnectionSettings.Parse(uri), TargetDatabase = target, Jobs = 2, Replace = true };
        return RestoreOperation.TestAsync([(workshop.Store, backup.Name)], with?.Invoke(options) ?? options, workshop, Cancel);
    }

    internal static async Task<UndoResult> UndoAsync(string uri, string? previous = null)
        => (await UndoOperation.RunAsync(new UndoOptions { Connection = ConnectionSettings.Parse(uri), Previous = previous }, _ => Task.FromResult(true), new Listener(), Cancel))!;

    internal static Task<IReadOnlyList<PreviousDatabase>> PreviousAsync(string uri) => PreviousRemoval.ListAsync(ConnectionSettings.Parse(uri), Cancel);

    /// <summary>What the database's rows say; fails when they do not all say the same.</summary>
    internal static async Task<string> StateAsync(PostgresServer server, string database)
    {
        await using var connection = await server.OpenAsync(database, cancel: Cancel);
        return await StateAsync(connection);
    }

    internal static async Task<string> StateAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("SELECT format('%s %s %s', count(*), min(v), max(v)) FROM public.state", connection);
        var text = (string)(await command.ExecuteScalarAsync(Cancel))!;
        Assert.Contains(text, new[] { $"{Rows} live live", $"{Rows} backup backup" });
        return text.Split(' ')[1];
    }

    /// <summary>Drops a database and all that were put away for it.</summary>
    internal static async Task CleanAsync(TestDatabase database)
    {
        foreach (var previous in await PreviousAsync(database.Uri))
        {
            await database.Server.DropDatabaseAsync(previous.Name, Cancel);
        }

        await database.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated && _server.Value.IsCompletedSuccessfully)
        {
            await (await _server.Value).DisposeAsync();
        }
    }
}
