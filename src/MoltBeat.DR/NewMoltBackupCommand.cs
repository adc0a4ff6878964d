using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>Makes one consistent backup of one PostgreSQL database.</summary>
[Cmdlet(VerbsCommon.New, "MoltBackup", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(BackupInfo))]
public sealed class NewMoltBackupCommand : StoreCommand
{
    /// <summary>Connection string of the database: a postgresql:// URI or libpq keywords. Without it the plan's databases, DATABASE_URL, then libpq's variables.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("ConnectionString")]
    [ValidateNotNullOrEmpty]
    public string? DatabaseUrl { get; set; }

    /// <summary>Only these databases of the plan, by their names there.</summary>
    [Parameter]
    [SupportsWildcards]
    public string[]? Database { get; set; }

    /// <summary>Role and password, over what the connection string says.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>Where to: folders, and buckets as s3://bucket/prefix; or stores of the plan by name; each gets a copy. Without it the stores of the plan that take this kind.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [Alias("Path")]
    public string[]? Destination { get; set; }

    /// <summary>With fewer copies than this the backup counts as failed. Without it the plan's number, else 1.</summary>
    [Parameter]
    [ValidateRange(1, 100)]
    public int? MinimumCopies { get; set; }

    /// <summary>Why the backup is made; retention keeps each kind for its own time.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public BackupKind Kind { get; set; }

    /// <summary>Connections that read rows at once; by default one for each core, at most 8.</summary>
    [Parameter]
    [ValidateRange(1, 64)]
    public int Jobs { get; set; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>zstd's level: 1 is fastest, 19 smallest.</summary>
    [Parameter]
    [ValidateRange(1, 19)]
    public int CompressionLevel { get; set; } = BackupOptions.DefaultCompressionLevel;

    /// <summary>How long to wait for a table's lock: seconds, or hh:mm:ss.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan LockTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Tables to leave out: name or schema.name, with * and ?.</summary>
    [Parameter]
    public string[] ExcludeTable { get; set; } = [];

    /// <summary>Tables to keep without their rows: name or schema.name, with * and ?.</summary>
    [Parameter]
    public string[] ExcludeTableData { get; set; } = [];

    /// <summary>Auto copies a table's rows in binary where that is safe between versions; Text never does.</summary>
    [Parameter]
    [ValidateSet("Auto", "Text")]
    public string DataFormat { get; set; } = "Auto";

    /// <summary>Environment files to take along, encrypted; wildcards are allowed. Without it, and without -DatabaseUrl, those of the plan.</summary>
    [Parameter]
    [SupportsWildcards]
    public string[]? EnvironmentFile { get; set; }

    /// <summary>Folders to take along, each under its own name. Without it, and without -DatabaseUrl, those of the plan.</summary>
    [Parameter]
    public string[]? Folder { get; set; }

    /// <summary>What to leave out of every -Folder besides logs, temporary files and what builds make: globs as in a .gitignore.</summary>
    [Parameter]
    public string[] ExcludeFile { get; set; } = [];

    /// <summary>OpenPGP keys that the backup is encrypted to: key files, or fingerprints, key ids and e-mail addresses that gpg knows; each opens it. Without it the plan's recipients; @() encrypts to none.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[]? Recipient { get; set; }

    /// <summary>The private key that signs the backup: a file, or the fingerprint or e-mail address of a key that gpg has. Without it the plan's.</summary>
    [Parameter]
    public string? SigningKey { get; set; }

    /// <summary>The signing key's passphrase: a SecureString, or a reference (env:NAME, file:/absolute/path, secret:NAME). Without it the plan's, when the key is the plan's, or gpg's agent knows it.</summary>
    [Parameter]
    [Passphrase]
    public Passphrase? SigningPassphrase { get; set; }

    /// <summary>URLs of Redis servers whose keys to take along: redis://[user:password@]host[:port][/database], rediss:// for TLS, or references such as env:REDIS_URL. Without it, and without -DatabaseUrl, those of the plan.</summary>
    [Parameter]
    public string[]? RedisUrl { get; set; }

    /// <summary>The folder of pg_dump and pg_dumpall, in place of PATH and the usual ones.</summary>
    [Parameter]
    public string? ClientToolPath { get; set; }

    protected override AuditAction? Audits => new("Backup", IsGuarded: false);

    protected override void ProcessRecord()
    {
        IReadOnlyList<StoreSettings> destinations;
        List<PlannedDatabase> databases;
        try
        {
            destinations = Destination is { Length: > 0 } ? StoresOf(Destination) : Plan.Plan.StoreSettings(Kind.ToString());
            databases = DatabaseUrl is null ? PlannedDatabases() : [new PlannedDatabase("", DatabaseUrl)];
        }
        catch (MoltException e)
        {
            WriteFailure(e, nameof(Destination));
            return;
        }

        foreach (var database in databases)
        {
            Audited(subject => BackUp(database, destinations, subject.In(destinations)));
        }
    }

    /// <summary>What the backup is encrypted and signed with.</summary>
    /// <returns>False when a key cannot be had; the error has been written.</returns>
    private bool TryGetKeys(out OpenPgpSeal? seal, out IManifestSigner? signer)
    {
        (seal, signer) = (null, null);
        IReadOnlyList<string> recipients;
        string? key;
        string passphrase;
        try
        {
            recipients = Recipient?.Select(KeyName).ToList() ?? Plan.Plan.Recipients;
            (key, passphrase) = SigningKeys.Of(this, SigningKey is null ? null : KeyName(SigningKey), SigningPassphrase, Plan.Plan.Signing);
        }
        catch (MoltException e)
        {
            WriteFailure(e, nameof(SigningKey));
            return false;
        }

        if (!Run((_, token) => ArchiveKeys.SealAsync(recipients, token), out seal, nameof(Recipient)))
        {
            return false;
        }

        if (Run((_, token) => ArchiveKeys.SignerAsync(key, passphrase, token), out signer, nameof(SigningKey)))
        {
            return true;
        }

        seal?.Dispose();
        return false;
    }

    private List<PlannedDatabase> PlannedDatabases()
    {
        var patterns = Database?.Select(d => new WildcardPattern(d, WildcardOptions.IgnoreCase)).ToList();
        var chosen = Plan.Databases.Where(d => patterns is null || patterns.Exists(p => p.IsMatch(d.Name))).ToList();
        return chosen.Count > 0 ? chosen
            : patterns is null ? [new PlannedDatabase("", "")]
            : throw new MoltException("DatabaseNotPlanned", ErrorKind.InvalidArgument, $"The plan ({Plan.Source}) has no database {string.Join(", ", Database!)}.",
                "See Get-MoltPlan for its databases, or name one with -DatabaseUrl.", Database);
    }

    private void BackUp(PlannedDatabase database, IReadOnlyList<StoreSettings> destinations, AuditSubject subject)
    {
        if (!TryParse(() => database.Url.Length == 0 ? null : DatabaseUrl ?? SessionPlan.Secrets(this).Resolve(database.Url), Credential, out var connection))
        {
            return;
        }

        (subject.Database, subject.Server) = (connection.Database, connection.Describe());

        // New ones for each backup: they keep what they saw.
        IReadOnlyList<ICapture> captures;
        try
        {
            captures = Captures();
        }
        catch (MoltException e)
        {
            WriteFailure(e);
            return;
        }

        if (!TryGetKeys(out var seal, out var signer))
        {
            return;
        }

        using var sealing = seal;
        using var signing = signer as IDisposable;
        var options = new BackupOptions
        {
            Seal = seal,
            Signer = signer,
            Connection = connection,
            Destinations = destinations,
            MinimumCopies = MinimumCopies ?? (Destination is null ? Plan.MinimumCopies : 1),
            Kind = Kind,
            Jobs = Jobs,
            CompressionLevel = CompressionLevel,
            LockTimeout = LockTimeout,
            ExcludeTables = [.. database.ExcludeTables, .. ExcludeTable],
            ExcludeTableData = [.. database.ExcludeTableData, .. ExcludeTableData],
            Captures = captures,
            TextRows = DataFormat == "Text",
            ClientToolFolder = ClientToolPath is null ? null : GetUnresolvedProviderPathFromPSPath(ClientToolPath),
        };
        var where = string.Join(", ", destinations.Select(d => d.Location));
        WriteVerbose(string.Create(CultureInfo.InvariantCulture, $"Backing up {connection.Describe()} to {where} with {Jobs} jobs."));
        var problems = new List<MoltException>();
        Task<bool> ApproveAsync(BackupPreview preview, IOperationObserver observer, CancellationToken token) => ConfirmAsync(observer, $"database {connection.Database} ({connection.Describe()})", $"Back up {preview}", () =>
        {
            foreach (var table in preview.Tables)
            {
                WriteVerbose(string.Create(CultureInfo.InvariantCulture, $"{table.Table}: {table.Bytes:N0} bytes on the server"));
            }

            foreach (var left in preview.LeftToPgDump)
            {
                WriteVerbose(left);
            }
        }, token);

        if (Run((observer, token) => BackupOperation.RunAsync(options, preview => ApproveAsync(preview, observer, token), observer, problems.Add, token), out var backup, connection.Database) && backup is not null)
        {
            (subject.Backup, subject.BackupId, subject.IsDone) = (backup.Name, backup.Id, true);
            WriteVerbose(string.Create(CultureInfo.InvariantCulture, $"{backup.Path}: {backup.Rows:N0} rows of {backup.Tables} tables in {backup.Size:N0} bytes, {backup.Duration.TotalSeconds:0.0} s."));
            foreach (var note in backup.Notes)
            {
                WriteWarning(note);
            }

            WriteObject(backup);
        }

        problems.ForEach(p => WriteFailure(p));
    }

    /// <summary>What is named, else what the plan takes along with its databases; one that is named by a URL is not the plan's.</summary>
    private List<ICapture> Captures() =>
    [
        .. EnvironmentFiles.Find(EnvironmentFile?.Select(f => new PlannedFile(GetUnresolvedProviderPathFromPSPath(f))) ?? (DatabaseUrl is null ? Plan.Plan.Environment : [])),
        .. FolderCapture.Of(Folder?.Select(f => GetUnresolvedProviderPathFromPSPath(f)), ExcludeFile) ?? FolderCapture.Of(DatabaseUrl is null ? Plan.Plan.Folders : []),
        .. RedisServers.Captures(this, RedisUrl, DatabaseUrl is null ? Plan.Plan.Redis : []),
    ];
}
