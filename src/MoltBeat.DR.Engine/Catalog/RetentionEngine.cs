using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>
/// Decides which backups of one store go. Each database of each server by itself, by the times in the manifests, never by
/// names or file dates. In doubt a backup stays.
/// </summary>
public static class RetentionEngine
{
    /// <param name="backups">All backups of the store, in any order.</param>
    /// <param name="rules">How long each kind is kept.</param>
    /// <param name="now">The present, UTC.</param>
    /// <returns>A decision for each backup, newest first within its database.</returns>
    /// <exception cref="MoltException"><c>RetentionInvalid</c>; <c>RetentionWouldRemoveAll</c> when no sound backup of a database would be left.</exception>
    public static IReadOnlyList<RetentionDecision> Decide(IReadOnlyCollection<RetentionItem> backups, RetentionRules rules, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(rules);
        foreach (var (_, rule) in rules.Rules)
        {
            rule.Check();
        }

        var decisions = new List<RetentionDecision>();
        foreach (var database in backups.GroupBy(b => (b.Database, b.Server)).OrderBy(g => g.Key.Database, StringComparer.Ordinal).ThenBy(g => g.Key.Server, StringComparer.Ordinal))
        {
            var newestFirst = database.OrderByDescending(b => b.Created).ThenBy(b => b.Id, StringComparer.Ordinal).ThenBy(b => b.Name, StringComparer.Ordinal).ToList();
            decisions.AddRange(DecideOne(newestFirst, rules, now));
        }

        return decisions;
    }

    private static List<RetentionDecision> DecideOne(List<RetentionItem> newestFirst, RetentionRules rules, DateTimeOffset now)
    {
        // A backup that failed its verification, or whose date is not to be believed, speaks for no other.
        var sound = newestFirst.Where(b => b.Verified != false && !IsFuture(b, now)).ToList();
        var decisions = new List<RetentionDecision>();
        var successors = new List<RetentionItem>();
        foreach (var backup in newestFirst)
        {
            var rule = RuleOf(rules, backup.Kind);
            var sameKind = sound.Where(b => b.Kind == backup.Kind).ToList();
            var (reason, text) =
                backup.Pin is { } pin ? (RetentionReason.Pinned, $"pinned by {pin.By} on {Day(pin.Time)}: {pin.Reason}")
                : backup.Leases.Count > 0 ? (RetentionReason.BeingRead, $"being read on {backup.Leases[0].Host} ({backup.Leases[0].Operation}) until {Moment(backup.Leases[0].Until)} at the latest")
                : backup.LockedUntil > now ? (RetentionReason.ObjectLock, backup.LockedUntil == DateTimeOffset.MaxValue ? "under object lock without an end" : $"under object lock until {Moment(backup.LockedUntil.Value)}")
                : IsFuture(backup, now) ? (RetentionReason.FutureDate, "dated in the future: a clock was wrong, and its age says nothing")
                : rule.Keep is not { } keep ? (RetentionReason.KeptForEver, $"{Kind(backup)} backups are kept for ever")
                : now - backup.Created < keep ? (RetentionReason.WithinTime, $"{Kind(backup)} backups are kept {Days(keep)}: until {Day(backup.Created + keep)}")
                : sameKind.Take(rule.AtLeast).Contains(backup) ? (RetentionReason.OneOfAtLeast, $"one of the newest {rule.AtLeast.ToString(CultureInfo.InvariantCulture)} {Kind(backup)} backups, which stay however old they are")
                : sameKind.Find(b => b.Verified == true) == backup ? (RetentionReason.NewestVerified, $"the newest {Kind(backup)} backup that was verified")
                : successors.Count == 0 ? (RetentionReason.NothingNewerVerified, "no newer backup of the database was verified")
                : successors.TrueForAll(s => s.RawBytes < backup.RawBytes / 2.0) ? (RetentionReason.NewerOnesShrunk, $"all newer ones that were verified have less than half of its rows: at most {Size(successors.Max(s => s.RawBytes))} of {Size(backup.RawBytes)}")
                : (RetentionReason.Expired, $"expired {Days(now - backup.Created - keep)} ago: {Kind(backup)} backups are kept {Days(keep)}, and {successors.Count.ToString(CultureInfo.InvariantCulture)} newer verified {(successors.Count == 1 ? "one stays" : "ones stay")}");
            decisions.Add(new RetentionDecision(backup, reason, text));

            // Only what stays can take the place of what goes.
            if (reason != RetentionReason.Expired && backup.Verified == true && !IsFuture(backup, now))
            {
                successors.Add(backup);
            }
        }

        if (decisions.Exists(d => d.Goes) && !decisions.Exists(d => !d.Goes && sound.Contains(d.Backup)))
        {
            throw new MoltException("RetentionWouldRemoveAll", ErrorKind.InvalidData, $"By these rules no sound backup of {newestFirst[0].Database} would be left. Nothing was removed.",
                "Check that newer backups are made and verified, and the clock; correct the rules.", newestFirst[0].Database);
        }

        return decisions;
    }

    private static bool IsFuture(RetentionItem backup, DateTimeOffset now) => backup.Created > now + BackupCatalog.ClockTolerance;

    private static RetentionRule RuleOf(RetentionRules rules, BackupKind kind) => kind switch
    {
        BackupKind.Daily => rules.Daily,
        BackupKind.Weekly => rules.Weekly,
        BackupKind.Monthly => rules.Monthly,
        _ => rules.Manual,
    };

    private static string Kind(RetentionItem backup) => backup.Kind.ToString().ToLowerInvariant();

    private static string Days(TimeSpan time) => time.TotalDays >= 1 ? string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(time.TotalDays):0} days") : string.Create(CultureInfo.InvariantCulture, $"{time.TotalHours:0.#} hours");

    private static string Day(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static string Moment(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    private static string Size(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N1} MB");
}
