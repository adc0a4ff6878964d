using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>Writes a first plan, with comments, from the parameters and from the old scripts' variables.</summary>
[Cmdlet(VerbsCommon.New, "MoltPlan", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(PlanInForce))]
public sealed class NewMoltPlanCommand : MoltCommand
{
    /// <summary>The file to write. Without it the machine's plan for an administrator, else the user's.</summary>
    [Parameter(Position = 0)]
    public string? Path { get; set; }

    /// <summary>The database: a URL without a password, or a reference to one. Without it env:DATABASE_URL, when that is set.</summary>
    [Parameter]
    public string? DatabaseUrl { get; set; }

    /// <summary>Folders and s3://bucket/prefix URIs, nearest first. Without it BACKUP_DIR and S3_BUCKET.</summary>
    [Parameter]
    public string[]? Destination { get; set; }

    /// <summary>In how many of the places a backup must be whole to count as made.</summary>
    [Parameter]
    [ValidateRange(1, 100)]
    public int MinimumCopies { get; set; } = 1;

    /// <summary>Replaces a file that is there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override AuditAction? Audits => new("WritePlan", IsGuarded: false);

    protected override void ProcessRecord() => Audited(WritePlan);

    private void WritePlan(AuditSubject subject)
    {
        try
        {
            var locator = SessionPlan.Locator(this);
            var path = SessionPlan.Resolve(this, Path) ?? locator.NewPlanPath;
            subject.Target = path;
            var text = PlanWriter.Text(Fill(locator.FromVariables().Plan));
            if (Confirm(path, "Write the plan"))
            {
                PlanWriter.Write(path, text, Force);
                subject.IsDone = true;
                WriteObject(SessionPlan.Locate(this, path));
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
        }
    }

    private BackupPlan Fill(BackupPlan plan) => plan with
    {
        MinimumCopies = MinimumCopies,
        Databases = DatabaseUrl is null ? plan.Databases : [new PlannedDatabase("default", DatabaseUrl)],
        Stores = Destination is null ? plan.Stores : Stores(Destination),
    };

    private List<PlannedStore> Stores(string[] places)
    {
        var stores = new List<PlannedStore>();
        foreach (var place in places)
        {
            var bucket = StoreSettings.IsUri(place);
            var name = bucket ? "s3" : "local";
            var same = stores.Count(s => StoreSettings.IsUri(s.Location) == bucket);
            stores.Add(new PlannedStore(same == 0 ? name : $"{name}-{same + 1}", bucket ? place : GetUnresolvedProviderPathFromPSPath(place)));
        }

        return stores;
    }
}
