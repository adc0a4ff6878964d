using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Operations.Jobs;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR;

/// <summary>What a scheduler calls: backs up the plan's databases, verifies every copy, and removes what the rules let go.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "MoltJob", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(JobResult))]
public sealed class InvokeMoltJobCommand : KeyCommand
{
    private readonly List<IDisposable> keys = [];

    /// <summary>Which of the plan's jobs.</summary>
    [Parameter(Position = 0, Mandatory = true)]
    public JobKind Kind { get; set; }

    /// <summary>Only these databases of the plan, by their names there.</summary>
    [Parameter]
    [SupportsWildcards]
    public string[]? Database { get; set; }

    /// <summary>Remove nothing, whatever the rules say.</summary>
    [Parameter]
    public SwitchParameter KeepExpired { get; set; }

    /// <summary>The folder of PostgreSQL's client programs, in place of PATH and the usual ones.</summary>
    [Parameter]
    public string? ClientToolPath { get; set; }

    protected override AuditAction? Audits => new("Job", IsGuarded: false);

    protected override void EndProcessing() => Audited(RunJob);

    private void RunJob(AuditSubject subject)
    {
        subject.Detail = Kind.ToString();
        var sender = Sender();
        if (!TryPrepare(subject, out var options))
        {
            Tell(sender, JobAlerts.OfNone(Kind.ToString(), Plan.Databases.Select(d => d.Name), null));
            return;
        }

        Task<bool> ApproveAsync(IOperationObserver observer, string target, string action, CancellationToken token) => ConfirmAsync(observer, target, action, null, token);
        if (!Run((observer, token) => JobOperation.RunAsync(options, (target, action) => ApproveAsync(observer, target, action, token), observer, TimeProvider.System, token), out var result, Kind))
        {
            return;
        }

        subject.IsDone = result.Status is JobStatus.Succeeded or JobStatus.Warning;
        Write(result with { Alerts = Tell(sender, JobAlerts.Of(result)) });
    }

    /// <summary>What tells people; null where the plan has no route. A secret that is missing makes that route's alerts wait, and not the job fail.</summary>
    private AlertSender? Sender()
    {
        try
        {
            return Plan.Plan.Alerts.Routes.Count == 0 ? null
                : new AlertSender(Plan.Plan.Alerts, SessionPlan.Secrets(this), AlertSettings.Of(Plan.Plan.Alerts, SessionState.Path.CurrentFileSystemLocation.ProviderPath));
        }
        catch (MoltException)
        {
            // The plan cannot be read: told when it is read for the job itself.
            return null;
        }
    }

    /// <summary>Sends alerts. That one cannot be delivered never makes a job fail that has made its backups: it is a warning, and waits.</summary>
    private List<AlertDelivery> Tell(AlertSender? sender, IReadOnlyList<Alert> alerts)
    {
        var deliveries = new List<AlertDelivery>();
        if (sender is null || alerts.Count == 0 || IsWhatIf)
        {
            return deliveries;
        }

        if (Run(async (_, token) =>
        {
            var sent = new List<AlertDelivery>();
            foreach (var alert in alerts)
            {
                sent.AddRange(await sender.SendAsync(alert, null, token).ConfigureAwait(false));
            }

            return sent;
        }, out var all))
        {
            deliveries.AddRange(all.Where(d => d.Status != AlertStatus.Unneeded));
        }

        foreach (var delivery in deliveries.Where(d => d.Status is AlertStatus.Waiting or AlertStatus.Failed))
        {
            WriteWarning($"The alert {delivery.Key} was not delivered on the route {delivery.Route}{(delivery.Status == AlertStatus.Waiting ? " yet, and waits" : "")}: {delivery.Detail}.");
        }

        return deliveries;
    }

    private void Write(JobResult result)
    {
        foreach (var backup in result.Backups)
        {
            WriteVerbose(backup.ToString());
        }

        foreach (var gone in result.Removed)
        {
            WriteVerbose($"Removed {gone}: {gone.Reason}");
        }

        if (result.Status != JobStatus.NotRun)
        {
            WriteObject(result);
        }

        // A warning does not end in a failure's exit code: there are good backups, and retention or another store can wait.
        foreach (var problem in result.Problems)
        {
            if (problem.Error.Id == "SizeAnomaly" || problem.Area == JobArea.Verification && !problem.IsFatal)
            {
                WriteWarning($"{problem} {problem.Error.Remedy}");
            }
            else
            {
                WriteItemFailure(problem.Error, problem.Database);
            }
        }
    }

    private bool TryPrepare(AuditSubject subject, [NotNullWhen(true)] out JobOptions? options)
    {
        options = null;
        if (!TryGetAccess(out var access))
        {
            return false;
        }

        try
        {
            var kind = Enum.Parse<BackupKind>(Kind.ToString());
            var job = Plan.Plan.Jobs.Jobs.First(j => j.Kind.Equals(Kind.ToString(), StringComparison.OrdinalIgnoreCase)).Job;
            var destinations = Plan.Plan.StoreSettings(Kind.ToString());
            var databases = Databases();
            subject.In(destinations).Database = string.Join(", ", databases);
            options = new JobOptions(kind)
            {
                Databases = databases.ConvertAll(d => Prepare(d, kind, destinations)),
                Stores = Plan.Plan.StoreSettings(),
                LockFile = StateFolder.JobLock(SessionState.Path.CurrentFileSystemLocation.ProviderPath, Plan),
                Verify = Enum.Parse<VerificationLevel>(job.Verify!),
                Retention = Plan.Retention,
                RemoveExpired = !KeepExpired,
                Access = access,
                TimeLimit = job.TimeLimitMinutes == 0 ? null : TimeSpan.FromMinutes(job.TimeLimitMinutes),
                Stall = job.StallMinutes == 0 ? null : TimeSpan.FromMinutes(job.StallMinutes),
            };
            return true;
        }
        catch (MoltException e)
        {
            WriteFailure(e, Kind);
            return false;
        }
    }

    private List<PlannedDatabase> Databases()
    {
        var patterns = Database?.Select(d => new WildcardPattern(d, WildcardOptions.IgnoreCase)).ToList();
        var chosen = Plan.Databases.Where(d => patterns is null || patterns.Exists(p => p.IsMatch(d.Name))).ToList();
        return chosen.Count > 0 ? chosen
            : throw new MoltException("DatabaseNotPlanned", ErrorKind.InvalidArgument, patterns is null ? $"The plan ({Plan.Source}) names no database, so that a job has nothing to do." : $"The plan ({Plan.Source}) has no database {string.Join(", ", Database!)}.",
                "See Get-MoltPlan for its databases; New-MoltPlan writes a plan with some.", Database);
    }

    /// <summary>What the plan says of one database. That one of them cannot be prepared is no reason to leave the others without a backup.</summary>
    private JobDatabase Prepare(PlannedDatabase database, BackupKind kind, IReadOnlyList<StoreSettings> destinations)
    {
        try
        {
            var plan = Plan.Plan;
            var secrets = SessionPlan.Secrets(this);
            var passphrase = plan.Signing?.Passphrase is { } reference ? secrets.Resolve(reference) : "";
            return new JobDatabase(database.Name, new BackupOptions
            {
                Connection = ConnectionSettings.Parse(secrets.Resolve(database.Url)),
                Destinations = destinations,
                MinimumCopies = plan.MinimumCopies,
                Kind = kind,
                ExcludeTables = database.ExcludeTables,
                ExcludeTableData = database.ExcludeTableData,
                Captures = PlannedCaptures(),
                Seal = Keep(Wait(token => ArchiveKeys.SealAsync(plan.Recipients, token))),
                Signer = Keep(Wait(token => ArchiveKeys.SignerAsync(plan.Signing?.Key, passphrase, token))),
                ClientToolFolder = ClientToolPath is null ? null : GetUnresolvedProviderPathFromPSPath(ClientToolPath),
            });
        }
        catch (MoltException e)
        {
            return new JobDatabase(database.Name, null, e);
        }
    }

    /// <summary>New ones for each backup: they keep what they saw.</summary>
    private List<ICapture> PlannedCaptures() => [.. EnvironmentFiles.Find(Plan.Plan.Environment), .. FolderCapture.Of(Plan.Plan.Folders), .. RedisServers.Captures(this, null, Plan.Plan.Redis)];

    private T Keep<T>(T key)
    {
        if (key is IDisposable disposable)
        {
            keys.Add(disposable);
        }

        return key;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            keys.ForEach(k => k.Dispose());
        }

        base.Dispose(disposing);
    }
}
