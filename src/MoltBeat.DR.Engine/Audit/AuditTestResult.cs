namespace MoltBeat.DR.Engine.Audit;

/// <summary>What is wrong at one place of the log.</summary>
public enum AuditProblemKind
{
    /// <summary>The line is not as it was written.</summary>
    Changed,

    /// <summary>It is no line of an audit log.</summary>
    Foreign,

    /// <summary>Lines that were there are not.</summary>
    Missing,

    /// <summary>A line stands where it was not written, or twice.</summary>
    OutOfOrder,

    /// <summary>The log goes on behind, or ends before, what its head says.</summary>
    Head,

    /// <summary>A writer found something wrong when it wrote this line, and said so in it.</summary>
    Noticed,

    /// <summary>A writer died in the midst of a line. Nobody has tampered with it.</summary>
    TornWrite,
}

/// <summary>A place of the log that is not as it should be.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="File">Path.</param>
/// <param name="Line">1 for the file's first line.</param>
/// <param name="Detail">The same as a sentence.</param>
public sealed record AuditProblem(AuditProblemKind Kind, string File, int Line, string Detail)
{
    public override string ToString() => $"{System.IO.Path.GetFileName(File)}:{Line}: {Detail}";
}

/// <summary>What a test of the log found.</summary>
/// <param name="Path">The folder.</param>
/// <param name="Files">How many files there are.</param>
/// <param name="Lines">How many lines.</param>
/// <param name="First">Time of the first line, UTC; null without lines.</param>
/// <param name="Last">Time of the last line, UTC.</param>
/// <param name="LastSequence">Number of the last line.</param>
/// <param name="Problems">All that speaks for somebody having changed the log.</param>
/// <param name="TornWrites">Where a writer died; harmless.</param>
public sealed record AuditTestResult(string Path, int Files, long Lines, DateTimeOffset? First, DateTimeOffset? Last, long LastSequence, IReadOnlyList<AuditProblem> Problems, IReadOnlyList<AuditProblem> TornWrites)
{
    public bool Passed => Problems.Count == 0;
}
