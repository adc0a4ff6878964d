using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR;

/// <summary>Pins a backup, so that nothing removes it, or takes the pin back.</summary>
[Cmdlet(VerbsCommon.Set, "MoltBackup", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium, DefaultParameterSetName = Pins)]
[OutputType(typeof(BackupInfo))]
public sealed class SetMoltBackupCommand : StoreCommand
{
    private const string Pins = "Pin";
    private const string Unpins = "Unpin";

    /// <summary>The archive; Get-MoltBackup's objects bind here.</summary>
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string Path { get; set; } = "";

    /// <summary>All copies, as Get-MoltBackup's objects bring them along: all of them are pinned.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public BackupLocation[]? Locations { get; set; }

    /// <summary>Keep the backup whatever the rules say, until it is unpinned.</summary>
    [Parameter(Mandatory = true, ParameterSetName = Pins)]
    public SwitchParameter Pin { get; set; }

    /// <summary>Take the pin back.</summary>
    [Parameter(Mandatory = true, ParameterSetName = Unpins)]
    public SwitchParameter Unpin { get; set; }

    /// <summary>Why; whoever wants to remove it one day reads this.</summary>
    [Parameter(Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string Reason { get; set; } = "";

    protected override AuditAction? Audits => Unpin ? new("Unpin", IsGuarded: true) : new("Pin", IsGuarded: false);

    protected override void ProcessRecord() => Audited(SetPin);

    private void SetPin(AuditSubject subject)
    {
        try
        {
            var copies = CopiesOf(Path, Locations);
            (subject.In(copies.Select(c => c.Store)).Backup, subject.Detail) = (copies[0].Name, Reason);
            if (Confirm(string.Join(", ", copies.Select(c => c.Store.ItemLocation(c.Name))), Pin ? $"Pin: {Reason}" : $"Unpin: {Reason}")
                && RunOn(copies.Select(c => c.Store).ToList(), (stores, _, token) => RecordAsync(stores, copies[0].Name, token), out var backup, Path))
            {
                (subject.Database, subject.BackupId, subject.IsDone) = (backup.Database, backup.Id, true);
                WriteObject(backup);
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
        }
    }

    private async Task<BackupInfo> RecordAsync(IReadOnlyList<IBackupStore> stores, string name, CancellationToken cancellationToken)
    {
        var catalog = new BackupCatalog(stores);
        var backup = await catalog.ReadAsync(name, cancellationToken).ConfigureAwait(false);
        var record = new PinRecord(backup.Id, Pin, Reason, Environment.UserName, Environment.MachineName, DateTimeOffset.UtcNow);
        foreach (var store in stores.Where(s => backup.Locations.Any(l => l.Store == s.Settings.Name)))
        {
            await BackupCatalog.RecordAsync(store, name, record, cancellationToken).ConfigureAwait(false);
        }

        return await catalog.ReadAsync(name, cancellationToken).ConfigureAwait(false);
    }
}
