using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Backup;

/// <summary>What to back up, where to, and how.</summary>
public sealed record BackupOptions
{
    public const int DefaultCompressionLevel = 1;

    private const int MemoryForParts = 192 << 20;
    private const int SmallestPart = 4 << 20;

    public required ConnectionSettings Connection { get; init; }

    /// <summary>The stores that get a copy each.</summary>
    public required IReadOnlyList<StoreSettings> Destinations { get; init; }

    /// <summary>With fewer copies the backup has failed; copies that were made stay.</summary>
    public int MinimumCopies { get; init; } = 1;

    public BackupKind Kind { get; init; } = BackupKind.Manual;

    /// <summary>Connections that read rows at once; 1 to 64.</summary>
    public int Jobs { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>zstd's level, 1 to 19.</summary>
    public int CompressionLevel { get; init; } = DefaultCompressionLevel;

    /// <summary>How long to wait for a table's lock.</summary>
    public TimeSpan LockTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Tables to leave out: <c>name</c> or <c>schema.name</c>, with the wildcards * and ?; a bare name matches in any schema.</summary>
    public IReadOnlyList<string> ExcludeTables { get; init; } = [];

    /// <summary>Tables to keep without their rows; patterns as above.</summary>
    public IReadOnlyList<string> ExcludeTableData { get; init; } = [];

    /// <summary>What is taken along beside the database, in this order.</summary>
    public IReadOnlyList<ICapture> Captures { get; init; } = [];

    /// <summary>Encrypts what the archive holds; null to leave it readable.</summary>
    public IMemberSeal? Seal { get; init; }

    /// <summary>Signs the archive; null for one without a signature.</summary>
    public IManifestSigner? Signer { get; init; }

    /// <summary>Copy all rows as text, which any tool can read.</summary>
    public bool TextRows { get; init; }

    /// <summary>The only folder to look for pg_dump in; null for PATH and the usual ones.</summary>
    public string? ClientToolFolder { get; init; }

    /// <summary>Raw bytes after which a part ends: fewer with many jobs, because each holds a part in memory, and rows may not compress at all.</summary>
    internal int PartBytes { get => field > 0 ? field : Math.Clamp(MemoryForParts / Jobs, SmallestPart, ArchiveFormat.PartBytes); init; }

    /// <summary>The least bytes of a table that get a reader of their own.</summary>
    internal long RangeBytes { get; init; } = TableRange.SmallestRange;
}
