using System.Diagnostics;

namespace MoltBeat.TestServers;

/// <summary>A hot standby of a running server.</summary>
public sealed class StandbyServer : IAsyncDisposable
{
    private readonly PostgresServer _primary;

    private StandbyServer(PostgresServer primary, PostgresServer server)
    {
        _primary = primary;
        Server = server;
    }

    /// <summary>The standby itself: read-only, with the primary's databases, roles and passwords.</summary>
    public PostgresServer Server { get; }

    /// <summary>Takes a base backup of <paramref name="primary"/> and starts a standby from it.</summary>
    /// <param name="primary">A server of this machine's own version, as <c>pg_basebackup</c> is of that version.</param>
    /// <param name="cancel">Ends the attempt.</param>
    public static async Task<StandbyServer> StartAsync(PostgresServer primary, CancellationToken cancel = default)
    {
        var server = await PostgresServer.StartStandbyAsync(primary, PostgresBinaries.Find(), cancel).ConfigureAwait(false);
        return new StandbyServer(primary, server);
    }

    /// <summary>Waits until all that the primary has written by now can be read here.</summary>
    public async Task WaitForReplayAsync(CancellationToken cancel = default)
    {
        var target = await _primary.ScalarAsync<string>("SELECT pg_current_wal_insert_lsn()::text", cancel: cancel).ConfigureAwait(false);
        var clock = Stopwatch.StartNew();
        while (!await Server.ScalarAsync<bool>($"SELECT pg_last_wal_replay_lsn() >= '{target}'", cancel: cancel).ConfigureAwait(false))
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(60))
                throw new TestServerException($"The standby did not replay up to {target}: {Server.Log}");
            await Task.Delay(20, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Stops or continues the replay, so that the standby falls behind.</summary>
    public Task PauseReplayAsync(bool pause, CancellationToken cancel = default) =>
        Server.ExecuteAsync(pause ? "SELECT pg_wal_replay_pause()" : "SELECT pg_wal_replay_resume()", cancel: cancel);

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
