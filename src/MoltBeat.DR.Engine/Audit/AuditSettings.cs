using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>Where the log is, when a new file is begun, and who gets copies.</summary>
/// <param name="Folder">Absolute.</param>
public sealed record AuditSettings(string Folder)
{
    /// <summary>The variable that names the folder, before any plan.</summary>
    public const string FolderVariable = "MOLTBEAT_AUDIT";

    /// <summary>About forty thousand operations.</summary>
    public const int DefaultRotateBytes = 16 << 20;

    /// <summary>A file of at least so many bytes is put aside before the next line.</summary>
    public long RotateBytes { get; init; } = DefaultRotateBytes;

    /// <summary><c>local</c>, <c>host:port</c>, or <c>eventlog</c>; null for no copy to syslog.</summary>
    public string? Syslog { get; init; }

    /// <summary>A store of the plan that gets a copy of every line; null for none.</summary>
    public StoreSettings? Store { get; init; }

    /// <summary>Without a log nothing is done, not even a backup.</summary>
    public bool Required { get; init; }

    /// <summary>What counts here.</summary>
    /// <param name="plan">The plan in force; null when there is none that can be read.</param>
    /// <param name="currentFolder">What a relative path in the variable is relative to.</param>
    public static AuditSettings Of(BackupPlan? plan, string currentFolder)
        => Of(plan, PlanSurroundings.OfThisProcess(currentFolder), Environment.IsPrivilegedProcess);

    internal static AuditSettings Of(BackupPlan? plan, PlanSurroundings around, bool isAdministrator)
    {
        var planned = plan?.Audit;
        var folder = around.Set(FolderVariable) is { } named ? Path.GetFullPath(named, around.CurrentFolder)
            : planned?.Path ?? Default(around, isAdministrator);
        return new AuditSettings(folder)
        {
            RotateBytes = planned?.RotateBytes ?? DefaultRotateBytes,
            Syslog = planned?.Syslog,
            Store = planned?.Store is { } store ? plan!.StoreSettings().FirstOrDefault(s => s.Name.Equals(store, StringComparison.OrdinalIgnoreCase)) : null,
            Required = planned?.Required ?? false,
        };
    }

    private static string Default(PlanSurroundings around, bool isAdministrator)
        => OperatingSystem.IsWindows()
            ? Path.Combine(isAdministrator ? around.SystemFolder : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "moltbeat", "audit")
            : isAdministrator ? "/var/log/moltbeat"
            : Path.Combine(around.Set("XDG_STATE_HOME") is { } state && Path.IsPathFullyQualified(state) ? state : Path.Combine(around.Home, ".local", "state"), "moltbeat-dr");
}
