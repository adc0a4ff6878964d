using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>
/// A restore of chosen tables: the whole schema is made first, because only the server knows what a table's types, defaults
/// and functions need; then every other table goes, with what depends on it.
/// </summary>
internal sealed class ChosenTables
{
    private readonly HashSet<uint> kept;
    private readonly Dictionary<(uint Catalog, uint Oid), List<TableContents>> owners = [];

    private ChosenTables(List<TableContents> rows, HashSet<uint> kept, IReadOnlyList<TableContents> all)
    {
        Rows = rows;
        this.kept = kept;
        foreach (var table in all)
        {
            foreach (var item in table.Objects)
            {
                if (!owners.TryGetValue((item.Catalog, item.Oid), out var list))
                {
                    owners.Add((item.Catalog, item.Oid), list = []);
                }

                list.Add(table);
            }
        }
    }

    /// <summary>The tables whose rows are restored.</summary>
    public List<TableContents> Rows { get; }

    /// <param name="contents">The backup's contents.</param>
    /// <param name="patterns">As <see cref="TablePatterns.Select"/> takes them.</param>
    /// <exception cref="MoltException"><c>TableNotFound</c>.</exception>
    public static ChosenTables Of(Contents contents, IReadOnlyList<string> patterns)
    {
        var rows = TablePatterns.Select(patterns, contents.Tables, "Table", t => (t.Schema, t.Name));

        // A child or partition cannot be without its parents; their rows are not asked for.
        var kept = rows.Select(t => t.Oid).ToHashSet();
        var parents = contents.Tables.ToDictionary(t => t.Oid, t => t.Parents);
        var queue = new Queue<uint>(kept);
        while (queue.TryDequeue(out var oid))
        {
            foreach (var parent in parents.GetValueOrDefault(oid) ?? [])
            {
                if (kept.Add(parent))
                {
                    queue.Enqueue(parent);
                }
            }
        }

        return new ChosenTables(rows, kept, contents.Tables);
    }

    /// <summary>Drops the tables that were not chosen.</summary>
    public async Task DropOthersAsync(NpgsqlConnection connection, Contents contents, CancellationToken cancellationToken)
    {
        var names = contents.Tables.Where(t => kept.Contains(t.Oid)).Select(t => t.QuotedName).ToHashSet(StringComparer.Ordinal);
        var drop = new List<string>();
        foreach (var table in await DatabaseCatalog.TablesAsync(connection, cancellationToken).ConfigureAwait(false))
        {
            // A partitioned parent has no rows, hence no entry in the contents: it stays when a child of it does.
            if (!names.Contains(table.QuotedName) && table.Kind != 'p' && !table.ExtensionMember)
            {
                drop.Add(table.QuotedName);
            }
        }

        foreach (var name in drop)
        {
            await DatabaseCatalog.ExecuteAsync(connection, $"DROP TABLE IF EXISTS {name} CASCADE", cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Of the data section: sequences that are still there.</summary>
    public static async Task<List<DumpEntry>> DataAsync(NpgsqlConnection connection, DumpList list, CancellationToken cancellationToken)
    {
        var sequences = new HashSet<string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(connection, """
            SELECT n.nspname || ' ' || c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'S'
            """, row => sequences.Add(row.GetString(0)), cancellationToken).ConfigureAwait(false);
        return list.Entries.Where(e => e.Kind == "SEQUENCE SET" && e.Rest.LastIndexOf(' ') is > 0 and var owner && sequences.Contains(e.Rest[..owner])).ToList();
    }

    /// <summary>Of the post-data section: what belongs to kept tables alone.</summary>
    /// <param name="list">The dump's table of contents.</param>
    /// <param name="leftOut">Foreign keys that refer to a table that was not chosen, or whose rows were not.</param>
    public List<DumpEntry> PostData(DumpList list, out List<string> leftOut)
    {
        leftOut = [];
        var entries = new List<DumpEntry>();
        foreach (var entry in list.Entries)
        {
            if (entry.Kind is not ("INDEX" or "CONSTRAINT" or "FK CONSTRAINT" or "TRIGGER" or "RULE" or "POLICY" or "STATISTICS")
                || !owners.TryGetValue((entry.Catalog, entry.Oid), out var tables))
            {
                continue;
            }

            if (tables.TrueForAll(t => Rows.Contains(t)))
            {
                entries.Add(entry);
            }
            else if (entry.Kind == "FK CONSTRAINT" && tables.Exists(t => Rows.Contains(t)))
            {
                leftOut.Add(entry.Rest);
            }
        }

        return entries;
    }
}
