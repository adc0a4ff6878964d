using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR.Engine.Operations.Jobs;

/// <summary>One run of a scheduled job.</summary>
/// <param name="Kind">Daily, Weekly or Monthly.</param>
public sealed record JobOptions(BackupKind Kind)
{
    /// <summary>What is backed up, one after another.</summary>
    public required IReadOnlyList<JobDatabase> Databases { get; init; }

    /// <summary>All stores of the plan: where earlier backups are, and where the rules remove some.</summary>
    public required IReadOnlyList<StoreSettings> Stores { get; init; }

    /// <summary>The file that keeps two jobs of one plan from running at the same time.</summary>
    public required string LockFile { get; init; }

    public VerificationLevel Verify { get; init; }

    public RetentionRules Retention { get; init; } = new();

    /// <summary>Whether backups whose time is up are removed.</summary>
    public bool RemoveExpired { get; init; } = true;

    /// <summary>Opens encrypted backups, and says whose signature is believed.</summary>
    public ArchiveAccess? Access { get; init; }

    /// <summary>For the whole job; null for no limit.</summary>
    public TimeSpan? TimeLimit { get; init; }

    /// <summary>For how long nothing may move; null for any.</summary>
    public TimeSpan? Stall { get; init; }
}

/// <summary>A database of a job.</summary>
/// <param name="Name">What the plan calls it.</param>
/// <param name="Backup">How it is backed up; null when that could not even be prepared.</param>
/// <param name="Problem">Why it could not.</param>
public sealed record JobDatabase(string Name, BackupOptions? Backup, MoltException? Problem = null);
