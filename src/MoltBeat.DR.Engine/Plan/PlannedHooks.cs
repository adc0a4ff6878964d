namespace MoltBeat.DR.Engine.Plan;

/// <summary>How the application is stopped, started and looked at, for a recovery; see docs/recovery.md.</summary>
public sealed record PlannedHooks
{
    /// <summary>In their order.</summary>
    public IReadOnlyList<PlannedHook> Stop { get => field ?? []; init; }

    /// <summary>In their order.</summary>
    public IReadOnlyList<PlannedHook> Start { get => field ?? []; init; }

    /// <summary>How it is seen that the application works; null when nobody can say.</summary>
    public PlannedHealth? Health { get; init; }
}

/// <summary>One thing to stop or to start: exactly one of a unit, a service and a command.</summary>
public sealed record PlannedHook
{
    public const int DefaultTimeoutSeconds = 60;

    /// <summary>A systemd unit.</summary>
    public string? Systemd { get; init; }

    /// <summary>A Windows service.</summary>
    public string? Service { get; init; }

    /// <summary>A program's absolute path, and its arguments. No shell stands between.</summary>
    public IReadOnlyList<string> Command { get => field ?? []; init; }

    /// <summary>The command's working folder, absolute.</summary>
    public string? Folder { get; init; }

    /// <summary>For how long it may take; <see cref="DefaultTimeoutSeconds"/>.</summary>
    public int? TimeoutSeconds { get; init; }

    /// <summary>The program to run, and its arguments.</summary>
    /// <param name="verb"><c>stop</c> or <c>start</c>.</param>
    public IReadOnlyList<string> Line(string verb)
        => Systemd is { } unit ? ["systemctl", verb, unit] : Service is { } service ? ["net.exe", verb, service] : Command;

    internal TimeSpan Timeout => TimeSpan.FromSeconds(TimeoutSeconds ?? DefaultTimeoutSeconds);
}

/// <summary>An address that answers with 200 to 299 when the application works.</summary>
/// <param name="Url">http:// or https://.</param>
public sealed record PlannedHealth(string Url)
{
    public const int DefaultTimeoutSeconds = 120;

    /// <summary>For how long it is asked again; <see cref="DefaultTimeoutSeconds"/>.</summary>
    public int? TimeoutSeconds { get; init; }

    internal TimeSpan Timeout => TimeSpan.FromSeconds(TimeoutSeconds ?? DefaultTimeoutSeconds);

    public override string ToString() => Url;
}
