namespace MoltBeat.DR.Engine.Recovery.Checks;

/// <summary>What a look before a restore found.</summary>
public enum ReadinessStatus
{
    /// <summary>Nothing stands in the way here.</summary>
    Pass,

    /// <summary>The restore can be made; somebody should read this first.</summary>
    Warning,

    /// <summary>The restore would fail, or do harm: it is not begun.</summary>
    Fail,

    /// <summary>It could not be found out, for the reason in the message; it proves nothing and stops nothing.</summary>
    Unknown,
}

/// <summary>One thing that was looked at before a restore.</summary>
/// <param name="Name">Short name, which does not change.</param>
/// <param name="Status">What was found.</param>
/// <param name="Message">The same as a sentence.</param>
/// <param name="Remedy">What can be done; null when there is nothing to do.</param>
/// <param name="ErrorId">Of the error that the restore would end with; null unless it failed.</param>
public sealed record ReadinessCheck(string Name, ReadinessStatus Status, string Message, string? Remedy = null, string? ErrorId = null)
{
    public override string ToString() => $"{Name}: {Status}";
}
