using System.Globalization;
using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR.Engine.Operations.Jobs;

public enum JobStatus
{
    Succeeded,

    /// <summary>Every database has a verified backup, and something else is wrong: see the problems.</summary>
    Warning,

    /// <summary>A database has no new backup, or one that did not pass.</summary>
    Failed,

    /// <summary>Only looked at.</summary>
    NotRun,
}

/// <summary>What was being done when something went wrong.</summary>
public enum JobArea
{
    Backup,

    /// <summary>A copy that one of several stores did not get.</summary>
    Copy,
    Verification,

    /// <summary>The backup was made, and is much smaller or larger than those before.</summary>
    Size,

    /// <summary>A clock has gone backwards.</summary>
    Clock,
    Retention,
}

/// <summary>What became of a job.</summary>
public sealed record JobResult(BackupKind Kind, DateTimeOffset Started, TimeSpan Duration, IReadOnlyList<JobBackup> Backups, IReadOnlyList<JobRemoval> Removed, IReadOnlyList<JobProblem> Problems)
{
    /// <summary>What became of what people were told; empty where the plan has no route.</summary>
    public IReadOnlyList<AlertDelivery> Alerts { get; init; } = [];

    public JobStatus Status => Problems.Any(p => p.IsFatal) ? JobStatus.Failed
        : Problems.Count > 0 ? JobStatus.Warning
        : Backups.Any(b => b.Backup is not null) ? JobStatus.Succeeded : JobStatus.NotRun;

    public override string ToString() => $"{Kind} job: {Status}";
}

/// <summary>What became of one database.</summary>
/// <param name="Database">What the plan calls it.</param>
/// <param name="Backup">Null when there is none.</param>
/// <param name="Verifications">Of each copy.</param>
public sealed record JobBackup(string Database, BackupInfo? Backup, IReadOnlyList<VerificationResult> Verifications)
{
    /// <summary>There is a backup, and every copy passed.</summary>
    public bool IsVerified => Backup is not null && Verifications.Count >= Backup.Locations.Length && Verifications.All(v => v.Passed);

    public override string ToString() => Database + (Backup is null ? ": no backup" : $": {Backup.Name}, {(IsVerified ? "verified" : "NOT verified")}");
}

/// <summary>A backup that a rule removed.</summary>
/// <param name="Store">From which store.</param>
/// <param name="Name">Its file name.</param>
/// <param name="Reason">Why.</param>
public sealed record JobRemoval(string Store, string Name, string Reason)
{
    public override string ToString() => $"{Store}: {Name}";
}

/// <summary>Something that went wrong in a job.</summary>
/// <param name="Area">Where.</param>
/// <param name="Database">What the plan calls the database; null when it is of no single one.</param>
/// <param name="Error">What.</param>
public sealed record JobProblem(JobArea Area, string? Database, MoltException Error)
{
    /// <summary>Without a backup that passed there is none; all else can wait for the morning.</summary>
    public bool IsFatal => Area is JobArea.Backup or JobArea.Verification && Error.Id != "VerifiedLess";

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Area}{(Database is null ? "" : $" of {Database}")}: {Error.Message}");
}
