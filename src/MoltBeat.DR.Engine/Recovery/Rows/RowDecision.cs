using System.Globalization;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>
/// What becomes of each row, decided in one snapshot of the living tables: once for the plan, and once more in the transaction that
/// carries it out, which goes on only if nothing has changed.
/// </summary>
internal sealed class RowDecision(RowSession session, LiveSchema schema, RowClosure closure, RowRestoreOptions options)
{
    private const string Moving = "r.state IN ('m', 'u', 'o')";

    /// <summary>In the session's transaction.</summary>
    /// <exception cref="MoltException"><c>UniqueConflict</c>, <c>ParentMissing</c>, <c>ColumnImpossible</c>.</exception>
    public async Task DecideAsync(CancellationToken cancellationToken)
    {
        foreach (var unit in closure.Units.Concat(closure.Links))
        {
            await RowClosure.ClassifyAsync(session, unit, all: true, cancellationToken).ConfigureAwait(false);
        }

        if (options.IncludeChanged)
        {
            foreach (var unit in closure.Units.Where(u => u.Key is not null))
            {
                await session.ExecuteAsync($"UPDATE {unit.Rows} r SET state = 'u' WHERE r.state = 'd' AND r.role <> 'p'", cancellationToken).ConfigureAwait(false);
            }
        }

        foreach (var unit in closure.Units)
        {
            await FindConflictsAsync(unit, cancellationToken).ConfigureAwait(false);
        }

        await SkipOrphansAsync(cancellationToken).ConfigureAwait(false);
        foreach (var link in closure.Links)
        {
            await DecideLinkAsync(link, cancellationToken).ConfigureAwait(false);
        }

        foreach (var unit in closure.Units)
        {
            await RefuseImpossibleAsync(unit, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Keeps what was decided, to be held against a later decision.</summary>
    public async Task KeepAsync(CancellationToken cancellationToken)
    {
        foreach (var unit in closure.Units.Concat(closure.Links))
        {
            await session.ExecuteAsync($"CREATE TEMPORARY TABLE {unit.Planned} AS SELECT r.id, r.state FROM {unit.Rows} r; ANALYZE {unit.Planned}", cancellationToken).ConfigureAwait(false);
        }
    }

    /// <exception cref="MoltException"><c>RowsChanged</c> when it is no longer what was kept.</exception>
    public async Task CompareAsync(CancellationToken cancellationToken)
    {
        foreach (var unit in closure.Units.Concat(closure.Links))
        {
            if (await session.ScalarAsync<long>($"SELECT count(*) FROM {unit.Rows} r LEFT JOIN {unit.Planned} p ON p.id = r.id WHERE r.state IS DISTINCT FROM p.state", cancellationToken).ConfigureAwait(false) is > 0 and var changed)
            {
                throw Changed(unit.ToString(), string.Create(CultureInfo.InvariantCulture, $"{changed:N0} of the rows are no longer there or not there as they were"));
            }
        }
    }

    internal static MoltException Changed(string table, string how, Exception? inner = null)
        => new("RowsChanged", ErrorKind.Busy, $"{table} has changed between the look at it and the restore: {how}. Nothing was restored.", "Run it again: it looks anew.", table, inner);

    private async Task FindConflictsAsync(RowUnit unit, CancellationToken cancellationToken)
    {
        await session.ExecuteAsync($"DELETE FROM {unit.Over}", cancellationToken).ConfigureAwait(false);
        foreach (var unique in unit.Live.Uniques.Where(u => u != unit.Key && unit.Has(u.Columns)))
        {
            var same = string.Join(" AND ", unique.Columns.Select((c, i) => $"{RowUnit.Living(c)} {unique.Operators[i]} {unit.Row(c)}"));
            var conflicts = $"FROM {unit.Rows} r JOIN {unit.Live.From} t ON {same} WHERE r.state IN ('m', 'u'){(unit.Key is null ? "" : $" AND NOT ({unit.SameKey})")}";
            var count = await session.ScalarAsync<long>($"SELECT count(DISTINCT r.id) {conflicts}", cancellationToken).ConfigureAwait(false);
            if (count == 0)
            {
                continue;
            }

            if (options.OnConflict == ConflictRule.Fail)
            {
                throw Conflict(unit, unique, count, await ExampleAsync(unit, unique, conflicts, cancellationToken).ConfigureAwait(false), "");
            }

            if (options.OnConflict == ConflictRule.Skip)
            {
                await session.ExecuteAsync($"UPDATE {unit.Rows} x SET state = CASE x.state WHEN 'u' THEN 'd' ELSE 'x' END WHERE x.id IN (SELECT r.id {conflicts})", cancellationToken).ConfigureAwait(false);
                continue;
            }

            if (unit.Key is null || unit.Key.Columns.Any(c => unit.Live.Column(c).Identity == 'a'))
            {
                throw Conflict(unit, unique, count, await ExampleAsync(unit, unique, conflicts, cancellationToken).ConfigureAwait(false), " The living row cannot become the other: its key is generated always, or there is none.");
            }

            await session.ExecuteAsync($"INSERT INTO {unit.Over} SELECT r.id{string.Concat(unit.Key.Columns.Select(c => $", {RowUnit.Living(c)}"))} {conflicts}", cancellationToken).ConfigureAwait(false);
        }

        if (options.OnConflict == ConflictRule.Update && unit.Key is { } key)
        {
            var living = string.Join(", ", key.Columns.Select((_, i) => $"w.k{i}"));
            var several = await session.ScalarAsync<long>($"""
                SELECT (SELECT count(*) FROM (SELECT w.id FROM (SELECT DISTINCT * FROM {unit.Over}) w GROUP BY 1 HAVING count(*) > 1) a) + (SELECT count(*) FROM (SELECT {living} FROM (SELECT DISTINCT * FROM {unit.Over}) w GROUP BY {living} HAVING count(*) > 1) b)
                     + (SELECT count(*) FROM {unit.Over} w JOIN {unit.Rows} r ON r.state = 'u' AND (r.id = w.id OR {string.Join(" AND ", key.Columns.Select((c, i) => $"{unit.Row(c)} {key.Operators[i]} w.k{i}"))}))
                """, cancellationToken).ConfigureAwait(false);
            if (several > 0)
            {
                throw Conflict(unit, null, several, "", " One row of the backup stands against several living ones, or the other way round: none can become the other.");
            }

            await session.ExecuteAsync($"UPDATE {unit.Rows} r SET state = 'o' WHERE r.state = 'm' AND r.id IN (SELECT w.id FROM {unit.Over} w)", cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<string> ExampleAsync(RowUnit unit, UniqueKey unique, string conflicts, CancellationToken cancellationToken)
        => await session.ScalarAsync<string>($"SELECT ', for one ' || left(ROW({string.Join(", ", unique.Columns.Select(unit.Row))})::text, 100) {conflicts} LIMIT 1", cancellationToken).ConfigureAwait(false) ?? "";

    private static MoltException Conflict(RowUnit unit, UniqueKey? unique, long count, string example, string why)
        => new("UniqueConflict", ErrorKind.AlreadyExists, string.Create(CultureInfo.InvariantCulture, $"{count:N0} rows of {unit} to restore have values that a living row holds{(unique is null ? "" : $" ({unique.Name}: {string.Join(", ", unique.Columns)}{example})")}.{why}"),
            "Pass -OnConflict Skip to leave these rows out, or Update to put them over the living ones; or look at both, and narrow -Where.", unit.ToString());

    /// <summary>A row whose parent is not restored is not restored either.</summary>
    private async Task SkipOrphansAsync(CancellationToken cancellationToken)
    {
        bool again;
        do
        {
            again = false;
            foreach (var (unit, key) in Keys().Where(k => closure.ByOid.TryGetValue(k.Key.To, out var p) && p.Has(k.Key.ToColumns)))
            {
                var parent = closure.ByOid[key.To];
                string Match(Func<string, string> of) => string.Join(" AND ", key.ToColumns.Select((c, i) => $"{of(c)} {key.Operators[i]} {unit.Row(key.FromColumns[i])}"));
                again |= await session.CountAsync($"""
                    UPDATE {unit.Rows} r SET state = CASE r.state WHEN 'u' THEN 'd' ELSE 'x' END
                    WHERE {Moving} AND EXISTS (SELECT FROM {parent.Rows} p WHERE p.state = 'x' AND {Match(c => "p." + parent.Place(c))}) AND NOT EXISTS (SELECT FROM {schema[key.To].From} t WHERE {Match(c => RowUnit.Living(c))})
                    """, cancellationToken).ConfigureAwait(false) > 0;
            }
        }
        while (again);

        foreach (var (unit, key) in Keys())
        {
            var orphans = closure.Orphans(unit, key, Moving, "p.state IN ('m', 'u', 'o')");
            var example = await session.ScalarAsync<string>($"SELECT left(o::text, 100) FROM ({orphans}) o LIMIT 1", cancellationToken).ConfigureAwait(false);
            if (example is not null)
            {
                var where = closure.ByOid.ContainsKey(key.To) ? "and the backup does not have it either" : $"and the backup holds no rows of {schema[key.To]}";
                throw new MoltException("ParentMissing", ErrorKind.NotFound, $"Rows of {unit} to restore refer by {key.Name} ({string.Join(", ", key.FromColumns)}) to a row of {schema[key.To]} that is not there, {where}: {example}.",
                    $"Restore {schema[key.To]} from a backup that has it first, or narrow -Where.", unit.ToString());
            }
        }
    }

    private IEnumerable<(RowUnit Unit, LiveForeignKey Key)> Keys()
        => closure.Units.SelectMany(u => schema.ForeignKeys.Where(k => k.From == u.Live.Oid && u.Has(k.FromColumns)).Select(k => (u, k)));

    /// <summary>A reference is put back where it is as the deletion left it, and where what it refers to comes back.</summary>
    private async Task DecideLinkAsync(RowUnit link, CancellationToken cancellationToken)
    {
        var key = link.Link!;
        var parent = closure.ByOid[key.To];
        var left = string.Join(" AND ", key.SetColumns.Select(c => key.OnDelete == 'n' || link.Live.Column(c).Default is not { } value
            ? $"{RowUnit.Living(c)} IS NULL" : $"{RowUnit.Living(c)} IS NOT DISTINCT FROM ({value})"));
        var differs = string.Join(" OR ", key.SetColumns.Select(c => $"{RowUnit.Living(c)}::{link.Live.Column(c).Type} IS DISTINCT FROM {link.Row(c)}"));
        var comes = string.Join(" AND ", key.ToColumns.Select((c, i) => $"p.{parent.Place(c)} {key.Operators[i]} {link.Row(key.FromColumns[i])}"));
        var otherwise = closure.ByOid.TryGetValue(key.From, out var unit) && unit.Key is not null
            ? $" AND NOT EXISTS (SELECT FROM {unit.Rows} q WHERE q.state IN ('u', 'o') AND {string.Join(" AND ", unit.Key.Columns.Select((c, i) => $"q.{unit.Place(c)} {unit.Key.Operators[i]} {link.Row(c)}"))})" : "";
        await session.ExecuteAsync($"""
            UPDATE {link.Rows} r SET state = CASE WHEN EXISTS (SELECT FROM {link.Live.From} t WHERE {link.SameKey} AND {left} AND ({differs}))
              AND EXISTS (SELECT FROM {parent.Rows} p WHERE p.state IN ('m', 'o') AND {comes}){otherwise} THEN 'u' ELSE 's' END
            """, cancellationToken).ConfigureAwait(false);
    }

    private async Task RefuseImpossibleAsync(RowUnit unit, CancellationToken cancellationToken)
    {
        var without = unit.Live.Columns.Where(c => c is { Required: true, HasDefault: false, Generated: false } && !unit.Columns.Contains(c)).Select(c => c.Name).ToList();
        if (without.Count > 0 && await session.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM {unit.Rows} r WHERE r.state = 'm')", cancellationToken).ConfigureAwait(false))
        {
            throw new MoltException("ColumnImpossible", ErrorKind.InvalidData, $"{unit} now has columns that need a value, and have no default; the backup is from before them: {string.Join(", ", without)}.",
                "Give them a default while the rows are restored (ALTER TABLE … ALTER COLUMN … SET DEFAULT …), and take it away afterwards.", unit.ToString());
        }
    }
}
