using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Copying;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>Copies backups to another store, and reads back what arrived.</summary>
[Cmdlet(VerbsCommon.Copy, "MoltBackup", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium, DefaultParameterSetName = OfBackups)]
[OutputType(typeof(CopyResult))]
public sealed class CopyMoltBackupCommand : TrustCommand
{
    private const string OfBackups = "Backup";
    private const string OfStores = "Store";

    /// <summary>The archive; Get-MoltBackup's objects bind here.</summary>
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, ParameterSetName = OfBackups)]
    [Alias("FullName")]
    public string Path { get; set; } = "";

    /// <summary>All copies, as Get-MoltBackup's objects bring them along: when one is damaged or cannot be reached, the next is taken.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, ParameterSetName = OfBackups)]
    public BackupLocation[]? Locations { get; set; }

    /// <summary>The stores whose backups are copied, the nearest first. Without it all stores of the plan.</summary>
    [Parameter(ParameterSetName = OfStores)]
    public string[]? Source { get; set; }

    /// <summary>Only the newest backup of each database.</summary>
    [Parameter(Mandatory = true, ParameterSetName = OfStores)]
    public SwitchParameter Latest { get; set; }

    /// <summary>Where to: folders, and buckets as s3://bucket/prefix.</summary>
    [Parameter(Position = 1, Mandatory = true)]
    public string[] Destination { get; set; } = [];

    /// <summary>Do not read the copy back. What was sent is then only known to have been accepted.</summary>
    [Parameter]
    public SwitchParameter SkipReadBack { get; set; }

    protected override AuditAction? Audits => new("Copy", IsGuarded: false);

    protected override void ProcessRecord()
    {
        try
        {
            var destinations = StoresOf(Destination);
            if (!TryGetTrust(out var trust))
            {
                return;
            }

            if (ParameterSetName == OfBackups)
            {
                Copy(CopiesOf(Path, Locations), destinations, trust);
                return;
            }

            var unreadable = new List<MoltException>();
            if (RunOn(StoresOf(Source), (stores, _, token) => new BackupCatalog(stores, trust).ListAsync(unreadable.Add, token), out var backups))
            {
                unreadable.ForEach(e => WriteFailure(e));
                foreach (var newest in backups.GroupBy(b => b.Database, StringComparer.Ordinal).Select(g => g.First()))
                {
                    Copy(CopiesOf(newest.Path, newest.Locations), destinations, trust);
                }
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
        }
    }

    private void Copy(IReadOnlyList<(StoreSettings Store, string Name)> copies, IReadOnlyList<StoreSettings> destinations, ArchiveAccess? trust)
    {
        foreach (var destination in destinations)
        {
            Audited(subject => Copy(copies, destination, trust, subject));
        }
    }

    private void Copy(IReadOnlyList<(StoreSettings Store, string Name)> copies, StoreSettings destination, ArchiveAccess? trust, AuditSubject subject)
    {
        (subject.In(copies.Select(c => c.Store)).Backup, subject.Target) = (copies[0].Name, destination.Location);
        if (!Confirm(copies[0].Store.ItemLocation(copies[0].Name), $"Copy to {destination.Location}"))
        {
            return;
        }

        // A copy that is at the destination already is no source: it would be compared with itself.
        var sources = copies.Where(c => c.Store.Place != destination.Place).DefaultIfEmpty(copies[0]).ToList();
        if (RunOn([destination, .. sources.Select(s => s.Store)],
            (stores, observer, token) => CopyOperation.RunAsync(stores.Skip(1).Zip(sources, (s, c) => (s, c.Name)).ToList(), stores[0], !SkipReadBack, trust, observer, token), out var result, copies[0].Name))
        {
            (subject.Database, subject.BackupId, subject.Detail, subject.IsDone) = (result.Database, result.BackupId, result.Status.ToString(), true);
            WriteVerbose(string.Create(CultureInfo.InvariantCulture, $"{result.Path}: {result.Status}, {result.Size:N0} bytes in {result.Duration.TotalSeconds:0.0} s."));
            WriteObject(result);
        }
    }
}
