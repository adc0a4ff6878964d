namespace MoltBeat.DR.Engine.Plan;

/// <summary>What decides where the plan is found: variables and folders, gathered so that a test can stand in for them.</summary>
/// <param name="Variable">Of the environment.</param>
/// <param name="Home">The user's home folder.</param>
/// <param name="SystemFolder">Of the machine's settings.</param>
/// <param name="CurrentFolder">What a relative path is relative to.</param>
internal sealed record PlanSurroundings(Func<string, string?> Variable, string Home, string SystemFolder, string CurrentFolder)
{
    private const string FileName = "plan.json";

    /// <param name="currentFolder">A PowerShell session's own; the process's may be another.</param>
    public static PlanSurroundings OfThisProcess(string currentFolder) => new(
        Environment.GetEnvironmentVariable,
        Environment.GetFolderPath(Environment.SpecialFolder.UserProfile),
        OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.CommonApplicationData) : "/etc",
        currentFolder);

    /// <summary>The machine's plan.</summary>
    public string SystemPlan => Path.Combine(SystemFolder, "moltbeat", FileName);

    /// <summary>The user's plan.</summary>
    public string UserPlan => Path.Combine(Set("XDG_CONFIG_HOME") is { } folder && Path.IsPathFullyQualified(folder) ? folder : Path.Combine(Home, ".config"), "moltbeat", FileName);

    /// <summary>A variable's value; null when it is empty, too.</summary>
    public string? Set(string variable) => Variable(variable) is { Length: > 0 } value ? value : null;
}
