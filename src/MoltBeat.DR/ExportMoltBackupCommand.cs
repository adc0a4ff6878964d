using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Recovery.Export;

namespace MoltBeat.DR;

/// <summary>Writes a backup out for stock tools: as SQL for psql, or as a folder of its members. What was encrypted is not any more.</summary>
[Cmdlet(VerbsData.Export, "MoltBackup", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(ExportResult))]
public sealed class ExportMoltBackupCommand : KeyCommand
{
    /// <summary>The archive; Get-MoltBackup's objects bind here.</summary>
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string Path { get; set; } = "";

    /// <summary>All copies, as Get-MoltBackup's objects bring them along: when one is damaged or cannot be reached, the next is taken.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public BackupLocation[]? Locations { get; set; }

    /// <summary>The file to write, such as blog.sql.gz, or with -As Folder the folder to make.</summary>
    [Parameter(Position = 1, Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = "";

    /// <summary>Sql writes one compressed file that psql takes; Folder the backup's members with a restore.sh.</summary>
    [Parameter(Mandatory = true)]
    public ExportForm As { get; set; }

    /// <summary>For -As Sql: the server on which the backup is restored for the while, under a name of its own. Without it the plan's, DATABASE_URL, then libpq's variables.</summary>
    [Parameter]
    [Alias("ConnectionString")]
    [ValidateNotNullOrEmpty]
    public string? DatabaseUrl { get; set; }

    /// <summary>Role and password, over what the connection string says.</summary>
    [Parameter]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>Loads, index builds and readers at once; by default one for each core of this machine, at most 8.</summary>
    [Parameter]
    [ValidateRange(1, 64)]
    public int Jobs { get; set; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>The folder of pg_dump and pg_restore, in place of PATH and the usual ones.</summary>
    [Parameter]
    public string? ClientToolPath { get; set; }

    /// <summary>Overwrite the file when it is there.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override AuditAction? Audits => new("Export", IsGuarded: true);

    protected override void ProcessRecord() => Audited(Export);

    private void Export(AuditSubject subject)
    {
        IReadOnlyList<(StoreSettings Store, string Name)> copies;
        try
        {
            copies = CopiesOf(Path, Locations);
            subject.In(copies.Select(c => c.Store)).Backup = copies[0].Name;
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
            return;
        }

        var destination = GetUnresolvedProviderPathFromPSPath(Destination);
        subject.Target = destination;
        var settings = copies.Select(c => c.Store).ToList();
        if (!TryGetAccess(out var access)
            || !RunOn(settings, (stores, observer, token) => new BackupCatalog(stores, access).ReadNearestAsync(copies[0].Name, e => observer.Warning(e.Message), token), out var nearest, Path))
        {
            return;
        }

        var (backup, at) = (nearest.Backup, nearest.Skipped);
        (subject.Database, subject.BackupId) = (backup.Database, backup.Id);
        var action = $"Write {backup.Name} as {(As == ExportForm.Sql ? "SQL" : "a folder of its members")}{(backup.Encrypted ? ", DECRYPTED: whoever can read it reads all data" : "")}";
        ExportResult? result;
        if (As == ExportForm.Folder)
        {
            if (!Confirm(destination, action)
                || !RunOn([copies[at].Store], (stores, observer, token) => FolderExport.RunAsync(stores[0], copies[at].Name, access, destination, observer, token), out result, Path))
            {
                return;
            }
        }
        else
        {
            if (!TryParse(() => UrlOf(DatabaseUrl, planned => planned.Count == 1 ? planned[0] : planned.FirstOrDefault(d => d.Name == backup.Database)), Credential, out var connection))
            {
                return;
            }

            var options = new RestoreOptions { Access = access, Connection = connection, TargetDatabase = "", Jobs = Jobs, Backup = backup, ClientToolFolder = ClientToolPath is null ? null : GetUnresolvedProviderPathFromPSPath(ClientToolPath) };
            if (!RunOn(settings.Skip(at).ToList(), (stores, observer, token) => SqlExport.RunAsync(stores.Zip(copies.Skip(at), (s, c) => (s, c.Name)).ToList(), options, destination, Force,
                plan => ConfirmAsync(observer, destination, $"{action}; restore it for the while on {connection.Describe()}: {plan}", null, token), observer, token), out result, Path))
            {
                return;
            }
        }

        if (result is not null)
        {
            subject.IsDone = true;
            WriteObject(result);
            if (result.WasEncrypted)
            {
                WriteWarning($"{result.Path} is not encrypted, and holds all data of {backup.Database}.");
            }
        }
    }
}
