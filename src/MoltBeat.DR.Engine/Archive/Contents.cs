using System.Text.Json.Serialization;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// <c>contents.json</c>: what a restored database is held against, and what a restore must find on the target first.
/// Encrypted together with the data.
/// </summary>
public sealed record Contents
{
    public required DatabaseProperties Database { get; init; }

    /// <summary>Roles that objects in the database belong to or grant rights to.</summary>
    public required IReadOnlyList<RoleUse> Roles { get; init; }

    public required IReadOnlyList<ExtensionUse> Extensions { get; init; }

    /// <summary>Tablespaces that objects lie in, other than the database's default.</summary>
    public IReadOnlyList<string> Tablespaces { get; init; } = [];

    /// <summary>Tables whose rows the archive holds in parts, in the order of their numbers (1, 2, …) in member names.</summary>
    public required IReadOnlyList<TableContents> Tables { get; init; }

    /// <summary>All other tables, each with the reason: <c>database.dump</c> holds their rows, if they have any. Partitioned tables are among them.</summary>
    public IReadOnlyList<OtherTable> LeftToPgDump { get; init; } = [];

    /// <summary>Large objects, digested as rows of (loid, pageno, data); null when the role may not read them all.</summary>
    public RowProof? LargeObjects { get; init; }

    /// <summary>What was taken along beside the database.</summary>
    public IReadOnlyList<ExtraContents> Extras { get => field ?? []; init; }
}

/// <summary>What a backup can take along beside the database.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ExtraKind>))]
public enum ExtraKind
{
    Environment,
    Redis,
    Folder,
}

/// <summary>One thing that was taken along beside the database.</summary>
public sealed record ExtraContents
{
    public required ExtraKind Kind { get; init; }

    /// <summary>What it is called in the plan; no two of a kind are called the same.</summary>
    public required string Name { get; init; }

    /// <summary>Variables' files, keys, or files and folders: the sum of the parts'.</summary>
    public required long Items { get; init; }

    /// <summary>Why it is not here although it was asked for; null when it is.</summary>
    public string? Missing { get; init; }

    /// <summary>What was left out or changed while it was read, as sentences; empty when it holds all.</summary>
    public IReadOnlyList<string> Notes { get => field ?? []; init; }

    public required IReadOnlyList<ExtraPart> Parts { get; init; }

    /// <summary>Of Redis keys; null for other kinds, and when they are missing.</summary>
    public RedisContents? Redis { get; init; }

    public override string ToString() => $"{Kind} {Name}";
}

/// <param name="Member">The member that holds it, a zstd frame.</param>
/// <param name="Items">Items in it.</param>
/// <param name="Sha256">Of its bytes before compression, lower-case hexadecimal.</param>
/// <param name="RawBytes">Bytes before compression.</param>
public sealed record ExtraPart(string Member, long Items, string Sha256, long RawBytes)
{
    /// <summary>The file that the part is, where it is one.</summary>
    public ExtraFile? File { get; init; }
}

/// <summary>Where a file was, and how it was kept.</summary>
/// <param name="Path">Absolute.</param>
/// <param name="Mode">Permission bits in octal, as in <c>0600</c>; null where there are none.</param>
/// <param name="Owner">User's name, or number when it has no name; null where there is none.</param>
/// <param name="Group">Likewise.</param>
/// <param name="Modified">UTC.</param>
public sealed record ExtraFile(string Path, string? Mode, string? Owner, string? Group, DateTimeOffset Modified);

/// <summary>Rows and their digest, in the form COPY gave them.</summary>
public sealed record RowProof(long Rows, string Digest);

/// <summary>One table's rows.</summary>
public sealed record TableContents
{
    public required string Schema { get; init; }

    public required string Name { get; init; }

    public required uint Oid { get; init; }

    public required RowFormat Format { get; init; }

    /// <summary>The columns whose values the rows hold, in order; generated columns are not among them.</summary>
    public required IReadOnlyList<string> Columns { get; init; }

    /// <summary>
    /// The columns' types without length or precision, as the server wrote them with an empty search_path: only a type that a user made has a dot in it.
    /// Empty in backups made before they were written down.
    /// </summary>
    public IReadOnlyList<string> Types { get => field ?? []; init; }

    /// <summary>Columns of its primary key, in its order; empty when it had none, and in backups made before they were written down.</summary>
    public IReadOnlyList<string> Key { get => field ?? []; init; }

    public required long Rows { get; init; }

    /// <summary>32 hexadecimal digits; see <see cref="RowDigest"/>.</summary>
    public required string Digest { get; init; }

    public required long RawBytes { get; init; }

    public required IReadOnlyList<PartContents> Parts { get; init; }

    /// <summary>Indexes, constraints, triggers, rules, policies and statistics of this table.</summary>
    public IReadOnlyList<TableObject> Objects { get; init; } = [];

    /// <summary>Parents by inheritance or partitioning (oids), for restoring chosen tables.</summary>
    public IReadOnlyList<uint> Parents { get; init; } = [];

    [JsonIgnore]
    public string QuotedName => SqlName.Quote(Schema, Name);
}

/// <param name="Member">The member that holds it.</param>
/// <param name="Rows">Rows in it.</param>
/// <param name="Digest">Their digest.</param>
/// <param name="RawBytes">Bytes of the whole COPY file before compression.</param>
public sealed record PartContents(string Member, long Rows, string Digest, long RawBytes);

public sealed record OtherTable(string Schema, string Name, string Reason)
{
    public uint Oid { get; init; }

    public bool Partitioned { get; init; }

    /// <summary>As of <see cref="TableContents"/>.</summary>
    public IReadOnlyList<TableObject> Objects { get; init; } = [];

    /// <summary>As of <see cref="TableContents"/>.</summary>
    public IReadOnlyList<uint> Parents { get; init; } = [];
}
