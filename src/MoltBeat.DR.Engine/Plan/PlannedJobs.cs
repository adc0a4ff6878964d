using System.Globalization;
using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>What scheduled jobs do beyond making a backup, by kind. Made without arguments it holds the defaults.</summary>
public sealed record PlannedJobs
{
    public PlannedJob Daily { get => Complete(field, PlannedJob.Quick, "0 2 * * *"); init; }

    public PlannedJob Weekly { get => Complete(field, PlannedJob.Full, "0 3 * * 0"); init; }

    public PlannedJob Monthly { get => Complete(field, PlannedJob.Full, "0 4 1 * *"); init; }

    /// <summary>All jobs, by the kind's name as the plan writes it.</summary>
    [JsonIgnore]
    public IReadOnlyList<(string Kind, PlannedJob Job)> Jobs => [("daily", Daily), ("weekly", Weekly), ("monthly", Monthly)];

    private static PlannedJob Complete(PlannedJob? job, string level, string at)
    {
        job ??= new PlannedJob();
        return job with { Verify = job.Verify ?? level, At = job.At ?? at };
    }
}

/// <summary>What one kind of job does.</summary>
/// <param name="At">When a scheduler calls it: five fields of cron, in UTC, or <see cref="Never"/>. Null for the kind's default.</param>
/// <param name="Verify"><see cref="Quick"/> or <see cref="Full"/>: how much is looked at of each copy that was made. Null for the kind's default.</param>
/// <param name="TimeLimitMinutes">The whole job may take so long; 0 for no limit.</param>
/// <param name="StallMinutes">A backup or verification of which no byte moves for so long is ended; 0 for never.</param>
public sealed record PlannedJob(string? At = null, string? Verify = null, int TimeLimitMinutes = PlannedJob.DefaultTimeLimitMinutes, int StallMinutes = PlannedJob.DefaultStallMinutes)
{
    public const string Quick = "Quick";
    public const string Full = "Full";

    /// <summary>No scheduler calls it.</summary>
    public const string Never = "never";

    /// <summary>Twelve hours: before the next night's job.</summary>
    public const int DefaultTimeLimitMinutes = 720;

    public const int DefaultStallMinutes = 15;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(At == Never ? At : $"at {At} UTC")}, {Verify}, at most {(TimeLimitMinutes == 0 ? "any" : TimeLimitMinutes)} minutes, {(StallMinutes == 0 ? "any" : StallMinutes)} of silence");
}
