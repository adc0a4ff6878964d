using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>The databases of a server that were replaced and kept, and how they are called.</summary>
internal static class PreviousDatabases
{
    /// <summary>Bytes that PostgreSQL's names have at most.</summary>
    private const int LongestName = 63;

    /// <summary>All of them, the newest first; found by their mark and never by their name.</summary>
    /// <param name="connection">A session in any database of the server.</param>
    /// <param name="server">To be named.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    public static async Task<IReadOnlyList<(PreviousDatabase Database, ReplacementMark Mark)>> ListAsync(NpgsqlConnection connection, PinnedServer server, CancellationToken cancellationToken)
    {
        var found = new List<(PreviousDatabase, ReplacementMark)>();
        var cluster = await SystemIdentifierAsync(connection, cancellationToken).ConfigureAwait(false);
        await DatabaseCatalog.ReadAsync(connection, """
            SELECT d.oid, d.datname::text, shobj_description(d.oid, 'pg_database'),
                   CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_database_size(d.oid) END,
                   (SELECT count(*)::int FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid AND a.usesysid IS NOT NULL)
            FROM pg_catalog.pg_database d WHERE shobj_description(d.oid, 'pg_database') IS NOT NULL
            """, row =>
        {
            if (ReplacementMark.Read(row.GetString(2), row.GetFieldValue<uint>(0), cluster) is { } mark)
            {
                found.Add((new PreviousDatabase
                {
                    Name = row.GetString(1),
                    Of = mark.Of,
                    Replaced = mark.At,
                    BackupId = mark.By,
                    Oid = mark.Oid,
                    Size = row.IsDBNull(3) ? null : row.GetInt64(3),
                    Sessions = row.GetInt32(4),
                    Server = server.Settings.WithDatabase(row.GetString(1)).Describe(),
                }, mark));
            }
        }, cancellationToken).ConfigureAwait(false);
        return found.OrderByDescending(f => f.Item1.Replaced).ThenByDescending(f => f.Item1.Name, StringComparer.Ordinal).ToList();
    }

    /// <summary>A name for the database that is replaced which nobody has: with the time, and with a number when need be.</summary>
    public static async Task<string> FreeNameAsync(NpgsqlConnection connection, string database, DateTimeOffset time, CancellationToken cancellationToken)
    {
        var taken = new HashSet<string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(connection, "SELECT datname::text FROM pg_catalog.pg_database", row => taken.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        for (var i = 1; ; i++)
        {
            var name = NameFor(database, time.UtcDateTime.ToString("'_before_'yyyyMMdd_HHmmss", CultureInfo.InvariantCulture) + (i == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"_{i}")));
            if (!taken.Contains(name))
            {
                return name;
            }
        }
    }

    /// <summary>As PostgreSQL's own number for the cluster; null when the role may not ask.</summary>
    public static async Task<string?> SystemIdentifierAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            return await DatabaseCatalog.ScalarAsync<string>(connection, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()", cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            return null;
        }
    }

    /// <summary>The name, cut at a whole character so that it fits with what follows.</summary>
    internal static string NameFor(string database, string suffix)
    {
        var runes = database.EnumerateRunes().ToList();
        var bytes = runes.Sum(r => r.Utf8SequenceLength);
        while (bytes + suffix.Length > LongestName)
        {
            bytes -= runes[^1].Utf8SequenceLength;
            runes.RemoveAt(runes.Count - 1);
        }

        return runes.Aggregate(new StringBuilder(), (text, rune) => text.Append(rune)).Append(suffix).ToString();
    }
}
