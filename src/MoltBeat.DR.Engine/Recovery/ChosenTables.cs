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
    private readonly HashSet<uint> whole;
    private readonly HashSet<uint> kept;
    private readonly HashSet<string> keptNames;
    private readonly Dictionary<(uint Catalog, uint Oid), List<uint>> owners = [];

    private ChosenTables(Contents contents, List<Relation> relations, HashSet<uint> whole, HashSet<uint> kept)
    {
        Rows = contents.Tables.Where(t => whole.Contains(t.Oid)).ToList();
        LeftToPgDump = contents.LeftToPgDump.Where(t => whole.Contains(t.Oid)).ToList();
        this.whole = whole;
        this.kept = kept;
        keptNames = relations.Where(r => kept.Contains(r.Oid)).Select(r => SqlName.Quote(r.Schema, r.Name)).ToHashSet(StringComparer.Ordinal);
        foreach (var relation in relations)
        {
            foreach (var item in relation.Objects)
            {
                if (!owners.TryGetValue((item.Catalog, item.Oid), out var list))
                {
                    owners.Add((item.Catalog, item.Oid), list = []);
                }

                list.Add(relation.Oid);
            }
        }
    }

    /// <summary>The tables whose rows are restored from parts.</summary>
    public List<TableContents> Rows { get; }

    /// <summary>The others that were chosen: what they hold, if anything, comes out of the dump.</summary>
    public List<OtherTable> LeftToPgDump { get; }

    /// <param name="contents">The backup's contents.</param>
    /// <param name="patterns">As <see cref="TablePatterns.Select"/> takes them; a partitioned table brings all of its partitions.</param>
    /// <exception cref="MoltException"><c>TableNotFound</c>.</exception>
    public static ChosenTables Of(Contents contents, IReadOnlyList<string> patterns)
    {
        var relations = contents.Tables.Select(t => new Relation(t.Oid, t.Schema, t.Name, false, t.Parents, t.Objects))
            .Concat(contents.LeftToPgDump.Select(t => new Relation(t.Oid, t.Schema, t.Name, t.Partitioned, t.Parents, t.Objects))).ToList();
        string Shown(string name) => ByteText.Shown(name, contents.Database.Encoding);
        var whole = TablePatterns.Select(patterns, relations, "Table", r => (Shown(r.Schema), Shown(r.Name))).Select(r => r.Oid).ToHashSet();
        var partitioned = relations.Where(r => r.Partitioned).Select(r => r.Oid).ToHashSet();
        Spread(relations, r => !whole.Contains(r.Oid) && r.Parents.Any(p => partitioned.Contains(p) && whole.Contains(p)), r => whole.Add(r.Oid));

        // One is whole as well when all of its partitions were named.
        var partitions = relations.SelectMany(r => r.Parents.Where(partitioned.Contains).Select(p => (Parent: p, r.Oid))).ToLookup(x => x.Parent, x => x.Oid);
        Spread(relations, r => r.Partitioned && !whole.Contains(r.Oid) && partitions[r.Oid].Any() && partitions[r.Oid].All(whole.Contains), r => whole.Add(r.Oid));

        // A child or partition cannot be without its parents; their rows are not asked for.
        var kept = whole.ToHashSet();
        var children = relations.SelectMany(r => r.Parents.Select(p => (Parent: p, r.Oid))).ToLookup(x => x.Parent, x => x.Oid);
        Spread(relations, r => !kept.Contains(r.Oid) && children[r.Oid].Any(kept.Contains), r => kept.Add(r.Oid));
        return new ChosenTables(contents, relations, whole, kept);
    }

    /// <summary>Drops the tables that were not chosen.</summary>
    public async Task DropOthersAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // A sequence goes with the table that owns it, and with the sequence the default of another table that uses it.
        var free = new HashSet<string>(StringComparer.Ordinal);
        await DatabaseCatalog.ReadAsync(connection, """
            SELECT sn.nspname::text, s.relname::text, un.nspname::text, u.relname::text, n.nspname::text, o.relname::text
            FROM pg_catalog.pg_depend own
              JOIN pg_catalog.pg_class s ON s.oid = own.objid AND s.relkind = 'S' JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
              JOIN pg_catalog.pg_class o ON o.oid = own.refobjid JOIN pg_catalog.pg_namespace n ON n.oid = o.relnamespace
              JOIN pg_catalog.pg_depend use ON use.refclassid = 'pg_catalog.pg_class'::regclass AND use.refobjid = s.oid AND use.classid = 'pg_catalog.pg_attrdef'::regclass
              JOIN pg_catalog.pg_attrdef d ON d.oid = use.objid
              JOIN pg_catalog.pg_class u ON u.oid = d.adrelid JOIN pg_catalog.pg_namespace un ON un.oid = u.relnamespace
            WHERE own.classid = 'pg_catalog.pg_class'::regclass AND own.refclassid = 'pg_catalog.pg_class'::regclass AND own.deptype = 'a' AND d.adrelid <> o.oid
            """, row =>
        {
            if (keptNames.Contains(SqlName.Quote(row.GetString(2), row.GetString(3))) && !keptNames.Contains(SqlName.Quote(row.GetString(4), row.GetString(5))))
            {
                free.Add(SqlName.Quote(row.GetString(0), row.GetString(1)));
            }
        }, cancellationToken).ConfigureAwait(false);
        foreach (var sequence in free)
        {
            await DatabaseCatalog.ExecuteAsync(connection, $"ALTER SEQUENCE {sequence} OWNED BY NONE", cancellationToken).ConfigureAwait(false);
        }

        foreach (var table in await DatabaseCatalog.TablesAsync(connection, cancellationToken).ConfigureAwait(false))
        {
            if (!keptNames.Contains(table.QuotedName) && !table.ExtensionMember)
            {
                await DatabaseCatalog.ExecuteAsync(connection, $"DROP {(table.Kind == 'f' ? "FOREIGN " : "")}TABLE IF EXISTS {table.QuotedName} CASCADE", cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Sequences' values; to be restored while all sequences are there, since the list has no oids of them.</summary>
    public static List<DumpEntry> SequenceValues(DumpList list) => list.Entries.Where(e => e.Kind == "SEQUENCE SET").ToList();

    /// <summary>Rows of chosen tables that are in the dump itself.</summary>
    public List<DumpEntry> Data(DumpList list) => list.Entries.Where(e => e.Kind == "TABLE DATA" && whole.Contains(e.Oid)).ToList();

    /// <summary>Of the post-data section: what belongs to kept tables alone.</summary>
    /// <param name="list">The dump's table of contents.</param>
    /// <param name="leftOut">What belongs to a chosen table but needs another one too: foreign keys, policies, rules.</param>
    public List<DumpEntry> PostData(DumpList list, out List<string> leftOut)
    {
        leftOut = [];
        var entries = new List<DumpEntry>();
        var taken = new HashSet<int>();
        var known = new HashSet<int>();
        foreach (var entry in list.Entries)
        {
            bool take;
            switch (entry.Kind)
            {
                case "INDEX" or "CONSTRAINT" or "FK CONSTRAINT" or "TRIGGER" or "RULE" or "POLICY" or "STATISTICS":
                    var of = owners.GetValueOrDefault((entry.Catalog, entry.Oid)) ?? [];
                    take = of.Count > 0 && of.TrueForAll(entry.Kind == "FK CONSTRAINT" ? whole.Contains : kept.Contains);
                    if (!take && of.Exists(whole.Contains))
                    {
                        leftOut.Add($"{entry.Kind} {entry.Rest}");
                    }

                    break;
                case "ROW SECURITY":
                    take = kept.Contains(entry.Oid);
                    break;
                case "INDEX ATTACH" or "COMMENT":
                    // They have no oid of their own, but depend on the indexes, or on what is commented on.
                    take = entry.DependsOn.Any(known.Contains) && entry.DependsOn.Where(known.Contains).All(taken.Contains);
                    break;
                default:
                    continue;
            }

            known.Add(entry.Id);
            if (take)
            {
                entries.Add(entry);
                taken.Add(entry.Id);
            }
        }

        return entries;
    }

    /// <summary>Repeats until no relation is found any more: chains of parents and children may be long.</summary>
    private static void Spread(List<Relation> relations, Func<Relation, bool> next, Action<Relation> add)
    {
        while (relations.Where(next).ToList() is { Count: > 0 } found)
        {
            found.ForEach(add);
        }
    }

    private sealed record Relation(uint Oid, string Schema, string Name, bool Partitioned, IReadOnlyList<uint> Parents, IReadOnlyList<TableObject> Objects);
}
