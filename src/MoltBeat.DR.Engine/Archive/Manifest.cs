using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>Why a backup was made; retention keeps each kind for its own time.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<BackupKind>))]
public enum BackupKind
{
    Manual,
    Daily,
    Weekly,
    Monthly,
}

/// <summary>
/// <c>manifest.json</c>: what the archive is and where each member lies. Never encrypted: it holds no data of the
/// application's, only names, counts and sizes of the whole.
/// </summary>
public sealed record Manifest
{
    public required int FormatVersion { get; init; }

    /// <summary>32 hexadecimal digits, unique to this backup.</summary>
    public required string Id { get; init; }

    public required BackupKind Kind { get; init; }

    public required string Database { get; init; }

    /// <summary>UTC time at which the snapshot was taken: the state that a restore brings back.</summary>
    public required DateTimeOffset Created { get; init; }

    public required DateTimeOffset Completed { get; init; }

    public required ServerInfo Server { get; init; }

    /// <summary>Versions of what made the archive.</summary>
    public required ToolInfo Tools { get; init; }

    /// <summary>Rows in the tables that the archive holds row by row.</summary>
    public required long Rows { get; init; }

    public required int Tables { get; init; }

    /// <summary>Bytes of those rows before compression.</summary>
    public required long RawBytes { get; init; }

    public IReadOnlyList<string> ExcludedTables { get; init; } = [];

    public IReadOnlyList<string> ExcludedTableData { get; init; } = [];

    /// <summary>What this backup does not hold and why, in sentences; empty when it holds all.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>What was taken along beside the database; what could not be is among the notes.</summary>
    public IReadOnlyList<ExtraInfo> Extras { get => field ?? []; init; }

    /// <summary>The file name that the archive was made under; null in archives of before there was one.</summary>
    public string? Name { get; init; }

    /// <summary>The keys that the members are encrypted to; empty when they are not.</summary>
    public IReadOnlyList<RecipientInfo> Recipients { get => field ?? []; init; }

    /// <summary>What it was made of, when its members were encrypted anew after the backup; null in an archive that a backup made.</summary>
    public ProtectedFrom? ProtectedFrom { get; init; }

    /// <summary>SHA-256 of the plain bytes of <see cref="ArchiveFormat.Canary"/>, lower-case hexadecimal; null when nothing is encrypted.</summary>
    public string? Canary { get; init; }

    /// <summary>In the order in which they lie in the archive; without the manifest and the index themselves.</summary>
    public required IReadOnlyList<MemberInfo> Members { get; init; }
}

/// <summary>The archive that another was made of by encrypting it anew: the same backup, with the same id.</summary>
/// <param name="Name">Its file name.</param>
/// <param name="ManifestSha256">Of its manifest, lower-case hexadecimal.</param>
/// <param name="Time">When, UTC.</param>
public sealed record ProtectedFrom(string Name, string ManifestSha256, DateTimeOffset Time);

/// <summary>Something that was taken along beside the database.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Name">What it is called in the plan.</param>
/// <param name="Items">Variables' files, keys, or files and folders.</param>
public sealed record ExtraInfo(ExtraKind Kind, string Name, long Items)
{
    public override string ToString() => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Kind} {Name} ({Items:N0})");
}

/// <summary>The server a backup was taken from.</summary>
public sealed record ServerInfo
{
    /// <summary>For example <c>15.18</c>.</summary>
    public required string Version { get; init; }

    /// <summary><c>server_version_num</c>, for example 150018.</summary>
    public required int VersionNumber { get; init; }

    /// <summary>From <c>pg_control_system()</c>; null when the role may not ask.</summary>
    public string? SystemIdentifier { get; init; }

    public required bool InRecovery { get; init; }

    /// <summary>Write-ahead log position when the snapshot was taken; null when the role may not ask.</summary>
    public string? Lsn { get; init; }
}

public sealed record ToolInfo(string MoltBeat, string PgDump);

/// <summary>One member of the tar.</summary>
/// <param name="Name">Its name in the tar.</param>
/// <param name="Offset">Where its content starts, in bytes from the archive's start; its header lies 512 bytes before.</param>
/// <param name="Length">Bytes of content as stored.</param>
/// <param name="Sha256">Of the stored bytes, lower-case hexadecimal.</param>
public sealed record MemberInfo(string Name, long Offset, long Length, string Sha256);
