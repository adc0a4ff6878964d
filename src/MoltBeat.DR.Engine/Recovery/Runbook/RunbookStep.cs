using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>How far a step has come.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RunbookStatus>))]
public enum RunbookStatus
{
    /// <summary>To be done; with -WhatIf it stays so.</summary>
    Planned,

    Done,

    /// <summary>Nothing was to be done, for the reason in the detail.</summary>
    Skipped,

    /// <summary>Somebody answered its question with no; the recovery has stopped before it.</summary>
    Declined,

    /// <summary>It failed; the recovery has stopped at it.</summary>
    Failed,
}

/// <summary>One step of a recovery.</summary>
/// <param name="Number">From 1 on.</param>
/// <param name="Name">One word, which does not change.</param>
/// <param name="Status">How far it has come.</param>
/// <param name="Detail">What is to be done or was done, with this site's names. Holds no secret.</param>
public sealed record RunbookStep(int Number, string Name, RunbookStatus Status, string Detail)
{
    /// <summary>Somebody is asked before it: it stops the service, or changes what cannot simply be changed back.</summary>
    public bool Asks { get; init; }

    /// <summary>UTC; null when it was not begun.</summary>
    public DateTimeOffset? Started { get; init; }

    /// <summary>UTC; null when it has not ended.</summary>
    public DateTimeOffset? Ended { get; init; }

    public TimeSpan? Duration => Ended - Started;

    /// <summary>What is left of the time within which all is to be done, when the step had ended; negative when it is over.</summary>
    public TimeSpan? Remaining { get; init; }

    /// <summary>Id of the error with which it failed.</summary>
    public string? ErrorId { get; init; }

    public override string ToString() => $"{Number}. {Name}: {Status}";
}
