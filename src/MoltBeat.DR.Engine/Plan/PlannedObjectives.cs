namespace MoltBeat.DR.Engine.Plan;

/// <summary>How soon what has to work again (RTO), and how much may be lost (RPO).</summary>
public sealed record PlannedObjectives
{
    private static readonly Dictionary<RecoveryScenario, (Priority Priority, int Minutes)> s_scenarios = new()
    {
        [RecoveryScenario.DatabaseCorruption] = (Priority.P0, 15),
        [RecoveryScenario.ServerLoss] = (Priority.P0, 120),
        [RecoveryScenario.DataDeletion] = (Priority.P1, 30),
    };

    public IReadOnlyList<PlannedPriority> Priorities { get => field ?? []; init; }

    /// <summary>What differs from the defaults.</summary>
    public IReadOnlyList<PlannedScenario> Scenarios { get => field ?? []; init; }

    /// <summary>How much a scenario matters.</summary>
    public Priority PriorityOf(RecoveryScenario scenario) => Of(scenario)?.Priority is { } priority ? Enum.Parse<Priority>(priority) : s_scenarios[scenario].Priority;

    /// <summary>The time within which a scenario's recovery is to be done: its own, else that of the priority which the plan gives it, else the default.</summary>
    public TimeSpan RtoOf(RecoveryScenario scenario)
    {
        var planned = Of(scenario);
        var minutes = planned?.RtoMinutes
            ?? (planned?.Priority is { } named ? Priorities.FirstOrDefault(p => p.Priority == named)?.RtoMinutes : null)
            ?? s_scenarios[scenario].Minutes;
        return TimeSpan.FromMinutes(minutes);
    }

    private PlannedScenario? Of(RecoveryScenario scenario) => Scenarios.FirstOrDefault(s => s.Scenario == scenario.ToString());
}

/// <summary>What a priority promises.</summary>
/// <param name="Priority">P0 to P3.</param>
/// <param name="RtoMinutes">Within how many minutes it works again.</param>
public sealed record PlannedPriority(string Priority, int RtoMinutes)
{
    /// <summary>How many minutes of changes may be lost.</summary>
    public int? RpoMinutes { get; init; }
}

/// <summary>What holds for one scenario.</summary>
/// <param name="Scenario">One of <see cref="RecoveryScenario"/>.</param>
public sealed record PlannedScenario(string Scenario)
{
    /// <summary>P0 to P3.</summary>
    public string? Priority { get; init; }

    public int? RtoMinutes { get; init; }
}
