using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>Removes backups: those that are named, or those whose time is up by the plan's rules.</summary>
[Cmdlet(VerbsCommon.Remove, "MoltBackup", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High, DefaultParameterSetName = OfBackups)]
[OutputType(typeof(RemovalResult))]
public sealed class RemoveMoltBackupCommand : TrustCommand
{
    private const string OfBackups = "Backup";
    private const string OfRules = "Expired";

    /// <summary>What each store holds, listed once.</summary>
    private readonly Dictionary<string, List<BackupInfo>> listed = new(StringComparer.Ordinal);

    /// <summary>The archive; Get-MoltBackup's objects bind here.</summary>
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, ParameterSetName = OfBackups)]
    [Alias("FullName")]
    public string Path { get; set; } = "";

    /// <summary>All copies, as Get-MoltBackup's objects bring them along: all of them are removed.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true, ParameterSetName = OfBackups)]
    public BackupLocation[]? Locations { get; set; }

    /// <summary>Remove what the plan's rules say, in every store by itself.</summary>
    [Parameter(Mandatory = true, ParameterSetName = OfRules)]
    public SwitchParameter Expired { get; set; }

    /// <summary>Only in these stores. Without it all stores of the plan.</summary>
    [Parameter(ParameterSetName = OfRules)]
    public string[]? Store { get; set; }

    /// <summary>Remove a backup although it is the last good one of its database in a store. A pin, a reader and an object lock hold all the same.</summary>
    [Parameter(ParameterSetName = OfBackups)]
    public SwitchParameter Force { get; set; }

    protected override AuditAction? Audits => new("Remove", IsGuarded: true);

    protected override void ProcessRecord()
    {
        try
        {
            if (ParameterSetName == OfBackups)
            {
                foreach (var (store, name) in CopiesOf(Path, Locations))
                {
                    Audited(subject => RemoveNamed(store, name, subject.In(store)));
                }
            }
            else
            {
                RemoveExpired();
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
        }
    }

    private void RemoveNamed(StoreSettings store, string name, AuditSubject subject)
    {
        subject.Backup = name;
        var here = ListOf(store);
        if (here is null || !Confirm(store.ItemLocation(name), "Remove the backup"))
        {
            return;
        }

        var backup = here.Find(b => b.Name == name);
        (subject.Database, subject.BackupId) = (backup?.Database, backup?.Id);
        if (Force && backup is not null && !MayRemoveLast(store, backup, here))
        {
            return;
        }

        if (Remove(store, name, here, Force))
        {
            subject.IsDone = true;
            if (backup is null)
            {
                return;
            }

            here.Remove(backup);
            WriteObject(RemovalResult.Of(backup, store, RemovalStatus.Removed, null, "asked for"));
        }
    }

    private void RemoveExpired()
    {
        var stores = StoresOf(Store);
        var rules = Plan.Retention;
        var unreadable = new List<MoltException>();

        if (!TryGetTrust(out var trust))
        {
            return;
        }

        // Listed together: what one store's copy passed speaks for the same backup in another.
        if (!RunOn(stores, (open, _, token) => new BackupCatalog(open, trust).ListAsync(unreadable.Add, token), out var all))
        {
            return;
        }

        unreadable.ForEach(e => WriteFailure(e));
        foreach (var store in stores)
        {
            if (RunOn([store], (open, _, token) => new BackupRemoval(open[0]).DecideAsync(all, rules, DateTimeOffset.UtcNow, token), out var decisions, store.Location))
            {
                Apply(store, all, decisions);
            }
        }
    }

    private void Apply(StoreSettings store, List<BackupInfo> all, IReadOnlyList<RetentionDecision> decisions)
    {
        // Oldest first: cut short, what is left is what would be left a while ago.
        foreach (var decision in decisions.Reverse())
        {
            var backup = all.Find(b => b.Id == decision.Backup.Id && b.Name == decision.Backup.Name)!;
            var status = RemovalStatus.Kept;
            if (decision.Goes)
            {
                status = RemovalStatus.Failed;
                Audited(subject =>
                {
                    (subject.In(store).Backup, subject.Database, subject.BackupId, subject.Detail) = (backup.Name, backup.Database, backup.Id, decision.Text);
                    subject.IsDone = ShouldRemove(store, decision) && Remove(store, backup.Name, all, force: false);
                    status = subject.IsDone ? RemovalStatus.Removed : IsDeclined ? RemovalStatus.WouldBeRemoved : RemovalStatus.Failed;
                });
            }

            WriteObject(RemovalResult.Of(backup, store, status, decision.Reason, decision.Text));
        }
    }

    /// <summary>The last good backup of a database is all that is left of it when the database is lost: its name has to be typed.</summary>
    private bool MayRemoveLast(StoreSettings store, BackupInfo backup, List<BackupInfo> here)
        => RunOn([store], (open, _, token) => new BackupRemoval(open[0]).IsLastGoodAsync(backup.Name, here, token), out var isLast, store.ItemLocation(backup.Name))
            && (!isLast || ConfirmByName(backup.Database, $"This removes the last good backup of {backup.Database} in {store.Location}.", Force));

    private bool ShouldRemove(StoreSettings store, RetentionDecision decision)
        => Confirm(store.ItemLocation(decision.Backup.Name), $"Remove the backup: {decision.Text}");

    private bool Remove(StoreSettings store, string name, IReadOnlyCollection<BackupInfo> others, bool force)
        => RunOn([store], async (open, _, token) =>
        {
            await new BackupRemoval(open[0]).RemoveAsync(name, others, force, token).ConfigureAwait(false);
            return true;
        }, out _, store.ItemLocation(name));

    private List<BackupInfo>? ListOf(StoreSettings store)
    {
        if (!listed.TryGetValue(store.Place, out var here))
        {
            if (!TryGetTrust(out var trust) || !RunOn([store], (open, _, token) => new BackupCatalog(open, trust).ListAsync(_ => { }, token), out here, store.Location))
            {
                return null;
            }

            listed[store.Place] = here;
        }

        return here;
    }
}
