using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>
/// One table of a row restore: the wanted rows of the backup in a temporary table, beside the living table. Each row has a state:
/// m missing, s there and the same, d there and different, u to be put back, o to be put over the living row that holds a unique value, x skipped.
/// </summary>
internal sealed class RowUnit
{
    private readonly Dictionary<string, int> places = new(StringComparer.Ordinal);

    private RowUnit(LiveTable live, BackupTable backup, IReadOnlyList<RowShape> shapes, string rows, string over, LiveForeignKey? link)
    {
        Live = live;
        Backup = backup;
        Shapes = shapes;
        Rows = rows;
        Over = over;
        Link = link;
        Columns = live.Columns.Where(c => !c.Generated && backup.Columns.Contains(c.Name)).ToList();
        for (var i = 0; i < Columns.Count; i++)
        {
            places.Add(Columns[i].Name, i);
        }

        Lost = backup.Sources.SelectMany(s => s.Columns).Distinct().Where(c => live.Columns.All(l => l.Name != c)).ToList();
        Key = live.Key is { } key && Has(key.Columns) ? key : null;
    }

    public LiveTable Live { get; }

    public BackupTable Backup { get; }

    public IReadOnlyList<RowShape> Shapes { get; }

    /// <summary>The temporary table: id, role, state, expanded, c0, c1, …</summary>
    public string Rows { get; }

    /// <summary>When only values of this key are to be put back, which a deletion has set to null or to their defaults.</summary>
    public LiveForeignKey? Link { get; }

    /// <summary>The temporary table of what was planned: id, state.</summary>
    public string Planned => Rows.Replace("_rows_", "_planned_", StringComparison.Ordinal);

    /// <summary>Columns that both have.</summary>
    public List<LiveColumn> Columns { get; }

    /// <summary>Columns that only the backup has.</summary>
    public List<string> Lost { get; }

    /// <summary>Null when rows can only be compared as a whole.</summary>
    public UniqueKey? Key { get; }

    /// <summary>Conditions by which rows have come already.</summary>
    public List<RowCondition> Loaded { get; } = [];

    public List<string> Notes { get; } = [];

    /// <summary>The temporary table of living rows in the way of a unique value: id of the row of the backup, k0, k1, … of the living one.</summary>
    public string Over { get; }

    /// <summary>Columns that an update sets.</summary>
    public IReadOnlyList<string> Sets => Link is null ? Columns.Where(c => c.Identity != 'a').Select(c => c.Name).ToList() : Link.SetColumns;

    /// <summary>That a living row is the one in the way.</summary>
    public string SameOver => string.Join(" AND ", Key!.Columns.Select((c, i) => $"{Living(c)} {Key.Operators[i]} w.k{i}"));

    public string Alias => SqlName.Quote(Live.Name);

    public static async Task<RowUnit> MakeAsync(RowSession session, LiveTable live, BackupTable backup, LiveForeignKey? link, CancellationToken cancellationToken)
    {
        var shapes = new List<RowShape>();
        foreach (var source in backup.Sources)
        {
            shapes.Add(await RowShape.OfAsync(session, source, c => live.Columns.Find(l => l.Name == c)?.Type, cancellationToken).ConfigureAwait(false));
        }

        var unit = new RowUnit(live, backup, shapes, session.NewName("rows"), session.NewName("over"), link);
        var columns = string.Concat(unit.Columns.Select((c, i) => $", c{i} {c.Type}"));
        await session.ExecuteAsync($"CREATE TEMPORARY TABLE {unit.Rows} (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, role \"char\", state \"char\", expanded bool NOT NULL DEFAULT false{columns})", cancellationToken).ConfigureAwait(false);
        await session.ExecuteAsync($"CREATE TEMPORARY TABLE {unit.Over} (id int8{string.Concat(unit.Key?.Columns.Select((c, i) => $", k{i} {live.Column(c).Type}") ?? [])})", cancellationToken).ConfigureAwait(false);
        return unit;
    }

    public bool Has(IEnumerable<string> columns) => columns.All(places.ContainsKey);

    /// <summary>A column of the temporary table.</summary>
    public string Row(string column) => $"r.c{places[column]}";

    public string Place(string column) => $"c{places[column]}";

    /// <summary>A column of the living table.</summary>
    public static string Living(string column, string alias = "t") => $"{alias}.{SqlName.Quote(column)}";

    /// <summary>A whole row of the backup as text: also values without an equality of their own can be compared so.</summary>
    public string RowText => $"ROW({string.Join(", ", Columns.Select(c => Row(c.Name)))})::text";

    /// <summary>The same of a living row.</summary>
    public string LivingText => TextOf("t");

    /// <summary>The same under another name.</summary>
    public string TextOf(string alias) => $"ROW({string.Join(", ", Columns.Select(c => $"{Living(c.Name, alias)}::{c.Type}"))})::text";

    /// <summary>That a living row is the same one.</summary>
    public string SameKey => string.Join(" AND ", Key!.Columns.Select((c, i) => $"{Living(c)} {Key.Operators[i]} {Row(c)}"));

    /// <summary>INSERT of rows that are wanted, without FROM.</summary>
    public string InsertOf(char role) => $"INSERT INTO {Rows} (role{string.Concat(Columns.Select((_, i) => $", c{i}"))}) SELECT '{role}'{string.Concat(Columns.Select(c => $", {Alias}.{SqlName.Quote(c.Name)}"))}";

    public bool Deterministic(string column) => Live.Columns.Find(c => c.Name == column) is { Deterministic: true };

    public override string ToString() => Live.ToString();
}
