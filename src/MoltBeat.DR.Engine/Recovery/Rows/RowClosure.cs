using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>
/// Finds all rows of the backup that a row restore needs: those that are asked for, the missing ones that referred to a missing one
/// (dependents), and the missing ones that any of these refers to (parents). Follows the foreign keys of the living database.
/// </summary>
internal sealed class RowClosure(RowSession session, LiveSchema schema, RowLoader loader, RowRestoreOptions options)
{
    private readonly Dictionary<uint, RowUnit> units = [];
    private readonly Dictionary<LiveForeignKey, RowUnit> links = [];
    private readonly Dictionary<uint, List<(RowUnit Unit, RowCondition Condition)>> waiting = [];
    private List<uint> order = [];

    /// <summary>The tables, with the rows in their temporary tables.</summary>
    public IEnumerable<RowUnit> Units => units.Values;

    /// <summary>Tables where only references are put back.</summary>
    public IEnumerable<RowUnit> Links => links.Values;

    public IReadOnlyDictionary<uint, RowUnit> ByOid => units;

    /// <param name="live">The table that is asked for.</param>
    /// <param name="backup">The same in the backup; of a partition, that partition alone.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task RunAsync(LiveTable live, BackupTable backup, CancellationToken cancellationToken)
    {
        order = Order(schema.ForeignKeys, live.Oid);
        var root = units[live.Oid] = await RowUnit.MakeAsync(session, live, backup, null, cancellationToken).ConfigureAwait(false);
        await LoadAsync(root, 's', [new RowCondition(_ => options.Where)], cancellationToken).ConfigureAwait(false);
        if (options.IncludeDependents)
        {
            await DownAsync(cancellationToken).ConfigureAwait(false);
        }

        while (await UpAsync(cancellationToken).ConfigureAwait(false))
        {
            // Each round may bring rows that need others above them.
        }
    }

    /// <summary>Gives each row its state, as the session sees the living rows now.</summary>
    public static async Task ClassifyAsync(RowSession session, RowUnit unit, bool all, CancellationToken cancellationToken)
    {
        var these = all ? "true" : "r.state IS NULL";
        if (unit.Key is not null)
        {
            // A row is written again only when its state is another: rows may be long.
            await session.ExecuteAsync($"""
                UPDATE {unit.Rows} x SET state = n.state
                FROM (SELECT r.id, coalesce((SELECT CASE WHEN {unit.LivingText} = {unit.RowText} THEN 's' ELSE 'd' END FROM {unit.Live.From} t WHERE {unit.SameKey} LIMIT 1), 'm')::"char" AS state FROM {unit.Rows} r WHERE {these} OFFSET 0) n
                WHERE x.id = n.id AND x.state IS DISTINCT FROM n.state
                """, cancellationToken).ConfigureAwait(false);
            return;
        }

        // Equal rows are as many as they were: what lacks are the last of them.
        await session.ExecuteAsync($"""
            WITH backup AS MATERIALIZED (SELECT r.id, {unit.RowText} AS row, row_number() OVER (PARTITION BY {unit.RowText} ORDER BY r.id) AS n FROM {unit.Rows} r),
              living AS MATERIALIZED (SELECT l.row, count(*) AS n FROM (SELECT {unit.LivingText} AS row FROM {unit.Live.From} t) l WHERE l.row IN (SELECT b.row FROM backup b) GROUP BY 1)
            UPDATE {unit.Rows} r SET state = CASE WHEN b.n > coalesce(l.n, 0) THEN 'm' ELSE 's' END
            FROM backup b LEFT JOIN living l ON l.row = b.row WHERE r.id = b.id AND r.state IS DISTINCT FROM CASE WHEN b.n > coalesce(l.n, 0) THEN 'm' ELSE 's' END::"char"
            """, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Tables with those that others refer to first; where they go in a circle, as good as can be.</summary>
    private static List<uint> Order(List<LiveForeignKey> keys, uint first)
    {
        var parents = keys.Where(k => k.From != k.To).ToLookup(k => k.From, k => k.To);
        var seen = new HashSet<uint>();
        var order = new List<uint>();
        void Visit(uint table)
        {
            if (seen.Add(table))
            {
                foreach (var parent in parents[table])
                {
                    Visit(parent);
                }

                order.Add(table);
            }
        }

        Visit(first);
        foreach (var key in keys)
        {
            Visit(key.From);
            Visit(key.To);
        }

        return order;
    }

    private async Task DownAsync(CancellationToken cancellationToken)
    {
        await ExpandAsync(units.Values.Single(), cancellationToken).ConfigureAwait(false);

        // A table is read once for all that its parents want of it, if they are before it.
        while (waiting.Count > 0)
        {
            var next = order.First(waiting.ContainsKey);
            waiting.Remove(next, out var wanted);
            foreach (var unit in wanted!.GroupBy(w => w.Unit))
            {
                await LoadAsync(unit.Key, unit.Key.Link is null ? 'd' : 'l', unit.Select(w => w.Condition).ToList(), cancellationToken).ConfigureAwait(false);
            }

            if (units.TryGetValue(next, out var table))
            {
                await ExpandAsync(table, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Puts down what the rows of a table that are missing want of those that refer to it.</summary>
    private async Task ExpandAsync(RowUnit unit, CancellationToken cancellationToken)
    {
        foreach (var key in schema.ForeignKeys.Where(k => k.To == unit.Live.Oid))
        {
            if (!unit.Has(key.ToColumns))
            {
                continue;
            }

            var child = key.LetsGo ? await LinkOfAsync(key, cancellationToken).ConfigureAwait(false) : await UnitOfAsync(key.From, cancellationToken).ConfigureAwait(false);
            if (child is null || !child.Has(key.FromColumns))
            {
                continue;
            }

            var keys = session.NewName("keys");
            await session.ExecuteAsync($"""
                CREATE TEMPORARY TABLE {keys} AS SELECT DISTINCT {string.Join(", ", key.ToColumns.Select((c, i) => $"{unit.Row(c)} AS k{i}"))} FROM {unit.Rows} r
                WHERE r.state = 'm' AND NOT r.expanded AND {string.Join(" AND ", key.ToColumns.Select(c => $"{unit.Row(c)} IS NOT NULL"))}; ANALYZE {keys}
                """, cancellationToken).ConfigureAwait(false);
            if (await session.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM {keys})", cancellationToken).ConfigureAwait(false))
            {
                Await(key.From).Add((child, new RowCondition(
                    alias => $"EXISTS (SELECT FROM {keys} k WHERE {string.Join(" AND ", key.FromColumns.Select((c, i) => $"k.k{i} {key.Operators[i]} {alias}.{SqlName.Quote(c)}"))})",
                    keys, key.FromColumns.Select((c, i) => new KeyPair(c, $"k{i}", unit.Live.Column(key.ToColumns[i]).Type)).ToList())));
            }
        }

        if (schema.ForeignKeys.Exists(k => k.To == unit.Live.Oid))
        {
            await session.ExecuteAsync($"UPDATE {unit.Rows} r SET expanded = true WHERE r.state = 'm' AND NOT r.expanded", cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Brings missing rows that others refer to. False when there were none.</summary>
    private async Task<bool> UpAsync(CancellationToken cancellationToken)
    {
        var found = false;
        foreach (var oid in Enumerable.Reverse(order).Where(units.ContainsKey).ToList())
        {
            var unit = units[oid];
            foreach (var key in schema.ForeignKeys.Where(k => k.From == oid && unit.Has(k.FromColumns)))
            {
                var need = session.NewName("need");
                await session.ExecuteAsync($"CREATE TEMPORARY TABLE {need} AS {Orphans(unit, key, "r.state = 'm'" + (options.IncludeChanged ? " OR r.state = 'd' AND r.role <> 'p'" : ""), "true")}; ANALYZE {need}", cancellationToken).ConfigureAwait(false);
                if (!await session.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM {need})", cancellationToken).ConfigureAwait(false)
                    || await UnitOfAsync(key.To, cancellationToken).ConfigureAwait(false) is not { } parent || !parent.Has(key.ToColumns))
                {
                    continue;
                }

                var condition = new RowCondition(
                    alias => $"EXISTS (SELECT FROM {need} k WHERE {string.Join(" AND ", key.ToColumns.Select((c, i) => $"{alias}.{SqlName.Quote(c)} {key.Operators[i]} k.f{i}"))})",
                    need, key.ToColumns.Select((c, i) => new KeyPair(c, $"f{i}", unit.Live.Column(key.FromColumns[i]).Type)).ToList());
                found |= await LoadAsync(parent, 'p', [condition], cancellationToken).ConfigureAwait(false) > 0;
            }
        }

        return found;
    }

    /// <summary>Values of a foreign key that neither a living row has nor one that is to come.</summary>
    /// <param name="unit">The referencing rows.</param>
    /// <param name="key">The key.</param>
    /// <param name="which">Which of these rows.</param>
    /// <param name="coming">Which of the referenced rows are to come.</param>
    public string Orphans(RowUnit unit, LiveForeignKey key, string which, string coming)
    {
        var parent = schema[key.To];
        var exists = units.TryGetValue(key.To, out var rows) && rows.Has(key.ToColumns)
            ? $"AND NOT EXISTS (SELECT FROM {rows.Rows} p WHERE ({coming}) AND {string.Join(" AND ", key.ToColumns.Select((c, i) => $"p.{rows.Place(c)} {key.Operators[i]} {unit.Row(key.FromColumns[i])}"))})" : "";
        return $"""
            SELECT DISTINCT {string.Join(", ", key.FromColumns.Select((c, i) => $"{unit.Row(c)} AS f{i}"))} FROM {unit.Rows} r
            WHERE ({which}) AND {string.Join(" AND ", key.FromColumns.Select(c => $"{unit.Row(c)} IS NOT NULL"))}
              AND NOT EXISTS (SELECT FROM {parent.From} t WHERE {string.Join(" AND ", key.ToColumns.Select((c, i) => $"{RowUnit.Living(c)} {key.Operators[i]} {unit.Row(key.FromColumns[i])}"))})
              {exists}
            """;
    }

    private async Task<long> LoadAsync(RowUnit unit, char role, List<RowCondition> conditions, CancellationToken cancellationToken)
    {
        var before = await session.ScalarAsync<long>($"SELECT count(*) FROM {unit.Rows}", cancellationToken).ConfigureAwait(false);
        foreach (var shape in unit.Shapes)
        {
            await loader.LoadAsync(shape, unit.Alias, conditions, unit.Loaded, unit.InsertOf(role), unit.Deterministic, cancellationToken).ConfigureAwait(false);
        }

        unit.Loaded.AddRange(conditions);
        await session.ExecuteAsync($"ANALYZE {unit.Rows}", cancellationToken).ConfigureAwait(false);
        await ClassifyAsync(session, unit, all: unit.Key is null, cancellationToken).ConfigureAwait(false);
        return await session.ScalarAsync<long>($"SELECT count(*) FROM {unit.Rows}", cancellationToken).ConfigureAwait(false) - before;
    }

    private List<(RowUnit, RowCondition)> Await(uint table)
    {
        if (!waiting.TryGetValue(table, out var list))
        {
            waiting.Add(table, list = []);
        }

        return list;
    }

    private async Task<RowUnit?> UnitOfAsync(uint oid, CancellationToken cancellationToken)
    {
        if (!units.TryGetValue(oid, out var unit) && Of(oid) is { } backup)
        {
            units.Add(oid, unit = await RowUnit.MakeAsync(session, schema[oid], backup, null, cancellationToken).ConfigureAwait(false));
        }

        return unit;
    }

    private async Task<RowUnit?> LinkOfAsync(LiveForeignKey key, CancellationToken cancellationToken)
    {
        if (!links.TryGetValue(key, out var unit) && schema[key.From].Key is not null && Of(key.From) is { } backup)
        {
            unit = await RowUnit.MakeAsync(session, schema[key.From], backup, key, cancellationToken).ConfigureAwait(false);
            if (unit.Key is null)
            {
                return null;
            }

            links.Add(key, unit);
        }

        return unit;
    }

    private BackupTable? Of(uint oid)
    {
        var live = schema[oid];
        return BackupTable.Find(loader.Contents, live.Schema, live.Name) is { Sources.Count: > 0 } backup ? backup : null;
    }
}
