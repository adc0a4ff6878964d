using System.Globalization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>
/// Looks at a plan from all sides, and lists all it finds. Reads the plan, the variables and the files that it refers to;
/// touches no server and no store.
/// </summary>
public sealed class PlanTest
{
    private const string NoPlan = "the plan cannot be read so far";

    // What S3 has; an archive in the last two has to be asked for, and comes after hours.
    private static readonly string[] s_atOnce = ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "REDUCED_REDUNDANCY", "EXPRESS_ONEZONE"];
    private static readonly string[] s_later = ["GLACIER", "DEEP_ARCHIVE"];

    private readonly List<PlanCheck> checks = [];
    private readonly SecretResolver secrets;
    private readonly bool askVault;
    private readonly Action<string>? checkUrl;

    private PlanTest(SecretResolver secrets, bool askVault, Action<string>? checkUrl)
    {
        this.secrets = secrets;
        this.askVault = askVault;
        this.checkUrl = checkUrl;
    }

    /// <summary>Examines the plan that counts.</summary>
    /// <param name="locator">Finds it.</param>
    /// <param name="planPath">Absolute path of its file; null to look for one.</param>
    /// <param name="vault">As of <see cref="SecretResolver"/>.</param>
    /// <param name="online">Whether to ask it: a vault may be on the network.</param>
    /// <param name="checkUrl">Throws a <see cref="MoltException"/> that quotes nothing when a connection string is none.</param>
    /// <param name="checkKeys">Throws a <see cref="MoltException"/> when backups cannot be encrypted, signed or believed with the plan's keys.</param>
    /// <param name="checkFile">Throws one when an environment file cannot be backed up.</param>
    /// <param name="checkFolder">Throws one when a folder cannot be.</param>
    /// <param name="checkRedisUrl">Throws one that quotes nothing when the URL of a Redis server is none.</param>
    /// <exception cref="MoltException"><c>PlanNotFound</c>, <c>PlanNotReadable</c>.</exception>
    public static PlanTestResult Run(PlanLocator locator, string? planPath = null, Func<string, string?>? vault = null, bool online = false, Action<string>? checkUrl = null, Action<BackupPlan>? checkKeys = null,
        Action<PlannedFile>? checkFile = null, Action<PlannedFolder>? checkFolder = null, Action<string>? checkRedisUrl = null)
    {
        ArgumentNullException.ThrowIfNull(locator);
        var around = locator.Surroundings;
        var open = new List<string>();
        var test = new PlanTest(new SecretResolver(vault, open.Add) { Variable = around.Variable }, online, checkUrl);
        var file = locator.Find(planPath);
        var (plan, problems) = file is null ? VariablePlan.Make(around) : PlanReader.Examine(file.Content);
        test.Privacy(file);
        test.Form(problems);
        test.References(plan, problems, open);
        test.Databases(plan, problems);
        test.Stores(plan, problems);
        test.StorageClasses(plan);
        test.ObjectLock(plan);
        test.Copies(plan, problems);
        test.Retention(plan, problems);
        test.Jobs(plan, problems);
        test.Keys(plan, problems, checkKeys);
        test.Environment(plan, problems, checkFile);
        test.Beside(PlanCheckNames.Folders, problems, plan?.Folders, checkFolder);
        test.Beside(PlanCheckNames.Redis, problems, plan?.Redis, r => test.CheckRedis(r, checkRedisUrl));
        test.Audit(plan, problems);
        test.Alerts(plan, problems);
        test.Recovery(plan, problems);
        return new PlanTestResult(file?.Path ?? VariablePlan.Source(around), file?.Path, test.checks);
    }

    private void Privacy(PlanFile? file)
    {
        const string name = PlanCheckNames.Privacy;
        if (file is null)
        {
            Skip(name, "there is no file: the plan is made of variables");
        }
        else if (file.Refusal is { } refusal)
        {
            checks.Add(new(name, PlanCheckStatus.Failed, refusal.Message, refusal.Remedy!));
        }
        else if (OperatingSystem.IsWindows())
        {
            Skip(name, "access lists of Windows are not looked at");
        }
        else if (file.Warnings.Count > 0)
        {
            checks.AddRange(file.Warnings.Select(w => new PlanCheck(name, PlanCheckStatus.Warning, w, "chmod 0600")));
        }
        else
        {
            Pass(name, "only its owner may read and write it");
        }
    }

    private void Form(IReadOnlyList<PlanProblem> problems)
    {
        string? reason = null;
        foreach (var (name, passed) in new[]
        {
            (PlanCheckNames.Syntax, "it is JSON"), (PlanCheckNames.Version, "this module knows its form"),
            (PlanCheckNames.Names, "all names are known and all values of their kind"), (PlanCheckNames.Secrets, "no secret stands in it"),
        })
        {
            if (reason is not null)
            {
                Skip(name, reason);
            }
            else if (!Failed(name, problems))
            {
                Pass(name, passed);
            }
            else if (name is PlanCheckNames.Syntax or PlanCheckNames.Version)
            {
                reason = NoPlan;
            }
        }
    }

    private void References(BackupPlan? plan, IReadOnlyList<PlanProblem> problems, List<string> open)
    {
        const string name = PlanCheckNames.References;
        var failed = Failed(name, problems);
        if (plan is null)
        {
            Skip(name, NoPlan);
            return;
        }

        var fine = 0;
        foreach (var (owner, reference) in plan.Databases.Select(d => (d.Name, SecretReference.From(d.Url))).Concat(plan.Redis.Select(r => (r.Name, SecretReference.From(r.Url))))
            .Concat(plan.Alerts.Routes.SelectMany(r => r.Secrets.Select(s => (r.Name, SecretReference.From(s.Text))))).Where(d => d.Item2 is { Flaw: null }))
        {
            if (reference!.Place == SecretPlace.Vault && !askVault)
            {
                Skip(name, $"{reference} of {owner}: a vault may be on the network. -Online asks it");
                continue;
            }

            try
            {
                _ = secrets.Resolve(reference);
                fine++;
            }
            catch (MoltException e)
            {
                failed = true;
                checks.Add(new(name, PlanCheckStatus.Failed, $"{owner}: {e.Message}", e.Remedy!));
            }
        }

        checks.AddRange(open.Distinct().Select(w => new PlanCheck(name, PlanCheckStatus.Warning, w, "chmod 0600")));
        if (fine > 0 || (!failed && !checks.Exists(c => c.Name == name)))
        {
            Pass(name, fine == 0 ? "there are none" : Count(fine, "reference") + " can be resolved");
        }
    }

    private void Databases(BackupPlan? plan, IReadOnlyList<PlanProblem> problems)
    {
        const string name = PlanCheckNames.Databases;
        var failed = Failed(name, problems);
        if (plan is null)
        {
            Skip(name, NoPlan);
            return;
        }

        foreach (var database in plan.Databases.Where(d => SecretReference.From(d.Url) is null or { Flaw: null, Place: not SecretPlace.Vault }))
        {
            try
            {
                checkUrl?.Invoke(secrets.Resolve(database.Url));
            }
            catch (MoltException e) when (e.Id != "SecretUnavailable")
            {
                failed = true;
                checks.Add(new(name, PlanCheckStatus.Failed, $"{database.Name}: {e.Message}", e.Remedy ?? ""));
            }
            catch (MoltException)
            {
                // Told with the references.
            }
        }

        if (plan.Databases.Count == 0)
        {
            Warn(name, "there is none in it", "Add one under databases, or pass -DatabaseUrl with every backup.");
        }
        else if (!failed)
        {
            Pass(name, string.Join(", ", plan.Databases));
        }
    }

    private void Stores(BackupPlan? plan, IReadOnlyList<PlanProblem> problems)
    {
        const string name = PlanCheckNames.Stores;
        if (Failed(name, problems))
        {
            return;
        }

        if (plan is null)
        {
            Skip(name, NoPlan);
        }
        else if (plan.Stores.Count == 0)
        {
            Warn(name, "there is none in it", "Add them under stores, nearest first, or name places with every backup.");
        }
        else
        {
            Pass(name, string.Join(", ", plan.Stores.Select(s => $"{s.Name} ({s.ToSettings().Location})")));
        }
    }

    private void StorageClasses(BackupPlan? plan)
    {
        const string name = PlanCheckNames.StorageClass;
        if (Buckets(plan, name) is not { Count: > 0 } buckets)
        {
            return;
        }

        var before = checks.Count;
        foreach (var store in buckets)
        {
            if (store.StorageClass is null || s_atOnce.Contains(store.StorageClass, StringComparer.Ordinal))
            {
                continue;
            }

            if (s_later.Contains(store.StorageClass, StringComparer.Ordinal))
            {
                Warn(name, $"{store.Name}: {store.StorageClass} gives nothing back before hours have passed, not even for a verification", "For copies that must be at hand use STANDARD_IA or GLACIER_IR.");
            }
            else if (store.Endpoint is not null)
            {
                Warn(name, $"{store.Name}: {store.StorageClass} is none of Amazon's; whether {store.Endpoint.Host} has it is not known here", "Ask its provider.");
            }
            else
            {
                checks.Add(new(name, PlanCheckStatus.Failed, $"{store.Name}: S3 has no storage class {store.StorageClass}", "Write one of: " + string.Join(", ", s_atOnce.Concat(s_later)) + "."));
            }
        }

        if (checks.Count == before)
        {
            Pass(name, string.Join(", ", buckets.Select(s => $"{s.Name}: {s.StorageClass ?? "the bucket's default"}")));
        }
    }

    private void ObjectLock(BackupPlan? plan)
    {
        const string name = PlanCheckNames.ObjectLock;
        if (Buckets(plan, name) is not { Count: > 0 } buckets)
        {
            return;
        }

        var before = checks.Count;
        foreach (var store in buckets.Where(s => s.ObjectLock != ObjectLockMode.None))
        {
            foreach (var (kind, rule) in plan!.Retention.Rules.Where(r => r.Rule.Keep < TimeSpan.FromDays(store.ObjectLockDays)))
            {
                Warn(name, string.Create(CultureInfo.InvariantCulture, $"{store.Name} locks every backup for {store.ObjectLockDays} days, and {kind} ones are kept for {KeepTime.Format(rule.Keep)}: they stay until the lock ends"),
                    "Lock for no longer than the shortest time that backups are kept, or keep them for longer.");
            }
        }

        if (checks.Count == before)
        {
            Pass(name, buckets.Any(s => s.ObjectLock != ObjectLockMode.None) ? "no lock outlasts the retention" : "no store locks its backups");
        }
    }

    /// <summary>The S3 stores that are right as such; with none of them the check is skipped.</summary>
    private List<StoreSettings> Buckets(BackupPlan? plan, string check)
    {
        var found = new List<StoreSettings>();
        foreach (var store in plan?.Stores.Where(s => StoreSettings.IsUri(s.Location)) ?? [])
        {
            try
            {
                found.Add(store.ToSettings());
            }
            catch (MoltException)
            {
                // Told with the stores.
            }
        }

        if (found.Count == 0)
        {
            Skip(check, plan is null ? NoPlan : "there is no bucket that can be looked at");
        }

        return found;
    }

    private void Copies(BackupPlan? plan, IReadOnlyList<PlanProblem> problems)
    {
        const string name = PlanCheckNames.Copies;
        if (Failed(name, problems))
        {
            return;
        }

        if (plan is null)
        {
            Skip(name, NoPlan);
        }
        else if (plan.Stores.Count == 1)
        {
            Warn(name, "there is one place only: what takes that takes all backups", "Add a second one, and a third in another region.");
        }
        else
        {
            Pass(name, string.Create(CultureInfo.InvariantCulture, $"{plan.MinimumCopies} of {plan.Stores.Count} stores must have a backup for it to count"));
        }
    }

    private void Retention(BackupPlan? plan, IReadOnlyList<PlanProblem> problems)
    {
        const string name = PlanCheckNames.Retention;
        if (Failed(name, problems))
        {
            return;
        }

        if (plan is null)
        {
            Skip(name, NoPlan);
            return;
        }

        foreach (var (kind, rule) in plan.Retention.Rules.Where(r => r.Rule.AtLeast == 0))
        {
            Warn(name, $"{kind}: when backups cease, the last ones leave after {KeepTime.Format(rule.Keep)}", "Keep some whatever their age: \"atLeast\": 3.");
        }

        Pass(name, string.Join("; ", plan.Retention.Rules.Select(r => $"{r.Kind}: {r.Rule}")));
    }

    private void Jobs(BackupPlan? plan, IReadOnlyList<PlanProblem> problems)
    {
        const string name = PlanCheckNames.Jobs;
        if (Failed(name, problems))
        {
            return;
        }

        if (plan is null)
        {
            Skip(name, NoPlan);
            return;
        }

        Pass(name, string.Join("; ", plan.Jobs.Jobs.Select(j => $"{j.Kind}: {j.Job}")));
    }

    private void Keys(BackupPlan? plan, IReadOnlyList<PlanProblem> problems, Action<BackupPlan>? check)
    {
        const string name = PlanCheckNames.Keys;
        if (Failed(name, problems))
        {
            return;
        }

        if (plan is null)
        {
            Skip(name, NoPlan);
            return;
        }

        var named = plan.Recipients.Concat(plan.TrustedSigners).Concat(plan.Signing is { } signing ? [signing.Key] : []).Distinct().ToList();
        try
        {
            if (named.Count > 0)
            {
                check?.Invoke(plan);
            }

            Pass(name, named.Count == 0 ? "there are none: backups are neither encrypted nor signed" : $"{Count(named.Count, "key")} can be used");
        }
        catch (MoltException e)
        {
            checks.Add(new(name, PlanCheckStatus.Failed, e.Message, e.Remedy ?? ""));
        }
    }

    private void Environment(BackupPlan? plan, IReadOnlyList<PlanProblem> problems, Action<PlannedFile>? check)
    {
        const string name = PlanCheckNames.Environment;
        if (plan is { Environment.Count: > 0, Recipients.Count: 0 })
        {
            checks.Add(new(name, PlanCheckStatus.Failed, "there are environment files and no recipients: such files are only ever backed up encrypted", "Add recipients: who may open the backups."));
        }

        Beside(name, problems, plan?.Environment, check);
    }

    /// <summary>Looks at what backups take along beside the database.</summary>
    private void Beside<T>(string name, IReadOnlyList<PlanProblem> problems, IReadOnlyList<T>? items, Action<T>? check)
    {
        if (Failed(name, problems))
        {
            return;
        }

        if (items is null)
        {
            Skip(name, NoPlan);
            return;
        }

        foreach (var item in items)
        {
            try
            {
                check?.Invoke(item);
            }
            catch (MoltException e)
            {
                checks.Add(new(name, PlanCheckStatus.Failed, e.Message, e.Remedy ?? ""));
            }
        }

        if (!checks.Exists(c => c.Name == name))
        {
            Pass(name, items.Count == 0 ? "there are none" : string.Join(", ", items));
        }
    }

    private void CheckRedis(PlannedRedis server, Action<string>? check)
    {
        if (SecretReference.From(server.Url) is not null and not { Flaw: null, Place: not SecretPlace.Vault })
        {
            return;
        }

        string url;
        try
        {
            url = secrets.Resolve(server.Url);
        }
        catch (MoltException)
        {
            return; // told with the references
        }

        try
        {
            check?.Invoke(url);
        }
        catch (MoltException e)
        {
            checks.Add(new(PlanCheckNames.Redis, PlanCheckStatus.Failed, $"{server.Name}: {e.Message}", e.Remedy ?? ""));
        }
    }

    private void Audit(BackupPlan? plan, IReadOnlyList<PlanProblem> problems)
    {
        const string name = PlanCheckNames.Audit;
        if (Failed(name, problems))
        {
            return;
        }

        if (plan is null)
        {
            Skip(name, NoPlan);
        }
        else if (plan.Audit.Syslog == PlannedAudit.LocalSyslog && OperatingSystem.IsWindows())
        {
            Warn(name, "there is no syslog on Windows", "Let it be eventlog, name a syslog server as host:port, or a store.");
        }
        else if (plan.Audit.Syslog == PlannedAudit.EventLog && !OperatingSystem.IsWindows())
        {
            checks.Add(new(name, PlanCheckStatus.Failed, "there is no event log here: that is Windows only", "Let audit.syslog be local, or name a syslog server as host:port."));
        }
        else
        {
            var copies = new[] { plan.Audit.Syslog is { } syslog ? "syslog " + syslog : null, plan.Audit.Store is { } store ? "store " + store : null }.OfType<string>().ToList();
            Pass(name, (plan.Audit.Path ?? "in its usual place") + (copies.Count > 0 ? ", copied to " + string.Join(" and ", copies) : ", copied nowhere: an administrator of this machine could write it anew"));
        }
    }

    private void Alerts(BackupPlan? plan, IReadOnlyList<PlanProblem> problems)
    {
        const string name = PlanCheckNames.Alerts;
        if (Failed(name, problems))
        {
            return;
        }

        if (plan is null)
        {
            Skip(name, NoPlan);
        }
        else if (plan.Alerts.Routes.Count == 0)
        {
            Warn(name, "there is no route: nobody is told when a backup fails", "Add one under alerts.routes; docs/alerts.md tells how.");
        }
        else
        {
            foreach (var problem in AlertProblems.Names.Where(p => plan.Alerts.SeverityOf(p) <= Priority.P1 && plan.Alerts.RoutesOf(p).Count == 0))
            {
                Warn(name, $"{problem}: nobody is told", "Name a route in its rule.");
            }

            Pass(name, string.Join(", ", plan.Alerts.Routes.Select(r => $"{r.Name} ({r.Kind})")));
        }
    }

    private void Recovery(BackupPlan? plan, IReadOnlyList<PlanProblem> problems)
    {
        const string name = PlanCheckNames.Recovery;
        if (Failed(name, problems))
        {
            return;
        }

        if (plan is null)
        {
            Skip(name, NoPlan);
            return;
        }

        if (plan.Hooks.Stop.Count > 0 != plan.Hooks.Start.Count > 0)
        {
            Warn(name, plan.Hooks.Stop.Count > 0 ? "the application is stopped for a recovery, and nothing says how it is started" : "the application is started after a recovery, and nothing says how it is stopped", "Write both, hooks.stop and hooks.start.");
        }

        Pass(name, string.Join("; ", Enum.GetValues<RecoveryScenario>().Select(s => string.Create(CultureInfo.InvariantCulture, $"{s}: {plan.Objectives.PriorityOf(s)}, {plan.Objectives.RtoOf(s).TotalMinutes} min"))));
    }

    private bool Failed(string name, IReadOnlyList<PlanProblem> problems)
    {
        var found = problems.Where(p => p.Check == name).ToList();
        checks.AddRange(found.Select(p => new PlanCheck(name, PlanCheckStatus.Failed, p.ToString(), p.Remedy)));
        return found.Count > 0;
    }

    private void Pass(string name, string detail) => checks.Add(new(name, PlanCheckStatus.Passed, detail, ""));

    private void Warn(string name, string detail, string remedy) => checks.Add(new(name, PlanCheckStatus.Warning, detail, remedy));

    private void Skip(string name, string detail) => checks.Add(new(name, PlanCheckStatus.Skipped, detail, ""));

    private static string Count(int number, string what) => number.ToString(CultureInfo.InvariantCulture) + " " + what + (number == 1 ? "" : "s");
}
