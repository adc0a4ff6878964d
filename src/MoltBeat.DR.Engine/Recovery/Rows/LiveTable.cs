using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>A column of the living table.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type without length or precision; of a domain what lies under it.</param>
/// <param name="Required">Takes no NULL.</param>
/// <param name="HasDefault">Gets a value when none is given.</param>
/// <param name="Generated">Is computed from others.</param>
/// <param name="Identity"><c>pg_attribute.attidentity</c>: a always, d by default, else blank.</param>
/// <param name="Default">The default's expression; null when there is none.</param>
/// <param name="Deterministic">Equal text has equal bytes.</param>
internal sealed record LiveColumn(string Name, string Type, bool Required, bool HasDefault, bool Generated, char Identity, string? Default, bool Deterministic);

/// <summary>A unique index without condition or expressions.</summary>
/// <param name="Name">The index.</param>
/// <param name="Primary">Of the primary key.</param>
/// <param name="Immediate">Not deferrable.</param>
/// <param name="Columns">Its columns.</param>
/// <param name="Operators">Equality, for each column, as <c>OPERATOR(schema.=)</c>.</param>
internal sealed record UniqueKey(string Name, bool Primary, bool Immediate, IReadOnlyList<string> Columns, IReadOnlyList<string> Operators);

/// <summary>A foreign key between two tables, those that are partitioned by their roots.</summary>
/// <param name="Name">Its name.</param>
/// <param name="From">The referencing table.</param>
/// <param name="To">The referenced table.</param>
/// <param name="FromColumns">Columns there.</param>
/// <param name="ToColumns">Columns here.</param>
/// <param name="Operators">Referenced value on the left, referencing on the right.</param>
/// <param name="OnDelete"><c>pg_constraint.confdeltype</c>: a no action, r restrict, c cascade, n set null, d set default.</param>
/// <param name="SetColumns">Columns that ON DELETE SET … sets.</param>
internal sealed record LiveForeignKey(string Name, uint From, uint To, IReadOnlyList<string> FromColumns, IReadOnlyList<string> ToColumns, IReadOnlyList<string> Operators, char OnDelete, IReadOnlyList<string> SetColumns)
{
    /// <summary>A referenced row that goes leaves rows behind that no longer say so.</summary>
    public bool LetsGo => OnDelete is 'n' or 'd';
}

/// <summary>A trigger that fires.</summary>
/// <param name="Table">Quoted: a partition has its own.</param>
/// <param name="Name">Its name.</param>
/// <param name="Enabled"><c>pg_trigger.tgenabled</c>: O, A or R.</param>
/// <param name="ChangesRows">It fires before each row that is written.</param>
internal sealed record LiveTrigger(string Table, string Name, char Enabled, bool ChangesRows);

/// <summary>A sequence that belongs to a column.</summary>
internal sealed record LiveSequence(string QuotedName, string Column, long Increment);

/// <summary>A table of the database that lost rows; a partitioned one stands for all of its partitions.</summary>
internal sealed class LiveTable
{
    public required uint Oid { get; init; }

    public required string Schema { get; init; }

    public required string Name { get; init; }

    public required bool Partitioned { get; init; }

    public required bool HasChildren { get; init; }

    public List<LiveColumn> Columns { get; } = [];

    public List<UniqueKey> Uniques { get; } = [];

    public List<LiveTrigger> Triggers { get; } = [];

    public List<LiveSequence> Sequences { get; } = [];

    /// <summary>Names of rewrite rules.</summary>
    public List<string> Rules { get; } = [];

    public string QuotedName => SqlName.Quote(Schema, Name);

    /// <summary>For FROM and UPDATE: without the rows of tables that inherit from it, which are tables of their own.</summary>
    public string From => Partitioned ? QuotedName : "ONLY " + QuotedName;

    /// <summary>What tells its rows apart: the primary key, else a unique index that takes no NULL; null when there is none.</summary>
    public UniqueKey? Key => Uniques.Find(u => u.Primary) ?? Uniques.Find(u => u.Immediate && u.Columns.All(c => Columns.Find(x => x.Name == c) is { Required: true }));

    public LiveColumn Column(string name) => Columns.Find(c => c.Name == name)!;

    public override string ToString() => $"{Schema}.{Name}";
}
