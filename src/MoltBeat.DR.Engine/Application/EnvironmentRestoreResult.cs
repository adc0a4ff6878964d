using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Application;

public enum EnvironmentRestoreStatus
{
    /// <summary>There was no file.</summary>
    Written,

    /// <summary>There was one; it is kept beside.</summary>
    Replaced,

    /// <summary>The file that was there holds the same: it was left as it is.</summary>
    Same,
}

/// <summary>An environment file that was restored.</summary>
public sealed class EnvironmentRestoreResult : ExtraRestoreResult
{
    public override ExtraKind Kind => ExtraKind.Environment;

    public required EnvironmentRestoreStatus Status { get; init; }

    /// <summary>Where the file is kept that was replaced; null when none was.</summary>
    public string? Kept { get; init; }

    /// <summary>What became of the variables, by name.</summary>
    public required EnvironmentDiff Variables { get; init; }

    /// <summary>What could not be restored of owner and group, as sentences.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
