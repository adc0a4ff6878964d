using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Archive.Dumps;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Dumps;

/// <summary>
/// What can be said of the rows that a dump has brought: that each table holds as many as the dump has lines for it. A dump
/// has no digests; whether the rows are the same ones, nobody can tell.
/// </summary>
/// <param name="Tables">Counted.</param>
/// <param name="NotCompared">What could not be counted, with the reason.</param>
internal sealed record DumpCount(IReadOnlyList<RestoredTable> Tables, IReadOnlyList<string> NotCompared)
{
    /// <exception cref="MoltException"><c>ProofFailed</c> when a table holds another number of rows.</exception>
    public static async Task<DumpCount> RunAsync(PinnedServer work, int serverVersion, Contents contents, DumpScanner scanner, RestoreOptions options, CancellationToken cancellationToken)
    {
        var notCompared = new List<string> { "the rows themselves: a dump has no digests to hold them against" };
        if (scanner.Inserts > 0)
        {
            notCompared.Add(string.Create(CultureInfo.InvariantCulture, $"rows that came as {scanner.Inserts:N0} INSERT statements"));
        }

        // As the names come back to us: a session of the database's own encoding would give bytes for SQL_ASCII only.
        var connection = await work.OpenAsync(new SessionOptions("restore").In(contents.Database.Encoding), cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(serverVersion, TimeSpan.Zero), cancellationToken).ConfigureAwait(false);
            await DatabaseCatalog.ExecuteAsync(connection, "ANALYZE", cancellationToken).ConfigureAwait(false);
            if (options.SkipProof)
            {
                return new DumpCount(scanner.Tables.Select(t => new RestoredTable($"{t.Schema}.{t.Name}", t.Rows, "", false)).ToList(), notCompared);
            }

            // An extension fills some of its tables itself, and a view's rule may take rows elsewhere.
            var plain = new Dictionary<string, bool>(StringComparer.Ordinal);
            await DatabaseCatalog.ReadAsync(connection, """
                SELECT n.nspname::text, c.relname::text, c.relkind = 'p' FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'p') AND NOT c.relforcerowsecurity
                  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
                """, row => plain[SqlName.Quote(row.GetString(0), row.GetString(1))] = row.GetBoolean(2), cancellationToken).ConfigureAwait(false);
            var tables = new List<RestoredTable>();
            var problems = new List<string>();
            foreach (var table in scanner.Tables)
            {
                var name = SqlName.Quote(table.Schema, table.Name);
                if (!plain.TryGetValue(name, out var partitioned))
                {
                    tables.Add(new RestoredTable($"{table.Schema}.{table.Name}", table.Rows, "", false));
                    notCompared.Add($"{table.Schema}.{table.Name}: an extension's, under forced row-level security, or of a name that cannot be compared");
                    continue;
                }

                var rows = await DatabaseCatalog.ScalarAsync<long>(connection, $"SELECT count(*) FROM {(partitioned ? "" : "ONLY ")}{SqlName.QuoteIn(contents.Database.Encoding, table.Schema, table.Name)}", cancellationToken).ConfigureAwait(false);
                tables.Add(new RestoredTable($"{table.Schema}.{table.Name}", rows, "", false));
                if (rows != table.Rows)
                {
                    problems.Add(string.Create(CultureInfo.InvariantCulture, $"{table.Schema}.{table.Name} has {rows:N0} rows, the dump {table.Rows:N0}"));
                }
            }

            return problems.Count == 0 ? new DumpCount(tables, notCompared)
                : throw new MoltException("ProofFailed", ErrorKind.InvalidData, $"What was restored into {options.TargetDatabase} is not what the dump holds: {string.Join("; ", problems.Take(20))}.",
                    "Restore again with -KeepFailed and compare; if the server is sound, use another backup.", problems);
        }
    }
}
