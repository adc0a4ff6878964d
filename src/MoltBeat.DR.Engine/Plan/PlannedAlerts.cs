namespace MoltBeat.DR.Engine.Plan;

/// <summary>Who is told when something is wrong, as the plan says it; see docs/alerts.md.</summary>
public sealed record PlannedAlerts
{
    /// <summary>Ways to reach people.</summary>
    public IReadOnlyList<PlannedRoute> Routes { get => field ?? []; init; }

    /// <summary>What differs from <see cref="AlertProblems"/>' defaults.</summary>
    public IReadOnlyList<PlannedAlertRule> Rules { get => field ?? []; init; }

    /// <summary>What alerts call this machine; without it its name.</summary>
    public string? Source { get; init; }

    /// <summary>Absolute path of the folder where alerts wait that could not be sent; without it the machine's or the user's own.</summary>
    public string? Spool { get; init; }

    /// <summary>The routes that an alert takes.</summary>
    /// <param name="problem">One of <see cref="AlertProblems"/>.</param>
    public IReadOnlyList<PlannedRoute> RoutesOf(string problem)
        => Rule(problem)?.Routes is { } named ? [.. Routes.Where(r => named.Contains(r.Name, StringComparer.OrdinalIgnoreCase))] : AlertProblems.Routes(problem, Routes);

    /// <summary>How bad a problem is.</summary>
    /// <param name="problem">One of <see cref="AlertProblems"/>.</param>
    public Priority SeverityOf(string problem) => Rule(problem)?.Severity is { } severity ? Enum.Parse<Priority>(severity) : AlertProblems.Severity(problem);

    private PlannedAlertRule? Rule(string problem) => Rules.FirstOrDefault(r => r.Problem == problem);
}

/// <summary>How bad one problem is, and who is told of it.</summary>
/// <param name="Problem">One of <see cref="AlertProblems"/>.</param>
public sealed record PlannedAlertRule(string Problem)
{
    /// <summary>P0 to P3; without it the problem's default.</summary>
    public string? Severity { get; init; }

    /// <summary>Names of routes; empty for nobody, null for the default.</summary>
    public IReadOnlyList<string>? Routes { get; init; }

    public override string ToString() => Problem;
}
