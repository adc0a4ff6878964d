using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Recovery;

namespace MoltBeat.DR;

/// <summary>A cmdlet that restores a backup's database, or looks whether it could: which backup, and where to.</summary>
public abstract class RestoreCommand : KeyCommand
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
    [ValidateNotNullOrEmpty]
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

    /// <summary>Put the restored database in the place of the one that -DatabaseUrl names: it is made beside it and proven, then both change names in one transaction. The present one is kept, and Undo-MoltRestore brings it back.</summary>
    [Parameter]
    public SwitchParameter Replace { get; set; }

    /// <summary>Replace what the database that -DatabaseUrl names holds, within it, where databases cannot be made or renamed: a backup of it is made first, then everything happens in one transaction, in which nobody else can read or write.</summary>
    [Parameter]
    public SwitchParameter InPlace { get; set; }

    /// <summary>Where the backup goes that -InPlace makes first: a folder, a bucket, or the name of a store of the plan. Without it the plan's first store.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? SafetyStore { get; set; }

    /// <summary>Bytes that are free on the server's disk, where they cannot be seen from here.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? ServerFreeBytes { get; set; }

    /// <summary>Whether rows are compared with the backup.</summary>
    private protected virtual bool SkipsProof => false;

    private protected virtual bool KeepsFailed => false;

    private protected virtual bool IgnoresDiskSpace => false;

    /// <summary>All copies of the backup that is meant, and what there is to read them with; then the nearest that can be read.</summary>
    /// <returns>False when it cannot be had; the error has been written.</returns>
    private protected bool TryFind(AuditSubject subject, [NotNullWhen(true)] out BackupInfo? backup, out IReadOnlyList<(StoreSettings Store, string Name)> copies, [NotNullWhen(true)] out ArchiveAccess? access)
    {
        (backup, copies, access) = (null, [], null);
        IReadOnlyList<(StoreSettings Store, string Name)> all;
        try
        {
            all = CopiesOf(Path, Locations);
            subject.In(all.Select(c => c.Store)).Backup = all[0].Name;
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
            return false;
        }

        if (!TryGetAccess(out access))
        {
            return false;
        }

        var with = access;
        if (!RunOn(StoresOf(all), (stores, observer, token) => new BackupCatalog(stores, with).ReadNearestAsync(all[0].Name, e => observer.Warning(e.Message), token), out var nearest, Path))
        {
            return false;
        }

        (backup, copies) = (nearest.Backup, all.Skip(nearest.Skipped).ToList());
        (subject.Database, subject.BackupId) = (backup.Database, backup.Id);
        return true;
    }

    /// <summary>Where to, and how.</summary>
    /// <returns>False when it makes no sense; the error has been written.</returns>
    private protected bool TryGetOptions(BackupInfo backup, ArchiveAccess access, [NotNullWhen(true)] out RestoreOptions? options)
    {
        options = null;
        if (!TryParse(() => UrlOf(DatabaseUrl, planned => planned.Count == 1 ? planned[0] : planned.FirstOrDefault(d => d.Name == backup.Database)), Credential, out var connection))
        {
            return false;
        }

        if ((Replace || InPlace) && TargetDatabase is not null && TargetDatabase != connection.Database)
        {
            WriteFailure(new MoltException("ReplaceInvalid", ErrorKind.InvalidArgument, $"{(Replace ? "-Replace" : "-InPlace")} replaces the database that -DatabaseUrl names, {connection.Database}, and -TargetDatabase names {TargetDatabase}.", "Leave one of the two out.", TargetDatabase));
            return false;
        }

        StoreSettings? safety = null;
        OpenPgpSeal? seal = null;
        if (InPlace && !TryGetSafety(out safety, out seal))
        {
            return false;
        }

        options = new RestoreOptions
        {
            Access = access,
            Connection = connection,
            TargetDatabase = Replace || InPlace ? connection.Database : TargetDatabase ?? DefaultName(backup),
            Replace = Replace,
            InPlace = InPlace,
            SafetyStore = safety,
            SafetySeal = seal,
            IgnoreDiskSpace = IgnoresDiskSpace,
            ServerFreeBytes = ServerFreeBytes,
            Jobs = Jobs,
            Tables = Table,
            SkipProof = SkipsProof,
            KeepFailed = KeepsFailed,
            NoOwner = NoOwner,
            CreateRoles = CreateRoles,
            NoTablespaces = NoTablespaces,
            Backup = backup,
            ClientToolFolder = ClientToolPath is null ? null : GetUnresolvedProviderPathFromPSPath(ClientToolPath),
        };
        return true;
    }

    /// <summary>Where the backup of before goes, and to whom it is encrypted: as the plan has it for every backup.</summary>
    private bool TryGetSafety(out StoreSettings? store, out OpenPgpSeal? seal)
    {
        (store, seal) = (null, null);
        IReadOnlyList<string> recipients;
        try
        {
            store = StoresOf(SafetyStore is null ? null : [SafetyStore]).FirstOrDefault();
            recipients = Plan.Plan.Recipients;
        }
        catch (MoltException e)
        {
            WriteFailure(e, nameof(SafetyStore));
            return false;
        }

        return recipients.Count == 0 || Run((_, token) => ArchiveKeys.SealAsync(recipients, token), out seal, nameof(SafetyStore));
    }

    private protected static List<StoreSettings> StoresOf(IReadOnlyList<(StoreSettings Store, string Name)> copies) => copies.Select(c => c.Store).ToList();

    private protected static string Time(BackupInfo backup) => backup.Created.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", CultureInfo.InvariantCulture);

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
