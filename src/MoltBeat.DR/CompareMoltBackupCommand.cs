using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Recovery.Comparison;

namespace MoltBeat.DR;

/// <summary>Compares a backup with the living database, or with another backup: which rows are missing, which are more, which have changed.</summary>
[Cmdlet(VerbsData.Compare, "MoltBackup", DefaultParameterSetName = FromBackup)]
[OutputType(typeof(TableComparison), typeof(RowDifference))]
public sealed class CompareMoltBackupCommand : RowCommand
{
    /// <summary>Another backup, to be compared with in place of the living database.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? With { get; set; }

    /// <summary>Only these tables: name or schema.name, with * and ?.</summary>
    [Parameter]
    public string[] Table { get; set; } = [];

    /// <summary>Give each row that differs as an object, and no tables.</summary>
    [Parameter]
    public SwitchParameter Detail { get; set; }

    protected override AuditAction? Audits => new("Compare", IsGuarded: true);

    protected override void EndProcessing() => Audited(Compare);

    private void Compare(AuditSubject subject)
    {
        if (!TryGetAccess(out var access) || !TryGetNewest(access, subject, out var backup, out var copies) || !TryConnect(backup.Database, out var connection))
        {
            return;
        }

        (subject.Server, subject.Target) = (connection.Describe(), With ?? connection.Database);
        try
        {
            var second = With is null ? ((Engine.Plan.StoreSettings Store, string Name)?)null : ItemOf(With);
            var settings = copies.Take(1).Select(c => c.Store).Concat(second is { } s ? [s.Store] : []).ToList();
            var options = new ComparisonOptions { Connection = connection, Tables = Table, Detail = Detail, Access = access };
            subject.IsDone = RunOn(settings, async (stores, observer, token) =>
            {
                async Task WriteAsync(object value) => await ((PipelineBridge)observer).InvokeAsync(() => WriteObject(value), token).ConfigureAwait(false);
                await BackupComparison.RunAsync((stores[0], copies[0].Name), second is { } other ? (stores[1], other.Name) : null, options, table => Detail ? Task.CompletedTask : WriteAsync(table), WriteAsync, observer, token).ConfigureAwait(false);
                return true;
            }, out _, backup.Path);
        }
        catch (MoltException e)
        {
            WriteFailure(e, With);
        }
    }
}
