using System.Globalization;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>Puts the decided rows into the living tables, within the session's transaction, and looks that they are there.</summary>
internal sealed class RowChange(RowSession session, LiveSchema schema, RowClosure closure, RowRestoreOptions options)
{
    private const string Needed = "r.state IN ('m', 'u', 'o')";

    /// <summary>Sequences are moved on by single steps up to this many, and set only beyond.</summary>
    private const long MostSteps = 1_000_000;

    /// <summary>Old values of the updated rows by table: id, v0, v1, … as text.</summary>
    public Dictionary<RowUnit, string> Old { get; } = [];

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        foreach (var unit in closure.Units.Concat(closure.Links))
        {
            await KeepOldAsync(unit, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            foreach (var group in Circles())
            {
                await WriteAsync(group, cancellationToken).ConfigureAwait(false);
            }

            foreach (var link in closure.Links)
            {
                await WriteAsync([link], cancellationToken).ConfigureAwait(false);
            }

            await session.ExecuteAsync("SET CONSTRAINTS ALL IMMEDIATE", cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected)
        {
            throw RowDecision.Changed(e.TableName ?? options.Table, e.MessageText, e);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.ExclusionViolation)
        {
            throw new MoltException("UniqueConflict", ErrorKind.AlreadyExists, $"A row to restore has a value that a living row holds ({e.ConstraintName} of {e.SchemaName}.{e.TableName}): {e.MessageText}. Nothing was restored.",
                "Indexes with conditions or expressions, and exclusions, are seen only now: look at both rows, and narrow -Where.", $"{e.SchemaName}.{e.TableName}", e);
        }
        catch (PostgresException e) when (e.SqlState[..2] is "22" or "23")
        {
            throw new MoltException("RowRefused", ErrorKind.InvalidData, $"The database does not take a row as it was in the backup: {e.MessageText}{(e.ConstraintName is null ? "" : $" ({e.ConstraintName} of {e.SchemaName}.{e.TableName})")}. Nothing was restored.",
                "The constraint may be newer than the backup. Narrow -Where, or change what it says of old rows.", e.TableName, e);
        }
    }

    /// <summary>Compares every row that was written with the backup, value by value.</summary>
    /// <exception cref="MoltException"><c>RowsNotProven</c>.</exception>
    public async Task ProveAsync(CancellationToken cancellationToken)
    {
        foreach (var unit in closure.Units.Concat(closure.Links))
        {
            var same = unit.Link is { } link ? string.Join(" AND ", link.SetColumns.Select(c => $"{RowUnit.Living(c)}::{unit.Live.Column(c).Type} IS NOT DISTINCT FROM {unit.Row(c)}"))
                : options.AllowTriggerChanges ? "true" : $"{unit.LivingText} = {unit.RowText}";
            var wrong = unit.Key is not null
                ? await session.ScalarAsync<long>($"SELECT count(*) FROM {unit.Rows} r WHERE {Needed} AND (SELECT count(*) FROM {unit.Live.From} t WHERE {unit.SameKey} AND {same}) <> 1", cancellationToken).ConfigureAwait(false)
                : options.AllowTriggerChanges ? 0
                : await session.ScalarAsync<long>($"""
                    SELECT count(*) FROM (SELECT {unit.RowText} AS row, count(*) AS n FROM {unit.Rows} r GROUP BY 1 HAVING bool_or({Needed})) b
                    WHERE b.n > (SELECT count(*) FROM {unit.Live.From} t WHERE {unit.LivingText} = b.row)
                    """, cancellationToken).ConfigureAwait(false);
            if (wrong > 0)
            {
                var triggers = unit.Live.Triggers.Where(t => t.ChangesRows).Select(t => t.Name).Distinct().ToList();
                throw new MoltException("RowsNotProven", ErrorKind.InvalidData,
                    string.Create(CultureInfo.InvariantCulture, $"{wrong:N0} rows of {unit} would not be what they were in the backup{(triggers.Count > 0 && !options.SkipTriggers ? $"; triggers that may change them: {string.Join(", ", triggers)}" : ", as their columns hold less than they did, or a rule acts on them")}. Nothing was restored."),
                    "Pass -SkipTriggers to keep triggers from firing, or -AllowTriggerChanges to take rows as triggers leave them.", unit.ToString());
            }
        }
    }

    /// <summary>Moves sequences on that are behind the values which came back; never back.</summary>
    public async Task AdvanceSequencesAsync(CancellationToken cancellationToken)
    {
        foreach (var unit in closure.Units)
        {
            foreach (var sequence in unit.Live.Sequences.Where(s => s.Increment > 0 && unit.Has([s.Column])))
            {
                if (await session.ScalarAsync<long?>($"SELECT max({unit.Row(sequence.Column)})::int8 FROM {unit.Rows} r WHERE {Needed}", cancellationToken).ConfigureAwait(false) is not { } highest)
                {
                    continue;
                }

                var last = await session.ScalarAsync<long>($"SELECT CASE WHEN is_called THEN last_value ELSE last_value - {sequence.Increment} END FROM {sequence.QuotedName}", cancellationToken).ConfigureAwait(false);
                var steps = highest <= last ? 0 : (highest - last + sequence.Increment - 1) / sequence.Increment;
                var name = SqlName.Literal(sequence.QuotedName);
                if (steps is > 0 and <= MostSteps)
                {
                    // Single steps can only go up, whoever else takes numbers meanwhile.
                    await session.ScalarAsync<long>($"SELECT count(nextval({name})) FROM generate_series(1, {steps})", cancellationToken).ConfigureAwait(false);
                }
                else if (steps > 0)
                {
                    await session.ScalarAsync<long>($"SELECT setval({name}, {highest}) FROM {sequence.QuotedName} WHERE last_value < {highest}", cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }

    /// <summary>Tables after those they refer to; those that refer to each other in a circle together.</summary>
    private List<List<RowUnit>> Circles()
    {
        var groups = new List<List<RowUnit>>();
        var (index, low, stack) = (new Dictionary<uint, int>(), new Dictionary<uint, int>(), new Stack<uint>());
        var parents = schema.ForeignKeys.Where(k => closure.ByOid.ContainsKey(k.From) && closure.ByOid.ContainsKey(k.To) && k.From != k.To).ToLookup(k => k.From, k => k.To);
        void Visit(uint table)
        {
            low[table] = index[table] = index.Count;
            stack.Push(table);
            foreach (var parent in parents[table])
            {
                if (!index.ContainsKey(parent))
                {
                    Visit(parent);
                }

                if (stack.Contains(parent))
                {
                    low[table] = Math.Min(low[table], low[parent]);
                }
            }

            if (low[table] == index[table])
            {
                var group = new List<RowUnit>();
                uint member;
                do
                {
                    member = stack.Pop();
                    group.Add(closure.ByOid[member]);
                }
                while (member != table);
                groups.Add(group);
            }
        }

        foreach (var table in closure.ByOid.Keys)
        {
            if (!index.ContainsKey(table))
            {
                Visit(table);
            }
        }

        return groups;
    }

    private async Task KeepOldAsync(RowUnit unit, CancellationToken cancellationToken)
    {
        var values = string.Concat(unit.Columns.Select((c, i) => $", {RowUnit.Living(c.Name)}::text AS v{i}"));
        if (unit.Key is not null)
        {
            await session.ExecuteAsync($"""
                CREATE TEMPORARY TABLE {Old[unit] = session.NewName("old")} AS SELECT r.id{values} FROM {unit.Rows} r JOIN {unit.Live.From} t ON {unit.SameKey} WHERE r.state = 'u'
                UNION ALL SELECT r.id{values} FROM {unit.Rows} r JOIN (SELECT DISTINCT * FROM {unit.Over}) w ON w.id = r.id JOIN {unit.Live.From} t ON {unit.SameOver} WHERE r.state = 'o'
                """, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>One command for a circle: the server looks at foreign keys when all of it is done.</summary>
    private async Task WriteAsync(List<RowUnit> units, CancellationToken cancellationToken)
    {
        var (parts, expected) = (new List<string>(), new List<(RowUnit Unit, string State, long Rows)>());
        foreach (var unit in units)
        {
            foreach (var state in new[] { "m", "u", "o" })
            {
                var rows = await session.ScalarAsync<long>($"SELECT count(*) FROM {unit.Rows} r WHERE r.state = '{state}'", cancellationToken).ConfigureAwait(false);
                if (rows > 0)
                {
                    parts.Add($"w{parts.Count} AS ({(state == "m" ? Insert(unit) : Update(unit, state == "o"))} RETURNING 1)");
                    expected.Add((unit, state, rows));
                }
            }
        }

        if (parts.Count == 0)
        {
            return;
        }

        var done = new long[parts.Count];
        await DatabaseCatalog.ReadAsync(session.Connection, $"WITH {string.Join(", ", parts)} SELECT {string.Join(", ", parts.Select((_, i) => $"(SELECT count(*) FROM w{i})"))}", row =>
        {
            for (var i = 0; i < done.Length; i++)
            {
                done[i] = row.GetInt64(i);
            }
        }, cancellationToken).ConfigureAwait(false);
        for (var i = 0; i < done.Length; i++)
        {
            if (done[i] != expected[i].Rows)
            {
                var (unit, _, rows) = expected[i];
                throw new MoltException("RowsNotProven", ErrorKind.InvalidData, string.Create(CultureInfo.InvariantCulture, $"{done[i]:N0} of {rows:N0} rows went into {unit}: a trigger or a rule keeps the others out. Nothing was restored."),
                    "Pass -SkipTriggers to keep triggers from firing; a rule has to be disabled by hand.", unit.ToString());
            }
        }
    }

    private static string Insert(RowUnit unit)
    {
        var into = unit.Columns.Count == 0 ? $"INSERT INTO {unit.Live.QuotedName} SELECT" : $"INSERT INTO {unit.Live.QuotedName} ({string.Join(", ", unit.Columns.Select(c => SqlName.Quote(c.Name)))}){(unit.Columns.Exists(c => c.Identity != ' ') ? " OVERRIDING SYSTEM VALUE" : "")} SELECT {string.Join(", ", unit.Columns.Select(c => unit.Row(c.Name)))}";
        return $"{into} FROM {unit.Rows} r WHERE r.state = 'm' ORDER BY r.id";
    }

    private static string Update(RowUnit unit, bool over)
    {
        var set = string.Join(", ", unit.Sets.Select(c => $"{SqlName.Quote(c)} = {unit.Row(c)}"));
        return over
            ? $"UPDATE {unit.Live.From} t SET {set} FROM {unit.Rows} r JOIN (SELECT DISTINCT * FROM {unit.Over}) w ON w.id = r.id WHERE r.state = 'o' AND {unit.SameOver}"
            : $"UPDATE {unit.Live.From} t SET {set} FROM {unit.Rows} r WHERE r.state = 'u' AND {unit.SameKey}";
    }
}
