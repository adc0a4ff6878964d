namespace MoltBeat.DR.Engine.Alerting;

/// <summary>Whether a service has taken an alert.</summary>
internal enum ChannelOutcome
{
    Delivered,

    /// <summary>Not now; later it may.</summary>
    Again,

    /// <summary>It never will.</summary>
    Refused,
}

/// <param name="Outcome">Whether it was taken.</param>
/// <param name="Detail">What the service said, without secrets.</param>
/// <param name="After">For how long the service wants to hear nothing; null when it does not say.</param>
internal readonly record struct ChannelAnswer(ChannelOutcome Outcome, string Detail, TimeSpan? After = null);

/// <summary>A service that tells people. Sending the same alert twice must do as little harm as the service allows.</summary>
internal interface IAlertChannel
{
    /// <summary>Knows by the key what belongs together: needs no help against telling twice.</summary>
    bool FoldsByKey { get; }

    /// <summary>Tries once. Failures are answers; only the token's cancellation is thrown.</summary>
    Task<ChannelAnswer> SendAsync(Alert alert, CancellationToken cancellationToken);
}
