using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>What is to be recovered, from where, and who is told.</summary>
public sealed record RunbookOptions
{
    /// <summary>The variable that names the folder of incidents.</summary>
    public const string FolderVariable = "MOLTBEAT_INCIDENTS";

    public required RecoveryScenario Scenario { get; init; }

    /// <summary>Hooks, objectives, contacts.</summary>
    public required BackupPlan Plan { get; init; }

    /// <summary>The server and the database.</summary>
    public required ConnectionSettings Connection { get; init; }

    /// <summary>The database's name in its backups.</summary>
    public required string BackedUpAs { get; init; }

    /// <summary>Where backups are, the nearest first.</summary>
    public required IReadOnlyList<IBackupStore> Stores { get; init; }

    /// <summary>Opens encrypted backups, and says whose signature is believed.</summary>
    public ArchiveAccess? Access { get; init; }

    /// <summary>Only backups of before: what came after holds the damage too. Null for the newest.</summary>
    public DateTimeOffset? Before { get; init; }

    /// <summary>Tells people; null when the plan names no route.</summary>
    public AlertSender? Alerts { get; init; }

    /// <summary>Absolute path of the folder of incidents.</summary>
    public required string IncidentFolder { get; init; }

    /// <summary>Take up the newest recovery that has not come to its end.</summary>
    public bool Resume { get; init; }

    /// <summary>Only look and say what would be done.</summary>
    public bool Preview { get; init; }

    /// <summary>Connections that load at once.</summary>
    public int Jobs { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>The only folder to look for pg_restore in; null for PATH and the usual ones.</summary>
    public string? ClientToolFolder { get; init; }

    /// <summary>Stands in for the clock in tests.</summary>
    internal TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Is called before each step in tests, with its name.</summary>
    internal Action<string>? BeforeStep { get; init; }

    /// <summary>Where incidents are recorded when nobody says.</summary>
    /// <param name="currentFolder">What a relative path in the variable is relative to.</param>
    public static string DefaultFolder(string currentFolder)
    {
        var around = PlanSurroundings.OfThisProcess(currentFolder);
        return around.Set(FolderVariable) is { } named ? Path.GetFullPath(named, currentFolder)
            : OperatingSystem.IsWindows() ? Path.Combine(Environment.IsPrivilegedProcess ? around.SystemFolder : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "moltbeat", "incidents")
            : Environment.IsPrivilegedProcess ? "/var/lib/moltbeat/incidents"
            : Path.Combine(around.Set("XDG_STATE_HOME") is { } state && Path.IsPathFullyQualified(state) ? state : Path.Combine(around.Home, ".local", "state"), "moltbeat-dr-incidents");
    }
}
