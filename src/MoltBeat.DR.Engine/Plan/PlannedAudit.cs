namespace MoltBeat.DR.Engine.Plan;

/// <summary>Where it is written down who did what, as the plan says it; see docs/audit.md.</summary>
public sealed record PlannedAudit
{
    /// <summary>The least that a file of the log may hold.</summary>
    public const int SmallestRotation = 64 << 10;

    /// <summary>Sends each line to this machine's own syslog.</summary>
    public const string LocalSyslog = "local";

    /// <summary>Sends each line to Windows' event log.</summary>
    public const string EventLog = "eventlog";

    /// <summary>The log's folder, absolute; without it the machine's or the user's own.</summary>
    public string? Path { get; init; }

    /// <summary><see cref="LocalSyslog"/>, <c>host:port</c> for UDP, or <see cref="EventLog"/>.</summary>
    public string? Syslog { get; init; }

    /// <summary>A store of the plan, by its name, that gets a copy of every line.</summary>
    public string? Store { get; init; }

    /// <summary>A file of at least so many bytes is put aside, and a new one begun.</summary>
    public int? RotateBytes { get; init; }

    /// <summary>Nothing is done when the log cannot be written, not even a backup.</summary>
    public bool Required { get; init; }
}
