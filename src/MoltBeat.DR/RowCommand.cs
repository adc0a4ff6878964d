using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Archive.Dumps;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR;

/// <summary>A cmdlet that works with single rows of backups, with a database at hand. Backups come by the pipeline; the work is done when all are there.</summary>
public abstract class RowCommand : KeyCommand
{
    private protected const string FromBackup = "Backup";
    private protected const string FromPath = "Path";

    private readonly List<BackupInfo> backups = [];

    /// <summary>The backups, as Get-MoltBackup gives them.</summary>
    [Parameter(Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, ParameterSetName = FromBackup)]
    public BackupInfo? Backup { get; set; }

    /// <summary>One archive.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = FromPath)]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    /// <summary>The database, as a connection string. Without it the plan's, DATABASE_URL, then libpq's variables.</summary>
    [Parameter]
    [Alias("ConnectionString")]
    [ValidateNotNullOrEmpty]
    public string? DatabaseUrl { get; set; }

    /// <summary>Role and password, over what the connection string says.</summary>
    [Parameter]
    [Credential]
    public PSCredential? Credential { get; set; }

    protected override void ProcessRecord()
    {
        if (Backup is { Format: not BackupFormat.Molt })
        {
            WriteWarning($"{Backup.Name} is a dump of stock tools, out of which no single rows are read: it is passed over.");
        }
        else if (Backup is not null)
        {
            backups.Add(Backup);
        }
    }

    /// <summary>All that came, the newest first.</summary>
    /// <returns>False when they are of several databases, or the archive cannot be read; the error has been written.</returns>
    private protected bool TryGetAll(ArchiveAccess access, out IReadOnlyList<BackupInfo> all)
    {
        all = [.. backups.OrderByDescending(b => b.Created)];
        if (ParameterSetName == FromPath)
        {
            try
            {
                var (store, name) = ItemOf(Path!);
                if (!RunOn([store], (stores, _, token) => new BackupCatalog(stores, access).ReadAsync(name, token), out var one, Path))
                {
                    return false;
                }

                all = [one];
            }
            catch (MoltException e)
            {
                WriteFailure(e, Path);
                return false;
            }
        }

        if (all.Select(b => b.Database).Distinct(StringComparer.Ordinal).ToList() is { Count: > 1 } databases)
        {
            WriteFailure(new MoltException("BackupsOfSeveralDatabases", ErrorKind.InvalidArgument, $"The backups are of several databases: {string.Join(", ", databases)}.", "Choose one: Get-MoltBackup -Database NAME.", databases));
            return false;
        }

        if (all.Count == 0)
        {
            WriteFailure(new MoltException("BackupNotFound", ErrorKind.NotFound, "No backup came by the pipeline.", "Look what Get-MoltBackup gives; -Before leaves out all that is younger.", nameof(Backup)));
        }

        return all.Count > 0;
    }

    /// <summary>The newest that came, and its copies.</summary>
    private protected bool TryGetNewest(ArchiveAccess access, AuditSubject subject, [NotNullWhen(true)] out BackupInfo? backup, out IReadOnlyList<(StoreSettings Store, string Name)> copies)
    {
        (backup, copies) = (null, []);
        if (!TryGetAll(access, out var all))
        {
            return false;
        }

        backup = all[0];
        if (all.Count > 1)
        {
            WriteVerbose($"Of {all.Count} backups the newest is taken: {backup.Name}, state of {Time(backup)}.");
        }

        try
        {
            copies = CopiesOf(backup.Path, backup.Locations);
            subject.In(copies.Select(c => c.Store)).Backup = backup.Name;
            (subject.Database, subject.BackupId) = (backup.Database, backup.Id);
            return true;
        }
        catch (MoltException e)
        {
            WriteFailure(e, backup.Path);
            return false;
        }
    }

    /// <summary>The database that is named, else the plan's for these backups.</summary>
    private protected bool TryConnect(string database, [NotNullWhen(true)] out ConnectionSettings? connection)
        => TryParse(() => UrlOf(DatabaseUrl, planned => planned.Count == 1 ? planned[0] : planned.FirstOrDefault(d => d.Name == database)), Credential, out connection);

    /// <summary>Whether the plan calls the database of this name production, on whatever server: one machine has many names.</summary>
    private protected bool IsProduction(ConnectionSettings connection) => Plan.Databases.Where(d => d.Production).Any(planned =>
    {
        try
        {
            return planned.Name == connection.Database || ConnectionSettings.Parse(SessionPlan.Secrets(this).Resolve(planned.Url)).Database == connection.Database;
        }
        catch (MoltException)
        {
            return false;
        }
    });

    private protected static string Time(BackupInfo backup) => backup.Created.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);
}
