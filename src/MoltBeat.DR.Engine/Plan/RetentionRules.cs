using System.Globalization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>How long backups of each kind are kept, for each database on its own. Made without arguments it holds the defaults.</summary>
public sealed record RetentionRules
{
    public RetentionRule Daily { get; init; } = new(TimeSpan.FromDays(30), RetentionRule.DefaultAtLeast);

    public RetentionRule Weekly { get; init; } = new(TimeSpan.FromDays(90), RetentionRule.DefaultAtLeast);

    public RetentionRule Monthly { get; init; } = new(TimeSpan.FromDays(365), RetentionRule.DefaultAtLeast);

    public RetentionRule Manual { get; init; } = new(null, RetentionRule.DefaultAtLeast);
}

/// <summary>
/// How long backups of one kind are kept. Cannot be changed once made, so that one that is there is valid: both values
/// can be told to be sensible only together.
/// </summary>
/// <param name="Keep">Age from which on one may go, counted from its snapshot; null for never.</param>
/// <param name="AtLeast">How many of the newest stay, however old they are.</param>
/// <exception cref="MoltException"><c>RetentionInvalid</c>: a negative value, or a rule that keeps nothing at all.</exception>
public sealed record RetentionRule(TimeSpan? Keep, int AtLeast)
{
    /// <summary>How many stay when nothing else is said.</summary>
    public const int DefaultAtLeast = 3;

    public TimeSpan? Keep { get; } = Checked(Keep, AtLeast);

    public int AtLeast { get; } = AtLeast;

    private static TimeSpan? Checked(TimeSpan? keep, int atLeast)
        => keep < TimeSpan.Zero ? throw Invalid($"{keep.Value.TotalDays.ToString("0.##", CultureInfo.InvariantCulture)} days to keep is less than none")
            : atLeast < 0 ? throw Invalid($"at least {atLeast.ToString(CultureInfo.InvariantCulture)} is less than none")
            : keep == TimeSpan.Zero && atLeast == 0 ? throw Invalid("0 days and at least 0 would keep nothing")
            : keep;

    private static MoltException Invalid(string why)
        => new("RetentionInvalid", ErrorKind.InvalidArgument, $"This is no rule for keeping backups: {why}.",
            "Give a number of days, or none to keep them for ever, and how many stay at least: 30 days and at least 3.");
}
