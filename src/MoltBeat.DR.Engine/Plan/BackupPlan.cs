using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>
/// What is protected, where to, and how long it is kept: one JSON file, described by <c>plan.schema.json</c>. Holds no
/// secret, only references to them (<see cref="SecretReference"/>), so that it can be shown and printed.
/// </summary>
/// <param name="Version">Of the file's form; <see cref="CurrentVersion"/>.</param>
/// <param name="MinimumCopies">In how many of the stores a backup has to be whole for it to count as made.</param>
public sealed record BackupPlan(int Version, int MinimumCopies = 1)
{
    public const int CurrentVersion = 1;

    /// <summary>For editors; nothing reads it.</summary>
    [JsonPropertyName("$schema")]
    public string? Schema { get; init; }

    public IReadOnlyList<PlannedDatabase> Databases { get => field ?? []; init; }

    /// <summary>Nearest first: a restore takes the first good copy.</summary>
    public IReadOnlyList<PlannedStore> Stores { get => field ?? []; init; }

    public RetentionRules Retention { get => field ?? new RetentionRules(); init; }

    /// <summary>What Invoke-MoltJob does, by kind.</summary>
    public PlannedJobs Jobs { get => field ?? new PlannedJobs(); init; }

    /// <summary>Environment files that every backup takes along, encrypted.</summary>
    [JsonConverter(typeof(PlannedFilesConverter))]
    public IReadOnlyList<PlannedFile> Environment { get => field ?? []; init; }

    /// <summary>Folders that every backup takes along.</summary>
    public IReadOnlyList<PlannedFolder> Folders { get => field ?? []; init; }

    /// <summary>Redis servers whose keys every backup takes along.</summary>
    public IReadOnlyList<PlannedRedis> Redis { get => field ?? []; init; }

    /// <summary>OpenPGP keys that backups are encrypted to: files, or fingerprints, key ids and e-mail addresses in gpg's keyring. Empty for no encryption.</summary>
    public IReadOnlyList<string> Recipients { get => field ?? []; init; }

    /// <summary>OpenPGP keys whose signatures are believed, named as the recipients are. With any, all other backups are refused.</summary>
    public IReadOnlyList<string> TrustedSigners { get => field ?? []; init; }

    /// <summary>With what backups are signed; null for none.</summary>
    public PlannedSigning? Signing { get; init; }

    public PlannedAudit Audit { get => field ?? new PlannedAudit(); init; }

    public PlannedAlerts Alerts { get => field ?? new PlannedAlerts(); init; }

    /// <summary>How the application is stopped, started and looked at.</summary>
    public PlannedHooks Hooks { get => field ?? new PlannedHooks(); init; }

    public PlannedObjectives Objectives { get => field ?? new PlannedObjectives(); init; }

    /// <summary>Who is told of a recovery, and who holds the keys.</summary>
    public IReadOnlyList<PlannedContact> Contacts { get => field ?? []; init; }

    /// <summary>The stores as what opens them takes them, in the plan's order, each under its name in the plan.</summary>
    /// <exception cref="MoltException"><c>StoreInvalid</c>; never of a plan that <see cref="PlanReader"/> has read.</exception>
    public IReadOnlyList<StoreSettings> StoreSettings() => [.. Stores.Select(s => s.ToSettings())];

    /// <summary>Those stores that backups of this kind go to.</summary>
    /// <param name="kind">A kind's name, as in <see cref="PlannedStore.Kinds"/>.</param>
    /// <exception cref="MoltException">As of <see cref="StoreSettings()"/>.</exception>
    public IReadOnlyList<StoreSettings> StoreSettings(string kind) => [.. Stores.Where(s => s.Takes(kind)).Select(s => s.ToSettings())];
}

/// <summary>The key that backups are signed with.</summary>
/// <param name="Key">Absolute path of a file with a private key, or the fingerprint or e-mail address of one that gpg has.</param>
public sealed record PlannedSigning(string Key)
{
    /// <summary>A reference to the private key's passphrase; null when the file has none, or gpg's agent knows it.</summary>
    public string? Passphrase { get; init; }

    public override string ToString() => Key;
}

/// <summary>A database that is backed up.</summary>
/// <param name="Name">What it is called in the plan; need not be PostgreSQL's name of it.</param>
/// <param name="Url">A connection string without a password, or a reference to one (<see cref="SecretReference"/>).</param>
public sealed record PlannedDatabase(string Name, string Url)
{
    /// <summary>Tables to leave out: <c>name</c> or <c>schema.name</c>, with * and ?.</summary>
    public IReadOnlyList<string> ExcludeTables { get => field ?? []; init; }

    /// <summary>Tables to keep without their rows.</summary>
    public IReadOnlyList<string> ExcludeTableData { get => field ?? []; init; }

    /// <summary>Whoever restores under its name has to type that name, or to force it.</summary>
    public bool Production { get; init; }

    public override string ToString() => Name;
}
