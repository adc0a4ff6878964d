using System.Globalization;
using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Operations.Jobs;

/// <summary>What people are told of a job: of each thing that can be wrong with a database either that it is, or that it is no longer.</summary>
public static class JobAlerts
{
    /// <summary>Alerts of a job that ran. Those that say that all is well are sent only where something else was told before.</summary>
    /// <param name="job">What became of it.</param>
    public static IReadOnlyList<Alert> Of(JobResult job)
    {
        ArgumentNullException.ThrowIfNull(job);
        if (job.Status == JobStatus.NotRun)
        {
            return [];
        }

        var alerts = new List<Alert>();
        foreach (var backup in job.Backups)
        {
            // A backup that could not be made says nothing of whether the last one's copies and rows were right.
            var name = backup.Database;
            alerts.Add(Tell(job, JobArea.Backup, AlertProblems.BackupFailed, name, backup.Backup is not null));
            alerts.Add(Tell(job, JobArea.Copy, AlertProblems.UploadFailed, name, backup.Backup is not null));
            alerts.Add(Tell(job, JobArea.Verification, AlertProblems.VerificationFailed, name, backup.IsVerified));
            alerts.Add(Tell(job, JobArea.Size, AlertProblems.SizeAnomaly, name, backup.Backup is not null));
        }

        alerts.Add(Tell(job, JobArea.Retention, AlertProblems.RetentionFailed, "retention", job.Backups.Any(b => b.IsVerified)));
        alerts.Add(Tell(job, JobArea.Clock, AlertProblems.HealthFailed, "clock", job.Backups.Any(b => b.Backup is not null)));
        return [.. alerts.Where(a => a.Summary.Length > 0)];
    }

    /// <summary>Of a job that could not even begin.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="databases">What it would have backed up.</param>
    /// <param name="why">The reason, without a secret; null when it stands elsewhere.</param>
    public static IReadOnlyList<Alert> OfNone(string kind, IEnumerable<string> databases, string? why)
        => [.. databases.Select(d => new Alert(AlertProblems.BackupFailed, d, $"{d} was not backed up: the {kind.ToLowerInvariant()} job could not begin. {why ?? "Its error output and the audit log say why."}"))];

    private static Alert Tell(JobResult job, JobArea area, string problem, string subject, bool isWell)
    {
        var found = job.Problems.Where(p => p.Area == area && (p.Database == subject || area is JobArea.Retention or JobArea.Clock) && (p.IsFatal || area != JobArea.Verification)).ToList();
        return found.Count > 0
            ? new Alert(problem, subject, $"{job.Kind} job: {found[0]}")
            {
                Details = new Dictionary<string, string>
                {
                    ["errorId"] = string.Join(", ", found.Select(p => p.Error.Id).Distinct()),
                    ["remedy"] = found[0].Error.Remedy ?? "",
                    ["problems"] = found.Count.ToString(CultureInfo.InvariantCulture),
                },
            }
            : new Alert(problem, subject, isWell ? $"{job.Kind} job of {subject}: it is well again" : "") { Kind = AlertKind.Resolve };
    }
}
