using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;

namespace MoltBeat.DR;

/// <summary>Restores a backup into a new database, and proves that it is all there.</summary>
[Cmdlet(VerbsData.Restore, "MoltBackup", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(RestoreResult))]
public sealed class RestoreMoltBackupCommand : StoreCommand
{
    /// <summary>The archive; Get-MoltBackup's objects bind here.</summary>
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string Path { get; set; } = "";

    /// <summary>All copies, as Get-MoltBackup's objects bring them along: when one is damaged or cannot be reached, the next is taken.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public BackupLocation[]? Locations { get; set; }

    /// <summary>The server to restore to, as a connection string; its database need not exist. Without it the plan's, DATABASE_URL, then libpq's variables.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("ConnectionString")]
    public string? DatabaseUrl { get; set; }

    /// <summary>Role and password, over what the connection string says.</summary>
    [Parameter]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>The database to make. It must not be there yet, or be empty. Without it: the backup's database and time, as in moltbeat_restored_20260131_120000.</summary>
    [Parameter(Position = 1)]
    public string? TargetDatabase { get; set; }

    /// <summary>Only these tables: name or schema.name, with * and ?.</summary>
    [Parameter]
    public string[] Table { get; set; } = [];

    /// <summary>Loads, index builds and readers at once; by default one for each core of this machine, at most 8.</summary>
    [Parameter]
    [ValidateRange(1, 64)]
    public int Jobs { get; set; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>Do not compare the restored rows with the backup.</summary>
    [Parameter]
    public SwitchParameter SkipProof { get; set; }

    /// <summary>Leave the half-made database after a failure.</summary>
    [Parameter]
    public SwitchParameter KeepFailed { get; set; }

    /// <summary>Everything belongs to the restoring role; no rights are granted.</summary>
    [Parameter]
    public SwitchParameter NoOwner { get; set; }

    /// <summary>Make missing roles, from the backup's globals.</summary>
    [Parameter]
    public SwitchParameter CreateRoles { get; set; }

    /// <summary>Put everything into the default tablespace.</summary>
    [Parameter]
    public SwitchParameter NoTablespaces { get; set; }

    /// <summary>The folder of pg_restore, in place of PATH and the usual ones.</summary>
    [Parameter]
    public string? ClientToolPath { get; set; }

    protected override void ProcessRecord()
    {
        IReadOnlyList<(StoreSettings Store, string Name)> copies;
        try
        {
            copies = CopiesOf(Path, Locations);
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
            return;
        }

        if (!RunOn(copies.Select(c => c.Store).ToList(), (stores, observer, token) => new BackupCatalog(stores).ReadNearestAsync(copies[0].Name, e => observer.Warning(e.Message), token), out var nearest, Path))
        {
            return;
        }

        var backup = nearest.Backup;

        ConnectionSettings connection;
        try
        {
            var url = UrlOf(DatabaseUrl, planned => planned.Count == 1 ? planned[0] : planned.FirstOrDefault(d => d.Name == backup.Database));
            connection = ConnectionSettings.Parse(url, Credential?.UserName, Credential?.GetNetworkCredential().Password);
        }
        catch (MoltException e)
        {
            // Never the string itself: it may hold a password.
            WriteFailure(e, nameof(DatabaseUrl));
            return;
        }

        var database = TargetDatabase ?? DefaultName(backup);
        var what = Table.Length > 0
            ? $"tables {string.Join(", ", Table)}"
            : string.Create(CultureInfo.InvariantCulture, $"{backup.Rows:N0} rows of {backup.Tables} tables");
        if (!Confirm(
            string.Create(CultureInfo.InvariantCulture, $"new database {database} ({connection.WithDatabase(database).Describe()})"),
            string.Create(CultureInfo.InvariantCulture, $"Restore {what} from {backup.Name}, state of {backup.Created.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC")))
        {
            return;
        }

        var options = new RestoreOptions
        {
            Connection = connection,
            TargetDatabase = database,
            Jobs = Jobs,
            Tables = Table,
            SkipProof = SkipProof,
            KeepFailed = KeepFailed,
            NoOwner = NoOwner,
            CreateRoles = CreateRoles,
            NoTablespaces = NoTablespaces,
            Backup = backup,
            ClientToolFolder = ClientToolPath is null ? null : GetUnresolvedProviderPathFromPSPath(ClientToolPath),
        };
        WriteVerbose(string.Create(CultureInfo.InvariantCulture, $"Restoring {backup.Path} into {connection.WithDatabase(database).Describe()} with {Jobs} jobs."));
        var whole = copies.Skip(nearest.Skipped).ToList();
        if (RunOn(whole.Select(c => c.Store).ToList(), (stores, observer, token) => RestoreOperation.RunAsync(stores.Zip(whole, (s, c) => (s, c.Name)).ToList(), options, observer, token), out var result, Path))
        {
            WriteObject(result);
        }
    }

    private static string DefaultName(BackupInfo backup)
    {
        var suffix = backup.Created.UtcDateTime.ToString("'_restored_'yyyyMMdd_HHmmss", CultureInfo.InvariantCulture);
        var name = backup.Database;
        while (System.Text.Encoding.UTF8.GetByteCount(name) > 63 - suffix.Length)
        {
            name = name[..^1];
        }

        return name + suffix;
    }
}
