using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR;

/// <summary>Checks the places where backups are kept, and sweeps what unfinished backups have left there.</summary>
[Cmdlet(VerbsDiagnostic.Test, "MoltStore", SupportsShouldProcess = true)]
[OutputType(typeof(StoreHealthResult))]
public sealed class TestMoltStoreCommand : StoreCommand
{
    /// <summary>Folders, and buckets as s3://bucket/prefix. Without it all stores of the plan.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true)]
    public string[]? Store { get; set; }

    /// <summary>The longest time for which a backup is to be kept: seconds, or d.hh:mm:ss. Without it the longest that the plan's rules give.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? KeepFor { get; set; }

    /// <summary>Names of checks that do not apply here.</summary>
    [Parameter]
    public string[] Except { get; set; } = [];

    /// <summary>Removes leftovers that are older than a day.</summary>
    [Parameter]
    public SwitchParameter Repair { get; set; }

    protected override AuditAction? Audits => Repair ? new("Sweep", IsGuarded: true) : null;

    protected override void ProcessRecord()
    {
        IReadOnlyList<StoreSettings> stores;
        try
        {
            stores = StoresOf(Store);
        }
        catch (MoltException e)
        {
            WriteFailure(e);
            return;
        }

        foreach (var store in stores)
        {
            Audited(subject => Check(store, subject.In(store)));
        }
    }

    private void Check(StoreSettings store, AuditSubject subject)
    {
        var health = StoreHealth.Of(store);
        if (!Run(async (observer, token) => await health.CheckAsync(
            new StoreHealthOptions
            {
                LongestRetention = KeepFor ?? Plan.Retention.Rules.Max(r => r.Rule.Keep),
                NewestSize = await NewestSizeAsync(store, observer, token).ConfigureAwait(false),
                Except = Except,
            }, token).ConfigureAwait(false), out var result, store.Location))
        {
            return;
        }

        if (Repair)
        {
            var chosen = result.Leftovers.Where(l => l.IsStale && Confirm(l.Location, "Remove what an unfinished backup has left")).ToList();
            if (chosen.Count > 0 && Run((_, token) => health.RepairAsync(result, chosen, token), out var repaired, store.Location))
            {
                result = repaired;
                subject.Detail = string.Join(", ", repaired.Leftovers.Where(l => l.Removed).Select(l => l.Name));
                subject.IsDone = true;
            }
        }

        foreach (var check in result.Checks)
        {
            WriteVerbose($"{check.Name}: {check.Status}. {check.Detail}");
        }

        WriteObject(result);
        if (!result.Passed)
        {
            WriteFailure(new MoltException("StoreCheckFailed", ErrorKind.Failed,
                $"{result.Location} did not pass: {string.Join("; ", result.Failed.Select(c => $"{c.Name}: {c.Detail}"))}.",
                string.Join(" ", result.Failed.Select(c => c.Remedy)), result.Location));
        }
    }

    /// <summary>Bytes of the largest of all databases' newest backups; null when there is none. Only a folder's free space is judged by it.</summary>
    private static async Task<long?> NewestSizeAsync(StoreSettings settings, IOperationObserver observer, CancellationToken cancellationToken)
    {
        if (settings.IsS3)
        {
            return null;
        }

        using var store = BackupStores.Open(settings, observer);
        var backups = await new BackupCatalog(store).ListAsync(_ => { }, cancellationToken).ConfigureAwait(false);
        return backups.GroupBy(b => b.Database, StringComparer.Ordinal).Max(g => (long?)g.First().Size);
    }
}
