namespace MoltBeat.DR.Engine.Plan;

/// <summary>Somebody who is told of a recovery, or who holds a key.</summary>
/// <param name="Role">Such as "on-call engineer".</param>
public sealed record PlannedContact(string Role)
{
    /// <summary>Whom the plan's author has not named: the usual path.</summary>
    public static IReadOnlyList<PlannedContact> DefaultEscalation { get; } =
    [
        new("On-call engineer") { AfterMinutes = 0 }, new("Team lead") { AfterMinutes = 15 }, new("CTO") { AfterMinutes = 30 }, new("Incident commander") { AfterMinutes = 60 },
    ];

    public string? Name { get; init; }

    /// <summary>How to reach them, for people: a telephone number.</summary>
    public string? Reach { get; init; }

    /// <summary>Is told when a recovery has gone on for so many minutes; null for never.</summary>
    public int? AfterMinutes { get; init; }

    /// <summary>Names of the routes; null for those of the problem RecoveryRunning.</summary>
    public IReadOnlyList<string>? Routes { get; init; }

    /// <summary>The OpenPGP keys of which they hold the private ones.</summary>
    public IReadOnlyList<string> Keys { get => field ?? []; init; }

    public override string ToString() => Name is null ? Role : $"{Role} {Name}";

    /// <summary>Who is told of a recovery, in the order of the times.</summary>
    internal static IReadOnlyList<PlannedContact> Escalation(BackupPlan plan)
        => plan.Contacts.Where(c => c.AfterMinutes is not null).OrderBy(c => c.AfterMinutes).ToList() is { Count: > 0 } named ? named : DefaultEscalation;
}
