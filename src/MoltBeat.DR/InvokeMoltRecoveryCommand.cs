using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Runbook;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR;

/// <summary>Does what the runbook says: finds and verifies the newest good backup, stops the application, puts the restored database in the place of the present one, starts the application, and waits until it works.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "MoltRecovery", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(RunbookStep))]
public sealed class InvokeMoltRecoveryCommand : KeyCommand
{
    /// <summary>What has happened.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateSet(nameof(RecoveryScenario.DatabaseCorruption))]
    public string Scenario { get; set; } = "";

    /// <summary>The plan's name of the database; needed when the plan has several and -DatabaseUrl is not given.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Database { get; set; }

    /// <summary>The server and the database to recover, as a connection string. Without it the plan's.</summary>
    [Parameter]
    [Alias("ConnectionString")]
    [ValidateNotNullOrEmpty]
    public string? DatabaseUrl { get; set; }

    /// <summary>Role and password, over what the connection string says.</summary>
    [Parameter]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>Where backups are: folders, and buckets as s3://bucket/prefix, the nearest first. Without it all stores of the plan.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? Store { get; set; }

    /// <summary>The database's name in its backups, where it differs from the present one.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? BackedUpAs { get; set; }

    /// <summary>Only backups of before this time: those of after the damage hold it, too.</summary>
    [Parameter]
    [UtcTime]
    public DateTimeOffset? Before { get; set; }

    /// <summary>Go on with the newest recovery of this database that has not come to its end, with the step that it stands at.</summary>
    [Parameter]
    public SwitchParameter Resume { get; set; }

    /// <summary>The folder in which recoveries are recorded.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? IncidentPath { get; set; }

    /// <summary>Together with -Confirm:$false: recover without the database's name being typed.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Loads, index builds and readers at once; by default one for each core of this machine, at most 8.</summary>
    [Parameter]
    [ValidateRange(1, 64)]
    public int Jobs { get; set; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>The folder of pg_restore, in place of PATH and the usual ones.</summary>
    [Parameter]
    public string? ClientToolPath { get; set; }

    protected override AuditAction? Audits => new("Recover", IsGuarded: true);

    protected override void ProcessRecord() => Audited(Recover);

    private void Recover(AuditSubject subject)
    {
        IReadOnlyList<StoreSettings> stores;
        AlertSender? alerts;
        try
        {
            stores = StoresOf(Store);
            alerts = Plan.Plan.Alerts.Routes.Count > 0 ? new AlertSender(Plan.Plan.Alerts, SessionPlan.Secrets(this), AlertSettings.Of(Plan.Plan.Alerts, SessionState.Path.CurrentFileSystemLocation.ProviderPath)) : null;
        }
        catch (MoltException e)
        {
            WriteFailure(e, Store);
            return;
        }

        if (!TryParse(() => UrlOf(DatabaseUrl, Planned), Credential, out var connection) || !TryGetAccess(out var access))
        {
            return;
        }

        (subject.In(stores).Database, subject.Target, subject.Server, subject.Detail) = (connection.Database, connection.Database, connection.Describe(), Scenario);
        if (!IsWhatIf && !ConfirmByName(connection.Database, $"This recovers the database {connection.Database} ({connection.Describe()}): it stops the application, ends all sessions, and puts the newest good backup in the database's place.", Force))
        {
            return;
        }

        RunbookStep? last = null;
        RunEach((observer, token) => StepsAsync(stores, opened => new RunbookOptions
        {
            Scenario = Enum.Parse<RecoveryScenario>(Scenario),
            Plan = Plan.Plan,
            Connection = connection,
            BackedUpAs = BackedUpAs ?? connection.Database,
            Stores = opened,
            Access = access,
            Before = Before,
            Alerts = alerts,
            IncidentFolder = IncidentPath is null ? RunbookOptions.DefaultFolder(SessionState.Path.CurrentFileSystemLocation.ProviderPath) : GetUnresolvedProviderPathFromPSPath(IncidentPath),
            Resume = Resume,
            Preview = IsWhatIf,
            Jobs = Jobs,
            ClientToolFolder = ClientToolPath is null ? null : GetUnresolvedProviderPathFromPSPath(ClientToolPath),
        }, connection, observer, token), step =>
        {
            last = step;
            WriteObject(step);
            if (step.Remaining is { } left && left < TimeSpan.Zero)
            {
                WriteWarning(string.Create(CultureInfo.InvariantCulture, $"The recovery takes {-left.TotalMinutes:0.0} min longer than its RTO."));
            }
        }, connection.Database);
        if (last is { Name: "Report", Status: RunbookStatus.Done })
        {
            subject.IsDone = true;
            subject.Detail = $"{Scenario}: {last.Detail}";
        }
    }

    private async IAsyncEnumerable<RunbookStep> StepsAsync(IReadOnlyList<StoreSettings> settings, Func<IReadOnlyList<IBackupStore>, RunbookOptions> options, ConnectionSettings connection, IOperationObserver observer, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken token)
    {
        var stores = new List<IBackupStore>();
        try
        {
            stores.AddRange(settings.Select(s => BackupStores.Open(s, observer)));
            await foreach (var step in RunbookRunner.RunAsync(options(stores), step => ConfirmAsync(observer, $"{connection.Database} ({connection.Describe()})", step.Detail, null, token), observer, token).ConfigureAwait(false))
            {
                yield return step;
            }
        }
        finally
        {
            stores.ForEach(s => s.Dispose());
        }
    }

    /// <exception cref="MoltException"><c>DatabaseNotChosen</c>.</exception>
    private PlannedDatabase? Planned(IReadOnlyList<PlannedDatabase> planned)
        => Database is not null
            ? planned.FirstOrDefault(d => d.Name.Equals(Database, StringComparison.OrdinalIgnoreCase)) ?? throw new MoltException("DatabaseNotChosen", ErrorKind.InvalidArgument, $"The plan has no database {Database}.", $"Name one of: {string.Join(", ", planned)}.", Database)
            : planned.Count > 1 ? throw new MoltException("DatabaseNotChosen", ErrorKind.InvalidArgument, $"The plan has {planned.Count} databases, and nothing says which is to be recovered.", $"Name one with -Database: {string.Join(", ", planned)}.", null)
            : planned.FirstOrDefault();
}
