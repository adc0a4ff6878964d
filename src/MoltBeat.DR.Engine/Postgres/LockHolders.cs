using System.Globalization;
using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Who has locked tables for himself alone.</summary>
internal static class LockHolders
{
    /// <summary>The error for a lock that was not granted in time, with who holds it.</summary>
    /// <param name="connection">A session outside of any transaction.</param>
    /// <param name="waited">How long it was waited.</param>
    /// <param name="wanted">What was to be locked, for when nobody is found any more: <c>one of 3 tables, among them x</c>.</param>
    /// <param name="cancellationToken">Stops the looking.</param>
    public static async Task<MoltException> TimeoutAsync(NpgsqlConnection connection, TimeSpan waited, string wanted, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        await DatabaseCatalog.ReadAsync(connection, """
            SELECT DISTINCT format('%I.%I', n.nspname, c.relname), string_agg(DISTINCT l.pid::text, ', ')
            FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            WHERE l.mode = 'AccessExclusiveLock' AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
              AND c.relkind IN ('r', 'p') AND l.pid <> pg_backend_pid() AND n.nspname !~ '^pg_'
            GROUP BY 1
            """, row => names.Add($"{row.GetString(0)} (server process {row.GetString(1)})"), cancellationToken).ConfigureAwait(false);
        var seconds = waited.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);
        return new MoltException("LockTimeout", ErrorKind.Timeout,
            names.Count > 0 ? $"No lock within {seconds} s: held exclusively are {string.Join(", ", names)}." : $"No lock within {seconds} s on {wanted}.",
            "Let that transaction end, or give -LockTimeout more time.", connection.Database);
    }
}
