namespace MoltBeat.DR.Engine.Plan;

/// <summary>The plan that counts here, and where it came from.</summary>
/// <param name="Plan">Without a complaint.</param>
/// <param name="Source">The file, or the names of the variables that it was made of.</param>
/// <param name="Path">The file; null where there is none.</param>
/// <param name="Warnings">What its owner should know, as sentences.</param>
public sealed record PlanInForce(BackupPlan Plan, string Source, string? Path, IReadOnlyList<string> Warnings)
{
    public IReadOnlyList<PlannedDatabase> Databases => Plan.Databases;

    public IReadOnlyList<PlannedStore> Stores => Plan.Stores;

    public int MinimumCopies => Plan.MinimumCopies;

    public RetentionRules Retention => Plan.Retention;

    public override string ToString() => Source;
}
