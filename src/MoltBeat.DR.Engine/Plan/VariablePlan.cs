using System.Globalization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>The plan that the old scripts' variables make, for a machine that has no plan file.</summary>
internal static class VariablePlan
{
    /// <summary>Where the old scripts, and this module, keep backups when nobody says.</summary>
    public const string DefaultFolder = "/var/backups/moltbeat";

    private static readonly string[] s_variables = ["DATABASE_URL", "BACKUP_DIR", "S3_BUCKET", "RETENTION_DAYS", "WEBHOOK_URL"];

    /// <summary>What to call the plan: the variables that it was made of.</summary>
    public static string Source(PlanSurroundings around)
    {
        var set = s_variables.Where(v => around.Set(v) is not null).ToList();
        return set.Count == 0 ? "defaults" : "variables " + string.Join(", ", set);
    }

    /// <summary>The plan, and what is wrong with the variables; then the plan lacks what they should have said.</summary>
    public static (BackupPlan Plan, IReadOnlyList<PlanProblem> Problems) Make(PlanSurroundings around)
    {
        var problems = new List<PlanProblem>();
        var plan = new BackupPlan(BackupPlan.CurrentVersion)
        {
            // A reference: the variable mostly holds a password.
            Databases = around.Set("DATABASE_URL") is null ? [] : [new PlannedDatabase("default", "env:DATABASE_URL")],
            Stores = Stores(around, problems),
            Retention = Retention(around, problems),
            Alerts = new PlannedAlerts { Routes = around.Set("WEBHOOK_URL") is null ? [] : [new PlannedRoute("webhook", PlannedRoute.Webhook) { Url = "env:WEBHOOK_URL" }] },
        };
        problems.AddRange(PlanRules.Check(plan).Select(p => p with { Path = p.Path.StartsWith("$.stores[1]", StringComparison.Ordinal) ? "S3_BUCKET" : "BACKUP_DIR" }));
        return (plan, problems);
    }

    private static List<PlannedStore> Stores(PlanSurroundings around, List<PlanProblem> problems)
    {
        var stores = new List<PlannedStore> { new("local", Path.GetFullPath(around.Set("BACKUP_DIR") ?? DefaultFolder, around.CurrentFolder)) };
        if (around.Set("S3_BUCKET") is not { } bucket)
        {
            return stores;
        }

        if (PlanText.SecretIn("", bucket) is { } secret)
        {
            problems.Add(new(PlanCheckNames.Secrets, "S3_BUCKET", $"it holds {secret}", "Leave it out: credentials come from the AWS variables, the profile or the machine's role."));
        }
        else
        {
            stores.Add(new("s3", StoreSettings.IsUri(bucket) ? bucket : "s3://" + bucket));
        }

        return stores;
    }

    /// <summary>The old scripts knew no kinds: all that was older was removed.</summary>
    private static RetentionRules Retention(PlanSurroundings around, List<PlanProblem> problems)
    {
        if (around.Set("RETENTION_DAYS") is not { } text)
        {
            return new RetentionRules();
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var days) || days is < 1 or > 36500)
        {
            problems.Add(new(PlanCheckNames.Retention, "RETENTION_DAYS", "this is no number of days", "Write a whole number from 1 to 36500."));
            return new RetentionRules();
        }

        var rule = new RetentionRule(TimeSpan.FromDays(days));
        return new RetentionRules { Daily = rule, Weekly = rule, Monthly = rule, Manual = rule };
    }
}
