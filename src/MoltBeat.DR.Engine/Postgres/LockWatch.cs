using System.Globalization;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// Somebody who wants a table for himself, and has to wait for the backup's lock on it, stands in the way of all who come
/// later: of pg_dump too, when it has not locked the table yet. Both would wait for ever. Only letting go of all locks,
/// and of the snapshot with them, helps.
/// </summary>
internal static class LockWatch
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    /// <summary>Watches until it is stopped.</summary>
    /// <exception cref="EntangledException">pg_dump waits for somebody who waits for the session.</exception>
    public static async Task WatchAsync(PinnedServer server, int holder, CancellationToken cancellationToken)
    {
        var connection = await server.OpenAsync(new SessionOptions("backup"), cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(server.Version.Major * 10000, TimeSpan.Zero), cancellationToken).ConfigureAwait(false);
            while (true)
            {
                await Task.Delay(Interval, cancellationToken).ConfigureAwait(false);
                await DatabaseCatalog.ReadAsync(connection, string.Create(CultureInfo.InvariantCulture, $"""
                    SELECT ddl.pid
                    FROM pg_catalog.pg_stat_activity waiting, unnest(pg_blocking_pids(waiting.pid)) ddl (pid)
                    WHERE waiting.datname = current_database() AND waiting.usename = session_user AND waiting.wait_event_type = 'Lock'
                      AND waiting.query LIKE 'LOCK TABLE %' AND {holder} = ANY (pg_blocking_pids(ddl.pid))
                    """), row => throw new EntangledException(row.GetInt32(0)), cancellationToken).ConfigureAwait(false);
            }
        }
    }
}

/// <param name="process">The server process of the one who waits.</param>
internal sealed class EntangledException(int process) : Exception
{
    public int Process { get; } = process;
}
