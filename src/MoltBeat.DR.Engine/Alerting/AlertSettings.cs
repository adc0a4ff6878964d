using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>Where alerts wait, and how long is tried.</summary>
/// <param name="Folder">The spool: absolute.</param>
public sealed record AlertSettings(string Folder)
{
    /// <summary>The variable that names the spool's folder, before any plan.</summary>
    public const string FolderVariable = "MOLTBEAT_ALERTS";

    /// <summary>For how long one call tries to send before it leaves the rest to the next.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>For how long one attempt may take.</summary>
    public TimeSpan AttemptLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The wait after the first failed attempt; doubled after each.</summary>
    public TimeSpan FirstBackoff { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>Services that cannot fold by themselves are told again of a problem that stays only after so long.</summary>
    public TimeSpan RepeatAfter { get; init; } = TimeSpan.FromHours(12);

    /// <summary>So many alerts may wait on one route.</summary>
    public int MostWaiting { get; init; } = 1000;

    /// <summary>Stands in for the clock in tests.</summary>
    internal TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>What counts here.</summary>
    /// <param name="plan">The plan's alerts.</param>
    /// <param name="currentFolder">What a relative path in the variable is relative to.</param>
    public static AlertSettings Of(PlannedAlerts plan, string currentFolder)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var around = PlanSurroundings.OfThisProcess(currentFolder);
        return new AlertSettings(around.Set(FolderVariable) is { } named ? Path.GetFullPath(named, currentFolder) : plan.Spool ?? Default(around, Environment.IsPrivilegedProcess));
    }

    private static string Default(PlanSurroundings around, bool isAdministrator)
        => OperatingSystem.IsWindows()
            ? Path.Combine(isAdministrator ? around.SystemFolder : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "moltbeat", "alerts")
            : isAdministrator ? "/var/spool/moltbeat/alerts"
            : Path.Combine(around.Set("XDG_STATE_HOME") is { } state && Path.IsPathFullyQualified(state) ? state : Path.Combine(around.Home, ".local", "state"), "moltbeat-dr-alerts");
}
