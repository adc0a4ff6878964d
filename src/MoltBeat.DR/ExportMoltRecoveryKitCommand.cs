using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Runbook;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR;

/// <summary>Writes a page for the day when nothing else is there: where backups are, how to open them, who holds the keys, whom to call, and the runbooks with this site's own names. No secret is in it.</summary>
[Cmdlet(VerbsData.Export, "MoltRecoveryKit", SupportsShouldProcess = true)]
[OutputType(typeof(RecoveryKitResult))]
public sealed class ExportMoltRecoveryKitCommand : StoreCommand
{
    /// <summary>The folder to write it into.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    /// <summary>Replace a kit that is there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override AuditAction? Audits => new("ExportKit", IsGuarded: false);

    protected override void ProcessRecord() => Audited(Export);

    private void Export(AuditSubject subject)
    {
        var folder = GetUnresolvedProviderPathFromPSPath(Path);
        subject.Target = folder;
        IReadOnlyList<StoreSettings> settings;
        PlanInForce plan;
        try
        {
            (plan, settings) = (Plan, StoresOf(null));
        }
        catch (MoltException e)
        {
            WriteFailure(e, PlanPath);
            return;
        }

        var connections = plan.Databases.Select(d => (Database: d, Connection: Connect(d, out var trouble), Trouble: trouble)).ToList();
        if (!Confirm(folder, "Write the recovery kit") || !RunOn(settings, async (stores, observer, token) =>
        {
            var databases = new List<KitDatabase>();
            foreach (var (database, connection, trouble) in connections)
            {
                databases.Add(connection is null ? new KitDatabase(database.Name, database.Url, [], trouble) : await KitOfAsync(database, connection, plan.Plan, stores, observer, token).ConfigureAwait(false));
            }

            return await new RecoveryKit(plan, stores, databases).WriteAsync(folder, Force, token).ConfigureAwait(false);
        }, out var kit, folder))
        {
            return;
        }

        subject.IsDone = true;
        foreach (var lack in kit.Missing)
        {
            WriteWarning($"The kit lacks something. {lack}");
        }

        WriteObject(kit);
    }

    private ConnectionSettings? Connect(PlannedDatabase database, out string? trouble)
    {
        try
        {
            trouble = null;
            return ConnectionSettings.Parse(SessionPlan.Secrets(this).Resolve(database.Url));
        }
        catch (MoltException e)
        {
            trouble = e.Message;
            return null;
        }
    }

    private static async Task<KitDatabase> KitOfAsync(PlannedDatabase database, ConnectionSettings connection, BackupPlan plan, IReadOnlyList<IBackupStore> stores, IOperationObserver observer, CancellationToken token)
    {
        var steps = new List<RunbookStep>();
        await foreach (var step in RunbookRunner.RunAsync(new RunbookOptions
        {
            Scenario = RecoveryScenario.DatabaseCorruption,
            Plan = plan,
            Connection = connection,
            BackedUpAs = connection.Database,
            Stores = stores,
            IncidentFolder = "",
            Preview = true,
        }, _ => Task.FromResult(false), observer, token).ConfigureAwait(false))
        {
            steps.Add(step);
        }

        return new KitDatabase(database.Name, database.Url, steps, null);
    }
}
