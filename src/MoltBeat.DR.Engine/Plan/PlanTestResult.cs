namespace MoltBeat.DR.Engine.Plan;

public enum PlanCheckStatus
{
    Passed,

    /// <summary>The plan cannot be used like this, or would not do what it says.</summary>
    Failed,

    /// <summary>It can be used, and there is something to know.</summary>
    Warning,

    /// <summary>Not looked at, for the reason in the detail; proves nothing.</summary>
    Skipped,
}

/// <summary>One thing that was looked at in a plan. A check that finds several things yields one of these for each.</summary>
/// <param name="Name">One of <see cref="PlanCheckNames"/>.</param>
/// <param name="Status">How it went.</param>
/// <param name="Detail">What was found and where.</param>
/// <param name="Remedy">What to do; empty when it passed.</param>
public sealed record PlanCheck(string Name, PlanCheckStatus Status, string Detail, string Remedy)
{
    public override string ToString() => $"{Name}: {Status}";
}

/// <summary>What was found in a plan.</summary>
/// <param name="Source">The file, or the names of the variables that the plan is made of.</param>
/// <param name="Path">The file; null where there is none.</param>
/// <param name="Checks">In the order in which they were made.</param>
public sealed record PlanTestResult(string Source, string? Path, IReadOnlyList<PlanCheck> Checks)
{
    /// <summary>No check failed. A warning doesn't fail, and a skipped one proves nothing.</summary>
    public bool Passed => !Failed.Any();

    public IEnumerable<PlanCheck> Failed => Checks.Where(c => c.Status == PlanCheckStatus.Failed);

    public IEnumerable<PlanCheck> Warnings => Checks.Where(c => c.Status == PlanCheckStatus.Warning);
}
