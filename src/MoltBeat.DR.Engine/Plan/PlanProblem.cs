namespace MoltBeat.DR.Engine.Plan;

/// <summary>Something in a plan that keeps it from being used.</summary>
/// <param name="Check">One of <see cref="PlanCheckNames"/>.</param>
/// <param name="Path">Where it stands, as a JSON path: <c>$.stores[1].region</c>; a variable's name in a plan made of variables.</param>
/// <param name="Message">What is wrong, without the path. Never quotes what may be a secret.</param>
/// <param name="Remedy">What to do.</param>
public sealed record PlanProblem(string Check, string Path, string Message, string Remedy)
{
    public override string ToString() => $"{Path}: {Message}";

    /// <summary>All problems of one plan as one error.</summary>
    /// <param name="source">What the plan is called.</param>
    /// <param name="problems">At least one.</param>
    internal static MoltException ToError(string source, IReadOnlyList<PlanProblem> problems)
    {
        var text = problems.Count == 1
            ? $"{source}: {problems[0]}."
            : $"{source} has {problems.Count} problems: {string.Join("; ", problems)}.";
        if (problems.FirstOrDefault(p => p.Check == PlanCheckNames.Secrets) is { } secret)
        {
            return new MoltException("SecretInPlan", ErrorKind.InvalidData, text, secret.Remedy, source);
        }

        if (problems.Any(p => p.Check == PlanCheckNames.Version))
        {
            return new MoltException("PlanVersionUnknown", ErrorKind.NotSupported, text, problems[0].Remedy, source);
        }

        return new MoltException("PlanInvalid", ErrorKind.InvalidData, text, problems.Count == 1 ? problems[0].Remedy : "See each of them with Test-MoltPlan, and what to do about it.", source);
    }
}

/// <summary>The names of Test-MoltPlan's checks; scripts may match on them.</summary>
public static class PlanCheckNames
{
    public const string Privacy = "Privacy";
    public const string Syntax = "Syntax";
    public const string Version = "Version";
    public const string Names = "Names";
    public const string Secrets = "Secrets";
    public const string References = "References";
    public const string Databases = "Databases";
    public const string Stores = "Stores";
    public const string StorageClass = "StorageClass";
    public const string ObjectLock = "ObjectLock";
    public const string Copies = "Copies";
    public const string Retention = "Retention";
    public const string Jobs = "Jobs";
    public const string Keys = "Keys";
    public const string Environment = "Environment";
    public const string Folders = "Folders";
    public const string Redis = "Redis";
    public const string Audit = "Audit";
    public const string Alerts = "Alerts";
    public const string Recovery = "Recovery";
}
