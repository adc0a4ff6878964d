using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>Where to restore to, and how.</summary>
public sealed record RestoreOptions
{
    /// <summary>The server; its database only serves to connect to when there is no database <c>postgres</c>.</summary>
    public required ConnectionSettings Connection { get; init; }

    /// <summary>The database to make.</summary>
    public required string TargetDatabase { get; init; }

    /// <summary>Opens encrypted members, and says whose signature is believed.</summary>
    public ArchiveAccess? Access { get; init; }

    /// <summary>Connections that load, index builds and readers of the proof at once.</summary>
    public int Jobs { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>Only these tables: <c>name</c> or <c>schema.name</c>, with * and ?; empty for all.</summary>
    public IReadOnlyList<string> Tables { get; init; } = [];

    /// <summary>Do not compare the restored rows with the backup.</summary>
    public bool SkipProof { get; init; }

    /// <summary>Leave the half-made database there after a failure.</summary>
    public bool KeepFailed { get; init; }

    /// <summary>Everything belongs to the role that restores; no rights are granted.</summary>
    public bool NoOwner { get; init; }

    /// <summary>Make missing roles, from the backup's globals.</summary>
    public bool CreateRoles { get; init; }

    /// <summary>Put everything into the default tablespace.</summary>
    public bool NoTablespaces { get; init; }

    /// <summary>The target is there, and gives its name to the restored database once that is proven; it is kept under another name.</summary>
    public bool Replace { get; init; }

    /// <summary>The target is there, and what it holds is replaced within it, in one transaction; a backup of it is made before.</summary>
    public bool InPlace { get; init; }

    /// <summary>Where the backup of before goes; needed for <see cref="InPlace"/>.</summary>
    public StoreSettings? SafetyStore { get; init; }

    /// <summary>Encrypts the backup of before; null to leave it readable, which is refused when the one that is restored is encrypted.</summary>
    public IMemberSeal? SafetySeal { get; init; }

    /// <summary>How long a replacement waits for a backup of the database that is to be replaced.</summary>
    public TimeSpan BackupWait { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Go on where the disk is known to be too small for a second database.</summary>
    public bool IgnoreDiskSpace { get; init; }

    /// <summary>Bytes that are free on the server's disk, where somebody knows; null to find out as far as that can be.</summary>
    public long? ServerFreeBytes { get; init; }

    /// <summary>The backup that is meant: a copy that turns out to be another is passed over. Null for whatever is there.</summary>
    public BackupInfo? Backup { get; init; }

    /// <summary>The only folder to look for pg_restore in; null for PATH and the usual ones.</summary>
    public string? ClientToolFolder { get; init; }

    /// <summary>Whether the system has files that lie in memory; null to ask it. Tests of other systems say no.</summary>
    internal bool? HasMemoryFiles { get; init; }
}
