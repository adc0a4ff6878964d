using System.Globalization;
using System.Text.RegularExpressions;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>What has to hold in a plan beyond its form.</summary>
internal static partial class PlanRules
{
    public const int MostItems = 1000;

    // Four weeks.
    private const int MostMinutes = 40320;

    /// <param name="plan">Of the right form.</param>
    public static IEnumerable<PlanProblem> Check(BackupPlan plan)
        => Version(plan).Concat(Databases(plan)).Concat(Stores(plan)).Concat(Copies(plan)).Concat(Kinds(plan)).Concat(Retention(plan.Retention)).Concat(Jobs(plan.Jobs)).Concat(Environment(plan)).Concat(Folders(plan)).Concat(Redis(plan)).Concat(PlanKeys.Check(plan)).Concat(Audit(plan)).Concat(PlanAlerts.Of(plan.Alerts)).Concat(PlanRecovery.Of(plan));

    /// <summary>The same place however it is written.</summary>
    public static string Identity(StoreSettings store)
        => store.Folder is { } folder ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) : $"{store.Endpoint}|{store.Location}";

    private static IEnumerable<PlanProblem> Version(BackupPlan plan)
    {
        if (plan.Version != BackupPlan.CurrentVersion)
        {
            yield return plan.Version > BackupPlan.CurrentVersion
                ? new(PlanCheckNames.Version, "$.version", "the plan is of a newer form than this module knows", "Update the module.")
                : new(PlanCheckNames.Names, "$.version", "there is no such version", "Write 1.");
        }
    }

    private static IEnumerable<PlanProblem> Databases(BackupPlan plan)
    {
        const string check = PlanCheckNames.Databases;
        foreach (var problem in Names(check, "$.databases", [.. plan.Databases.Select(d => d.Name)]))
        {
            yield return problem;
        }

        foreach (var (index, database) in plan.Databases.Index())
        {
            var path = At("$.databases", index);
            if (string.IsNullOrWhiteSpace(database.Url))
            {
                yield return new(check, path + ".url", "it is empty", "Write postgresql://user@host/database, or a reference such as env:DATABASE_URL.");
            }
            else if (SecretReference.From(database.Url)?.Flaw is { } flaw)
            {
                yield return new(PlanCheckNames.References, path + ".url", $"the reference {flaw}", "Write env:NAME, file:/absolute/path or secret:NAME.");
            }

            foreach (var (name, tables) in new[] { ("excludeTables", database.ExcludeTables), ("excludeTableData", database.ExcludeTableData) })
            {
                if (tables.Any(string.IsNullOrWhiteSpace) || tables.Count > MostItems)
                {
                    yield return new(check, path + "." + name, $"it holds an empty name, or more than {MostItems}", "Write name or schema.name, with * and ?.");
                }
            }
        }
    }

    private static IEnumerable<PlanProblem> Stores(BackupPlan plan)
    {
        const string check = PlanCheckNames.Stores;
        foreach (var problem in Names(check, "$.stores", [.. plan.Stores.Select(s => s.Name)]))
        {
            yield return problem;
        }

        var places = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (index, store) in plan.Stores.Index())
        {
            var path = At("$.stores", index);
            if (Flaw(store) is { } flaw)
            {
                yield return new(check, path, flaw.Message, flaw.Remedy);
            }
            else if (!places.TryAdd(Identity(store.ToSettings()), store.Name))
            {
                yield return new(check, path + ".location", $"it is the same place as that of {places[Identity(store.ToSettings())]}", "Two copies in one place are one copy: name another place, or remove one of the two.");
            }
        }
    }

    private static (string Message, string Remedy)? Flaw(PlannedStore store)
    {
        if (!StoreSettings.IsUri(store.Location))
        {
            return !Path.IsPathFullyQualified(store.Location) || store.Location.Contains("://", StringComparison.Ordinal) || store.Location.Any(char.IsControl)
                ? ("its location is neither an absolute path nor s3://bucket/prefix", "Write the folder's full path: a job runs in another folder than you do.")
                : store.Options.Count > 0
                    ? ($"a folder has no settings such as {store.Options.First().Key}", "Remove them, or name a bucket: s3://bucket/prefix.")
                    : null;
        }

        try
        {
            _ = store.ToSettings();
            return null;
        }
        catch (MoltException e)
        {
            return (e.Message.TrimEnd('.'), e.Remedy!);
        }
    }

    private static IEnumerable<PlanProblem> Copies(BackupPlan plan)
    {
        // Without stores the cmdlets' own parameters say where backups go, and may name any number of places.
        if (plan.MinimumCopies < 1 || (plan.Stores.Count > 0 && plan.MinimumCopies > plan.Stores.Count))
        {
            yield return new(PlanCheckNames.Copies, "$.minimumCopies", plan.MinimumCopies < 1 ? "a backup of which there is no copy is none" : $"there are only {plan.Stores.Count} stores",
                "Write a number from 1 to the number of stores.");
        }
    }

    /// <summary>Every kind has to go somewhere, and to as many places as are wanted: a job that cannot succeed is found here and not at night.</summary>
    private static IEnumerable<PlanProblem> Kinds(BackupPlan plan)
    {
        string[] known = [.. plan.Retention.Rules.Select(r => r.Kind)];
        foreach (var (index, store) in plan.Stores.Index())
        {
            if (store.Kinds is { } kinds && (kinds.Count == 0 || kinds.Any(k => !known.Contains(k, StringComparer.Ordinal)) || kinds.Distinct().Count() < kinds.Count))
            {
                yield return new(PlanCheckNames.Stores, At("$.stores", index) + ".kinds", "it names no kind, one twice, or one that there is not", $"Write some of {string.Join(", ", known)}; or leave it out, and all go there.");
                yield break;
            }
        }

        if (plan.Stores.Count == 0 || plan.MinimumCopies < 1 || plan.MinimumCopies > plan.Stores.Count)
        {
            yield break;
        }

        foreach (var kind in known)
        {
            var stores = plan.Stores.Count(s => s.Takes(kind));
            if (stores < plan.MinimumCopies)
            {
                yield return stores == 0
                    ? new(PlanCheckNames.Stores, "$.stores", $"no store takes {kind} backups", "Add the kind to a store's kinds, or leave kinds out of one.")
                    : new(PlanCheckNames.Copies, "$.minimumCopies", string.Create(CultureInfo.InvariantCulture, $"{kind} backups go to {stores} stores only"), "Lower it, or let more stores take that kind.");
            }
        }
    }

    private static IEnumerable<PlanProblem> Jobs(PlannedJobs jobs)
    {
        foreach (var (kind, job) in jobs.Jobs)
        {
            var path = "$.jobs." + kind;
            if (job.At != PlannedJob.Never && CronTime.TryParse(job.At!, out var flaw) is null)
            {
                yield return new(PlanCheckNames.Jobs, path + ".at", "it " + flaw, "Write five fields of cron such as \"0 2 * * *\" for two o'clock UTC every day, or \"never\".");
            }

            if (job.Verify is not (PlannedJob.Quick or PlannedJob.Full))
            {
                yield return new(PlanCheckNames.Jobs, path + ".verify", "there is no such level", $"Write {PlannedJob.Quick} or {PlannedJob.Full}.");
            }

            foreach (var (name, minutes) in new[] { ("timeLimitMinutes", job.TimeLimitMinutes), ("stallMinutes", job.StallMinutes) })
            {
                if (minutes is < 0 or > MostMinutes)
                {
                    yield return new(PlanCheckNames.Jobs, path + "." + name, "it is no number of minutes", $"Write 1 to {MostMinutes}, or 0 for no limit.");
                }
            }
        }
    }

    private static IEnumerable<PlanProblem> Retention(RetentionRules retention)
    {
        foreach (var (kind, rule) in retention.Rules)
        {
            var path = "$.retention." + kind;
            if (rule.AtLeast is < 0 or > 100_000)
            {
                yield return new(PlanCheckNames.Retention, path + ".atLeast", "it is no number of backups", "Write 0 or more.");
            }
            else if (rule.AtLeast == 0 && rule.Keep == TimeSpan.Zero)
            {
                yield return new(PlanCheckNames.Retention, path, "the rule would keep nothing", "Keep them for a day at least, or at least one of them.");
            }
        }
    }

    private static IEnumerable<PlanProblem> Environment(BackupPlan plan)
    {
        const string check = PlanCheckNames.Environment;
        var named = plan.Environment.Select(f => f.Name).OfType<string>().ToList();
        foreach (var (index, file) in plan.Environment.Index())
        {
            var path = At("$.environment", index);
            if (!IsAbsolute(file.Path))
            {
                yield return new(check, path + (file.Name is null ? "" : ".path"), "this is no absolute path", "Write the file's full path; its name may have * and ?.");
            }

            if (file.Name is { } name && (!Name().IsMatch(name) || named.Count(n => n.Equals(name, StringComparison.OrdinalIgnoreCase)) > 1))
            {
                yield return new(check, path + ".name", "this cannot be a name, or there are two of it", "Use up to 63 letters, digits, dots, dashes and underscores, a letter or digit first; or leave it out.");
            }
        }

        if (plan.Environment.Count > MostItems)
        {
            yield return new(check, "$.environment", $"there are more than {MostItems}", "Use wildcards.");
        }
    }

    private static IEnumerable<PlanProblem> Folders(BackupPlan plan)
    {
        const string check = PlanCheckNames.Folders;
        foreach (var problem in Names(check, "$.folders", [.. plan.Folders.Select(f => f.Name)]))
        {
            yield return problem;
        }

        foreach (var (index, folder) in plan.Folders.Index())
        {
            var path = At("$.folders", index);
            if (!IsAbsolute(folder.Path))
            {
                yield return new(check, path + ".path", "this is no absolute path", "Write the folder's full path: a job runs in another folder than you do.");
            }

            if (folder.Exclude.Any(string.IsNullOrWhiteSpace) || folder.Exclude.Count > MostItems)
            {
                yield return new(check, path + ".exclude", $"it holds an empty glob, or more than {MostItems}", "Write a name such as *.log, or a path in the folder such as cache/**.");
            }

            if (folder.MaximumBytes is <= 0)
            {
                yield return new(check, path + ".maximumBytes", "this is no number of bytes", "Write a number above 0, or leave it out.");
            }
        }
    }

    private static IEnumerable<PlanProblem> Redis(BackupPlan plan)
    {
        const string check = PlanCheckNames.Redis;
        foreach (var problem in Names(check, "$.redis", [.. plan.Redis.Select(r => r.Name)]))
        {
            yield return problem;
        }

        foreach (var (index, server) in plan.Redis.Index())
        {
            var path = At("$.redis", index);
            if (string.IsNullOrWhiteSpace(server.Url))
            {
                yield return new(check, path + ".url", "it is empty", "Write redis://host:6379, or a reference such as env:REDIS_URL.");
            }
            else if (SecretReference.From(server.Url)?.Flaw is { } flaw)
            {
                yield return new(PlanCheckNames.References, path + ".url", $"the reference {flaw}", "Write env:NAME, file:/absolute/path or secret:NAME.");
            }

            if (!server.NamesDatabases())
            {
                yield return new(check, path + ".databases", "this names no databases", "Write \"all\", or a list of numbers such as [0]; or leave it out.");
            }
        }
    }

    internal static bool IsAbsolute(string path) => Path.IsPathFullyQualified(path) && !path.Contains("://", StringComparison.Ordinal) && !path.Any(char.IsControl);

    private static IEnumerable<PlanProblem> Audit(BackupPlan plan)
    {
        const string check = PlanCheckNames.Audit;
        var audit = plan.Audit;
        if (audit.Path is { } path && (!Path.IsPathFullyQualified(path) || path.Any(char.IsControl)))
        {
            yield return new(check, "$.audit.path", "it is no absolute path", "Write the folder's full path: a job runs in another folder than you do.");
        }

        if (audit.Syslog is { } syslog && syslog is not (PlannedAudit.LocalSyslog or PlannedAudit.EventLog) && !HostAndPort().IsMatch(syslog))
        {
            yield return new(check, "$.audit.syslog", "it is neither local nor eventlog nor a host and a port", "Write \"local\", \"loghost.example.org:514\", or on Windows \"eventlog\".");
        }

        if (audit.Store is { } store && !plan.Stores.Any(s => s.Name.Equals(store, StringComparison.OrdinalIgnoreCase)))
        {
            yield return new(check, "$.audit.store", "there is no store of this name in the plan", "Write the name of one of the stores.");
        }

        if (audit.RotateBytes is { } bytes and < PlannedAudit.SmallestRotation)
        {
            yield return new(check, "$.audit.rotateBytes", string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes are a few lines only"), string.Create(CultureInfo.InvariantCulture, $"Write {PlannedAudit.SmallestRotation} or more."));
        }
    }

    internal static IEnumerable<PlanProblem> Names(string check, string list, List<string> names)
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (index, name) in names.Index())
        {
            var path = At(list, index) + ".name";
            if (!Name().IsMatch(name))
            {
                yield return new(check, path, "this cannot be a name", "Use up to 63 letters, digits, dots, dashes and underscores, a letter or digit first.");
            }
            else if (!seen.Add(name))
            {
                yield return new(check, path, "there are two of this name", "Names differ by more than upper and lower case.");
            }
        }

        if (names.Count > MostItems)
        {
            yield return new(check, list, $"there are more than {MostItems}", "Divide the plan.");
        }
    }

    private static string At(string list, int index) => list + "[" + index.ToString(CultureInfo.InvariantCulture) + "]";

    // Neither a path nor a URI: -Destination takes those, too.
    [GeneratedRegex(@"\A[\p{L}\p{Nd}][\p{L}\p{Nd}._-]{0,62}\z")]
    private static partial Regex Name();

    // A host's name or IPv4 address, or an IPv6 address in brackets.
    [GeneratedRegex(@"\A(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}\z")]
    private static partial Regex HostAndPort();
}
