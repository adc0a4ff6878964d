using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Recovery.Rows;

namespace MoltBeat.DR;

/// <summary>Walks back through the backups to the newest that still has some rows, and tells when they disappeared.</summary>
[Cmdlet(VerbsCommon.Find, "MoltRow", DefaultParameterSetName = FromBackup)]
[OutputType(typeof(FoundRows))]
public sealed class FindMoltRowCommand : RowCommand
{
    /// <summary>The table: name or schema.name, as PostgreSQL keeps it.</summary>
    [Parameter(Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string Table { get; set; } = "";

    /// <summary>A condition in SQL, as behind WHERE, on the table's rows as the backups have them.</summary>
    [Parameter(Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string Where { get; set; } = "";

    /// <summary>How many rows a backup must have to end the search.</summary>
    [Parameter]
    [ValidateRange(1, long.MaxValue)]
    public long MinimumRows { get; set; } = 1;

    protected override AuditAction? Audits => new("FindRows", IsGuarded: true);

    protected override void EndProcessing() => Audited(Find);

    private void Find(AuditSubject subject)
    {
        if (!TryGetAccess(out var access) || !TryGetAll(access, out var all) || !TryConnect(all[0].Database, out var connection))
        {
            return;
        }

        (subject.Database, subject.Server, subject.Target) = (all[0].Database, connection.Describe(), Table);
        var options = new RowSearchOptions { Connection = connection, Table = Table, Where = Where, MinimumRows = MinimumRows, Access = access };
        try
        {
            var copies = all.Select(b => (Backup: b, Copies: CopiesOf(b.Path, b.Locations))).ToList();
            var settings = copies.SelectMany(c => c.Copies.Select(x => x.Store)).DistinctBy(s => s.Location).ToList();
            subject.In(settings);
            if (RunOn(settings, (stores, observer, token) => RowSearch.RunAsync(
                copies.ConvertAll(c => (c.Backup, (IReadOnlyList<(Engine.Storage.IBackupStore, string)>)c.Copies.Select(x => (stores.First(s => s.Location == x.Store.Location), x.Name)).ToList())), options, observer, token), out var found, Table))
            {
                subject.IsDone = true;
                subject.Backup = found.Backup?.Name;
                WriteObject(found);
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, Table);
        }
    }
}
