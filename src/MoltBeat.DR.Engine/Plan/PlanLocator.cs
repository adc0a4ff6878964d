namespace MoltBeat.DR.Engine.Plan;

/// <summary>
/// Finds the plan that counts: the file that is named, else that of <c>MOLTBEAT_PLAN</c>, else the machine's, else the
/// user's, else what the old scripts' variables say. The first that is there counts, even when it turns out to be no good:
/// another plan in its place would put backups where nobody looks for them.
/// </summary>
public sealed class PlanLocator
{
    /// <summary>The variable that names the file.</summary>
    public const string PathVariable = "MOLTBEAT_PLAN";

    private readonly PlanSurroundings around;

    /// <param name="currentFolder">Absolute; what relative paths in variables are relative to.</param>
    public PlanLocator(string currentFolder)
        : this(PlanSurroundings.OfThisProcess(currentFolder))
    {
    }

    internal PlanLocator(PlanSurroundings around) => this.around = around;

    /// <summary>Where a new plan goes when nobody says: the machine's for an administrator, else the user's.</summary>
    public string NewPlanPath => Environment.IsPrivilegedProcess ? around.SystemPlan : around.UserPlan;

    internal PlanSurroundings Surroundings => around;

    /// <summary>The plan that counts.</summary>
    /// <param name="planPath">Absolute path of a file; null to look for one.</param>
    /// <exception cref="MoltException">
    /// <c>PlanNotFound</c>, <c>PlanNotReadable</c>, <c>PlanNotPrivate</c>, <c>PlanInvalid</c>, <c>PlanVersionUnknown</c>, <c>SecretInPlan</c>
    /// </exception>
    public PlanInForce Locate(string? planPath = null)
    {
        if (Find(planPath) is { } file)
        {
            return file.Refusal is null
                ? new PlanInForce(PlanReader.Read(file.Content, "The plan " + file.Path), file.Path, file.Path, file.Warnings)
                : throw file.Refusal;
        }

        return FromVariables();
    }

    /// <summary>The plan that the old scripts' variables make, whatever files there are.</summary>
    /// <exception cref="MoltException"><c>PlanInvalid</c>, <c>SecretInPlan</c>.</exception>
    public PlanInForce FromVariables()
    {
        var (plan, problems) = VariablePlan.Make(around);
        var source = VariablePlan.Source(around);
        return problems.Count == 0 ? new PlanInForce(plan, source, null, []) : throw PlanProblem.ToError("The plan made of " + source, problems);
    }

    /// <summary>The file of the plan that counts; null when there is none and the variables count.</summary>
    /// <exception cref="MoltException"><c>PlanNotFound</c>, <c>PlanNotReadable</c>.</exception>
    internal PlanFile? Find(string? planPath)
    {
        if (planPath is not null)
        {
            return PlanFile.Open(planPath) ?? throw NotFound(planPath, "-PlanPath");
        }

        if (around.Set(PathVariable) is { } named)
        {
            var path = Path.GetFullPath(named, around.CurrentFolder);
            return PlanFile.Open(path) ?? throw NotFound(path, PathVariable);
        }

        return PlanFile.Open(around.SystemPlan) ?? PlanFile.Open(around.UserPlan);
    }

    private static MoltException NotFound(string path, string by)
        => new("PlanNotFound", ErrorKind.NotFound, $"There is no plan {path}, which {by} names.", $"Make one with New-MoltPlan -Path '{path}', or name another.", path);
}
