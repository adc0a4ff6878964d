using System.Globalization;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>
/// Ends the sessions in databases that another session is renaming, while that one holds the lock which new sessions wait for:
/// so none comes in after the last has gone.
/// </summary>
internal sealed class SessionEnding(NpgsqlConnection session, int renamer, IReadOnlyList<uint> databases)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(30);
    private readonly Dictionary<int, EndedSession> ended = [];
    private readonly Dictionary<int, string> refused = [];

    public IReadOnlyList<EndedSession> Ended => [.. ended.Values];

    /// <summary>Sessions that this role may not end.</summary>
    public IReadOnlyList<string> Refused => [.. refused.Values];

    /// <summary>Goes on until it is stopped.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        // Not to be stopped within a command: the session is still needed.
        while (!stop.IsCancellationRequested)
        {
            await OnceAsync().ConfigureAwait(false);
            await Task.Delay(Pause, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task OnceAsync()
    {
        // An autovacuum worker, which is nobody's, is ended by the renaming itself; a parallel worker ends with its leader.
        var found = new List<EndedSession>();
        await DatabaseCatalog.ReadAsync(session, string.Create(CultureInfo.InvariantCulture, $"""
            SELECT a.pid, coalesce(a.usename, '')::text, coalesce(a.application_name, ''), coalesce(host(a.client_addr), '')
            FROM pg_catalog.pg_stat_activity a
            WHERE a.datid IN ({string.Join(", ", databases)}) AND a.usesysid IS NOT NULL AND coalesce(a.backend_type, '') <> 'parallel worker' AND a.pid NOT IN ({renamer}, pg_backend_pid())
              AND EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = {renamer} AND l.granted AND l.locktype = 'object'
                          AND l.classid = 'pg_catalog.pg_database'::regclass AND l.objid = a.datid AND l.mode = 'AccessExclusiveLock')
            """), row => found.Add(new EndedSession(row.GetInt32(0), row.GetString(1), row.GetString(2), row.GetString(3))), CancellationToken.None).ConfigureAwait(false);
        foreach (var one in found)
        {
            try
            {
                await DatabaseCatalog.ExecuteAsync(session, string.Create(CultureInfo.InvariantCulture, $"SELECT pg_terminate_backend({one.ProcessId})"), CancellationToken.None).ConfigureAwait(false);
                ended[one.ProcessId] = one;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
            {
                refused[one.ProcessId] = $"{one}: {e.MessageText}";
            }
        }
    }
}
