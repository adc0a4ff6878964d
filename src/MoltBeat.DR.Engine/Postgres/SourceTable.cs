namespace MoltBeat.DR.Engine.Postgres;

/// <summary>A table of the database that is backed up, as its snapshot shows it.</summary>
public sealed record SourceTable
{
    public required uint Oid { get; init; }

    public required string Schema { get; init; }

    public required string Name { get; init; }

    /// <summary><c>pg_class.relkind</c>: r, p, f.</summary>
    public required char Kind { get; init; }

    /// <summary><c>pg_class.relpersistence</c>: p permanent, u unlogged.</summary>
    public required char Persistence { get; init; }

    public required string AccessMethod { get; init; }

    /// <summary>It belongs to an extension, which makes it; pg_dump takes its rows when the extension says so.</summary>
    public required bool ExtensionMember { get; init; }

    /// <summary>
    /// Its rows may belong to other partitions after a restore: it is below a table that is hashed by an enum, hence by oids
    /// of labels. pg_dump (15.3, 14.8 and newer) loads such rows through the root.
    /// </summary>
    public bool LoadedThroughRoot { get; init; }

    /// <summary>The role may read it whole.</summary>
    public required bool Readable { get; init; }

    /// <summary>Row-level security would hide rows of it from the role.</summary>
    public required bool RowsHidden { get; init; }

    /// <summary>Blocks of its main fork.</summary>
    public long Blocks { get; init; }

    /// <summary>Bytes of heap and TOAST: the estimate for progress and for the number of parts.</summary>
    public long Bytes { get; init; }

    /// <summary>Columns whose values COPY gives: not dropped, not generated.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>The columns' types without length or precision, as the server writes them: only a type that a user made has a dot in it.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>Columns of its primary key; empty when it has none.</summary>
    public IReadOnlyList<string> Key { get; init; } = [];

    /// <summary>The form in which its rows are copied when the caller does not ask for text.</summary>
    public RowFormat Format { get; init; }

    public IReadOnlyList<TableObject> Objects { get; init; } = [];

    public IReadOnlyList<uint> Parents { get; init; } = [];

    public string QuotedName => SqlName.Quote(Schema, Name);

    public override string ToString() => $"{Schema}.{Name}";
}

/// <summary>Something that depends on a table and is made after its rows are in.</summary>
/// <param name="Catalog">Oid of the catalog that <paramref name="Oid"/> belongs to, as pg_restore's list gives it.</param>
/// <param name="Oid">Its oid.</param>
/// <param name="IndexBytes">Size of the index that it is or makes; 0 for anything else.</param>
/// <param name="Method">The index's access method; null for a btree and for anything else.</param>
public sealed record TableObject(uint Catalog, uint Oid, long IndexBytes, string? Method = null);
