using System.Globalization;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>A database with what its runbook says.</summary>
/// <param name="Name">In the plan.</param>
/// <param name="Url">As the plan has it: without a password, or a reference.</param>
/// <param name="Steps">Those of a recovery of this database; empty when they could not be found out.</param>
/// <param name="Trouble">Why not; null when they could.</param>
public sealed record KitDatabase(string Name, string Url, IReadOnlyList<RunbookStep> Steps, string? Trouble);

/// <summary>What was written.</summary>
/// <param name="Path">The folder.</param>
/// <param name="Files">Their full paths.</param>
/// <param name="Missing">What the kit lacks, as sentences: stores that did not answer, keys without a holder. Empty when it lacks nothing.</param>
public sealed record RecoveryKitResult(string Path, IReadOnlyList<string> Files, IReadOnlyList<string> Missing)
{
    /// <summary>When it was made, UTC.</summary>
    public required DateTimeOffset Time { get; init; }
}

/// <summary>Writes down what somebody needs on the day when nothing else is there: where backups are, how they are opened, who has the keys, who is to be called, what is to be done. No secret.</summary>
public sealed class RecoveryKit
{
    private const string PageName = "recovery-kit.html";

    private readonly PlanInForce inForce;
    private readonly IReadOnlyList<IBackupStore> stores;
    private readonly IReadOnlyList<KitDatabase> databases;
    private readonly List<string> missing = [];

    /// <param name="inForce">The plan that counts.</param>
    /// <param name="stores">Its stores.</param>
    /// <param name="databases">Its databases.</param>
    public RecoveryKit(PlanInForce inForce, IReadOnlyList<IBackupStore> stores, IReadOnlyList<KitDatabase> databases)
    {
        this.inForce = inForce;
        this.stores = stores;
        this.databases = databases;
    }

    private BackupPlan Plan => inForce.Plan;

    /// <summary>Writes the kit into a folder: the page, and the plan when it is a file. Only its owner may read them.</summary>
    /// <param name="folder">Absolute; made when it is missing.</param>
    /// <param name="overwrite">Whether a kit that is there may be replaced.</param>
    /// <param name="cancellationToken">Stops it before anything is written.</param>
    /// <exception cref="MoltException"><c>KitExists</c>, <c>KitNotWritable</c>.</exception>
    public async Task<RecoveryKitResult> WriteAsync(string folder, bool overwrite, CancellationToken cancellationToken)
    {
        var page = Path.Combine(folder, PageName);
        if (!overwrite && File.Exists(page))
        {
            throw new MoltException("KitExists", ErrorKind.AlreadyExists, $"{page} is there already.", "Name another folder, or pass -Force to replace it.", page);
        }

        var now = DateTimeOffset.UtcNow;
        var newest = new List<BackupInfo>();
        foreach (var store in stores)
        {
            var troubles = new List<string>();
            newest.AddRange((await new BackupCatalog(store).ListAsync(e => troubles.Add(e.Message), cancellationToken).ConfigureAwait(false)).GroupBy(b => b.Database, StringComparer.Ordinal).Select(g => g.First()));
            missing.AddRange(troubles.Select(t => $"{store.Settings.Name}: {t}"));
        }

        var content = Page(now, newest);
        try
        {
            PrivateFiles.MakeFolder(folder);
            PrivateFiles.Write(page, content);
            var files = new List<string> { page };
            if (inForce.Path is { } plan)
            {
                files.Add(Path.Combine(folder, "plan.json"));
                PrivateFiles.Write(files[^1], await File.ReadAllBytesAsync(plan, cancellationToken).ConfigureAwait(false));
            }

            return new RecoveryKitResult(folder, files, missing) { Time = now };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MoltException("KitNotWritable", ErrorKind.PermissionDenied, $"The kit cannot be written into {folder}: {e.Message}", "Name a folder that this user may write to.", folder, e);
        }
    }

    private byte[] Page(DateTimeOffset now, List<BackupInfo> newest)
    {
        var page = new HtmlPage("Recovery kit");
        page.Paragraph($"Made at {Time(now)} on {Environment.MachineName} from {inForce.Source}. It holds no password and no key. Make it anew when the plan, the stores, the keys or the people change; keep a copy on paper, away from the servers.");
        Call(page);
        Places(page, newest);
        Open(page, newest);
        Keys(page, newest);
        Secrets(page);
        Objectives(page);
        Runbooks(page);
        return page.ToBytes();
    }

    private void Call(HtmlPage page)
    {
        page.Heading("1. Whom to call");
        var called = PlannedContact.Escalation(Plan);
        page.Table(["who", "when", "how"], called.Concat(Plan.Contacts.Except(called)).Select(c => (IReadOnlyList<string>)[c.ToString(), c.AfterMinutes is { } minutes ? string.Create(CultureInfo.InvariantCulture, $"after {minutes} min") : "when needed", c.Reach ?? string.Join(", ", c.Routes ?? [])]));
        if (called.All(c => c.Name is null))
        {
            missing.Add("The plan names nobody under contacts: the kit has roles only.");
        }
    }

    private void Places(HtmlPage page, List<BackupInfo> newest)
    {
        page.Heading("2. Where the backups are");
        page.Table(["store", "where", "settings"], Plan.Stores.Select(s => (IReadOnlyList<string>)[s.Name, s.Location, string.Join(", ", s.Options.Select(o => $"{o.Key}: {o.Value}"))]));
        page.Paragraph("The newest of each database, when this was made:");
        page.Table(["database", "file", "state of", "store", "encrypted", "verified"],
            newest.Select(b => (IReadOnlyList<string>)[b.Database, b.Name, Time(b.Created), b.Locations[0].Store, b.Encrypted ? "yes" : "no", b.Verified]));
        if (newest.Count == 0)
        {
            missing.Add("No backup was found in any store.");
        }
    }

    private void Open(HtmlPage page, List<BackupInfo> newest)
    {
        page.Heading("3. How to open one without this software");
        page.Paragraph("A backup is a tar file. It takes tar, zstd, the client programs of PostgreSQL, and for an encrypted one gpg with a private key of section 4. README.txt in it tells more.");
        var name = newest.FirstOrDefault()?.Name ?? "moltbeat_backup_YYYYMMDD_HHMMSS.tar";
        var commands = new List<string>();
        foreach (var store in Plan.Stores.Where(s => StoreSettings.IsUri(s.Location)).Select(s => s.ToSettings()))
        {
            commands.Add($"aws s3 cp {Quote($"{store.Location.TrimEnd('/')}/{name}")} .{(store.Endpoint is { } endpoint ? $" --endpoint-url {endpoint.OriginalString}" : "")}{(store.Region is { } region ? $" --region {region}" : "")}");
        }

        commands.AddRange(Plan.Stores.Where(s => !StoreSettings.IsUri(s.Location)).Select(s => $"cp {Quote(Path.Combine(s.Location, name))} ."));
        page.Commands([.. commands, $"tar -xf {name} README.txt restore.sh", $"PGHOST=the-server PGUSER=postgres sh restore.sh {name} new_database_name"]);
        page.Paragraph("The roles that own things must be there first: they are in the member globals.sql.zst (globals.sql.zst.gpg when encrypted):");
        page.Commands($"tar -xOf {name} globals.sql.zst | zstd -dc | psql -d postgres", $"tar -xOf {name} globals.sql.zst.gpg | gpg --decrypt | zstd -dc | psql -d postgres");
    }

    private void Keys(HtmlPage page, List<BackupInfo> newest)
    {
        page.Heading("4. Who holds the keys");
        var recipients = newest.SelectMany(b => b.Recipients.Select(r => r.Fingerprint)).Distinct(StringComparer.OrdinalIgnoreCase).ToList();
        var keys = recipients.Concat(Plan.Recipients.Where(r => !recipients.Exists(f => Same(f, r)))).ToList();
        page.Table(["key", "held by"], keys.Select(k => (IReadOnlyList<string>)[k, Holder(k)]));
        if (keys.Count == 0)
        {
            page.Paragraph("Backups are not encrypted: no key is needed.");
        }

        string Holder(string key)
        {
            var holders = Plan.Contacts.Where(c => c.Keys.Any(k => Same(k, key))).Select(c => c.Reach is null ? c.ToString() : $"{c}, {c.Reach}").ToList();
            if (holders.Count == 0)
            {
                missing.Add($"Nobody is named under contacts as the holder of the key {key}.");
            }

            return holders.Count > 0 ? string.Join("; ", holders) : "NOT KNOWN";
        }
    }

    private void Secrets(HtmlPage page)
    {
        page.Heading("5. Secrets that are needed, and where they are kept");
        var references = Plan.Databases.Select(d => ($"database {d.Name}", d.Url)).Concat(Plan.Redis.Select(r => ($"Redis {r.Name}", r.Url)))
            .Concat(Plan.Alerts.Routes.SelectMany(r => r.Secrets.Select(s => ($"alert route {r.Name}, {s.Name}", s.Text))));
        page.Table(["what", "where"], references.Where(r => SecretReference.From(r.Item2) is not null).Select(r => (IReadOnlyList<string>)[r.Item1, r.Item2]));
        page.Paragraph("env: is a variable of the environment, file: a file on the server, secret: a vault of SecretManagement. If the server is gone, the first two are gone with it: keep them in a safe as well. Buckets want credentials of the cloud provider.");
    }

    private void Objectives(HtmlPage page)
    {
        page.Heading("6. How soon");
        page.Table(["scenario", "priority", "to be done within"], Enum.GetValues<RecoveryScenario>().Select(s => (IReadOnlyList<string>)[s.ToString(), Plan.Objectives.PriorityOf(s).ToString(), string.Create(CultureInfo.InvariantCulture, $"{Plan.Objectives.RtoOf(s).TotalMinutes:0.#} min")]));
    }

    private void Runbooks(HtmlPage page)
    {
        foreach (var database in databases)
        {
            page.Heading($"Runbook: {database.Name} is damaged");
            page.Commands($"Invoke-MoltRecovery DatabaseCorruption -Database {database.Name} -WhatIf", $"Invoke-MoltRecovery DatabaseCorruption -Database {database.Name}", "# when it stood still or broke off:", $"Invoke-MoltRecovery DatabaseCorruption -Database {database.Name} -Resume", "# to the database of before:", "Undo-MoltRestore");
            page.Steps(database.Steps.Select(s => $"{s.Name}: {s.Detail}.{(s.Asks ? " (asks before)" : "")}"));
            if (database.Trouble is { } trouble)
            {
                missing.Add($"The runbook of {database.Name} has no steps: {trouble}");
                page.Paragraph($"Its steps could not be found out when this was made: {trouble}");
            }
        }

        var include = new[] { "Database", Plan.Environment.Count > 0 ? "Environment" : null, Plan.Folders.Count > 0 ? "Folders" : null, Plan.Redis.Count > 0 ? "Redis" : null }.OfType<string>().ToList();
        page.Heading("Runbook: the server is gone");
        page.Steps(["Install PostgreSQL of the backup's major version or newer, zstd, and gpg when backups are encrypted; then PowerShell and this module, or molt.", "Put plan.json of this kit to /etc/moltbeat/plan.json, mode 0600, and set the secrets of section 5 anew.", "Fetch the private key from its holder: section 4.", "Look what there is, and verify it:"]);
        page.Commands(Plan.Stores.Select(s => $"Get-MoltBackup {Quote(s.Location)} -Latest | Test-MoltBackup -Level Full"));
        page.Paragraph("Restore it, with roles and all that it holds beside the database; then install and start the application, and see that it works:");
        page.Commands($"Get-MoltBackup -Latest | Restore-MoltBackup -DatabaseUrl $env:NEW_SERVER -TargetDatabase the_name -CreateRoles -Include {string.Join(", ", include)}{(include.Contains("Environment") ? " -EnvironmentInPlace" : "")}{(include.Contains("Folders") ? " -FolderPath /srv/restored" : "")}");
        page.Commands([.. Plan.Hooks.Start.Select(h => string.Join(' ', h.Line("start"))), .. Plan.Hooks.Health is { } health ? (string[])[$"curl -f {health.Url}"] : []]);
        page.Heading("Runbook: rows were deleted");
        page.Steps(["Stop whoever is still deleting. Do not replace the database: what was written since would be lost.", "Find the newest backup of before, and restore the tables beside the database:"]);
        page.Commands("Get-MoltBackup -Before 2026-01-31T12:00Z -Latest | Restore-MoltBackup -Table public.the_table -TargetDatabase rows_of_before");
        page.Paragraph("Compare the two, and copy the missing rows back in one transaction.");
    }

    private static bool Same(string fingerprint, string named) => fingerprint.Equals(named, StringComparison.OrdinalIgnoreCase) || (named.Length >= 16 && fingerprint.EndsWith(named, StringComparison.OrdinalIgnoreCase));

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
