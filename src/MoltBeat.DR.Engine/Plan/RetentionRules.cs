using System.Globalization;
using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>How long backups of each kind are kept, for each database on its own. Made without arguments it holds the defaults.</summary>
public sealed record RetentionRules
{
    public RetentionRule Daily { get => field ?? new(TimeSpan.FromDays(30)); init; }

    public RetentionRule Weekly { get => field ?? new(TimeSpan.FromDays(90)); init; }

    public RetentionRule Monthly { get => field ?? new(TimeSpan.FromDays(365)); init; }

    public RetentionRule Manual { get => field ?? new(null); init; }

    /// <summary>All rules, by the kind's name as the plan writes it.</summary>
    [JsonIgnore]
    public IReadOnlyList<(string Kind, RetentionRule Rule)> Rules => [("daily", Daily), ("weekly", Weekly), ("monthly", Monthly), ("manual", Manual)];
}

/// <summary>How long backups of one kind are kept.</summary>
/// <param name="Keep">Age from which on one may go, counted from its snapshot; null for never.</param>
/// <param name="AtLeast">How many of the newest stay, however old they are: they are what is left when backups cease.</param>
public sealed record RetentionRule([property: JsonConverter(typeof(KeepConverter))] TimeSpan? Keep, int AtLeast = RetentionRule.DefaultAtLeast)
{
    /// <summary>How many stay when nothing else is said.</summary>
    public const int DefaultAtLeast = 3;

    /// <summary>For people: <c>30d</c>, <c>forever</c>.</summary>
    [JsonIgnore]
    public string KeptFor => KeepTime.Format(Keep);

    public override string ToString() => KeptFor + ", at least " + AtLeast.ToString(CultureInfo.InvariantCulture);

    /// <exception cref="MoltException"><c>RetentionInvalid</c>: a negative value, or a rule that keeps nothing at all.</exception>
    internal void Check()
    {
        var why = Keep < TimeSpan.Zero ? $"{Keep.Value.TotalDays.ToString("0.##", CultureInfo.InvariantCulture)} days to keep is less than none"
            : AtLeast < 0 ? $"at least {AtLeast.ToString(CultureInfo.InvariantCulture)} is less than none"
            : Keep == TimeSpan.Zero && AtLeast == 0 ? "0 days and at least 0 would keep nothing" : null;
        if (why is not null)
        {
            throw Invalid(why);
        }
    }

    private static MoltException Invalid(string why)
        => new("RetentionInvalid", ErrorKind.InvalidArgument, $"This is no rule for keeping backups: {why}.",
            "Give a number of days, or none to keep them for ever, and how many stay at least: 30 days and at least 3.");
}
