namespace MoltBeat.DR.Engine.Plan;

/// <summary>What alerts may be about, and who is told when the plan does not say.</summary>
public static class AlertProblems
{
    public const string BackupFailed = "BackupFailed";
    public const string UploadFailed = "UploadFailed";
    public const string VerificationFailed = "VerificationFailed";
    public const string SizeAnomaly = "SizeAnomaly";
    public const string RetentionFailed = "RetentionFailed";
    public const string JobMissed = "JobMissed";
    public const string HealthFailed = "HealthFailed";
    public const string AuditBroken = "AuditBroken";
    public const string DrillFailed = "DrillFailed";
    public const string RecoveryRunning = "RecoveryRunning";

    /// <summary>Whatever a script has to say.</summary>
    public const string Custom = "Custom";

    private static readonly string[] s_page = [PlannedRoute.PagerDuty];
    private static readonly string[] s_chat = [PlannedRoute.Slack];
    private static readonly string[] s_both = [PlannedRoute.PagerDuty, PlannedRoute.Slack];

    private static readonly (string Problem, Priority Severity, string[] Kinds)[] s_defaults =
    [
        (BackupFailed, Priority.P1, s_both),
        (UploadFailed, Priority.P1, s_page),
        (VerificationFailed, Priority.P1, s_page),
        (SizeAnomaly, Priority.P2, s_chat),
        (RetentionFailed, Priority.P2, s_chat),
        (JobMissed, Priority.P1, s_both),
        (HealthFailed, Priority.P2, s_chat),
        (AuditBroken, Priority.P1, s_both),
        (DrillFailed, Priority.P1, s_both),
        (RecoveryRunning, Priority.P0, s_both),
        (Custom, Priority.P2, s_chat),
    ];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_defaults.Select(d => d.Problem)];

    /// <summary>How bad it is when the plan does not say.</summary>
    /// <param name="problem">One of <see cref="Names"/>; any other counts as <see cref="Custom"/>.</param>
    public static Priority Severity(string problem) => Default(problem).Severity;

    /// <summary>
    /// Who is told when the plan does not say: of pagers and chats those that the problem calls for, and every webhook and
    /// mailbox, since whoever added one wants to know. If that were nobody, all are told.
    /// </summary>
    internal static IReadOnlyList<PlannedRoute> Routes(string problem, IReadOnlyList<PlannedRoute> routes)
    {
        var kinds = Default(problem).Kinds;
        var told = routes.Where(r => r.Kind is not (PlannedRoute.PagerDuty or PlannedRoute.Slack) || kinds.Contains(r.Kind)).ToList();
        return told.Count > 0 ? told : routes;
    }

    private static (string Problem, Priority Severity, string[] Kinds) Default(string problem)
        => s_defaults.FirstOrDefault(d => d.Problem == problem) is { Problem: not null } known ? known : s_defaults[^1];
}
