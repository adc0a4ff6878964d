namespace MoltBeat.DR.Engine.Alerting;

/// <summary>What has become of an alert on one route.</summary>
public enum AlertStatus
{
    /// <summary>The service has taken it.</summary>
    Sent,

    /// <summary>It lies in the spool, and is sent with the next alert or when somebody asks for it.</summary>
    Waiting,

    /// <summary>It was told already, or there was nothing to take back.</summary>
    Unneeded,

    /// <summary>The service does not want it, or it could be neither sent nor kept.</summary>
    Failed,
}

/// <summary>An alert on one route.</summary>
/// <param name="Route">The route's name.</param>
/// <param name="RouteKind">The route's kind: pagerDuty, slack, webhook or email.</param>
/// <param name="Status">What has become of it.</param>
/// <param name="Detail">The same in words. Holds no secret.</param>
public sealed record AlertDelivery(string Route, string RouteKind, AlertStatus Status, string Detail)
{
    /// <summary>The alert's key.</summary>
    public string Key { get; init; } = "";

    public AlertKind Kind { get; init; }

    /// <summary>How often the service was asked to take it.</summary>
    public int Attempts { get; init; }

    public TimeSpan Duration { get; init; }

    /// <summary>How many alerts lie in the route's spool now.</summary>
    public int Waiting { get; init; }

    /// <summary>What else should be known: entries that could not be read, a spool that could not be written.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    public override string ToString() => $"{Route}: {Status}. {Detail}";
}

/// <summary>A route's spool, for health.</summary>
/// <param name="Route">The route's name.</param>
/// <param name="Waiting">Alerts that are yet to be sent.</param>
/// <param name="Oldest">When the first of them happened, UTC; null when there is none.</param>
/// <param name="Refused">Alerts that the service did not want, or that were not readable; they stay for somebody to look at.</param>
/// <param name="LastSent">When the service last took one, UTC; null for never.</param>
/// <param name="LastTrouble">Why the last one could not be sent; null when it was.</param>
public sealed record AlertSpoolState(string Route, int Waiting, DateTimeOffset? Oldest, int Refused, DateTimeOffset? LastSent, string? LastTrouble);
