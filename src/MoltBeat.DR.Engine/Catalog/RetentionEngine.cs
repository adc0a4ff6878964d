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
        var sound = newestFirst.Where(b => b.Verified != false && !HasWrongClock(b, now)).ToList();
        var decisions = new List<RetentionDecision>();
        var successors = new List<RetentionItem>();
        foreach (var backup in newestFirst)
        {
            var (reason, text) = ByRules(backup, sound, successors, RuleOf(rules, backup.Kind), now);

            // Only what stays by the rules can take the place of what goes: neither something that goes itself, nor something
            // that stays for a while only, or else a pin on one backup would let another go.
            if (reason != RetentionReason.Expired && backup.Verified == true && sound.Contains(backup))
            {
                successors.Add(backup);
            }

            (reason, text) =
                backup.Pin is { } pin ? (RetentionReason.Pinned, $"pinned by {pin.By} on {Day(pin.Time)}: {pin.Reason}")
                : backup.Leases.Count > 0 ? (RetentionReason.BeingRead, $"being read on {backup.Leases[0].Host} ({backup.Leases[0].Operation}) until {Moment(backup.Leases[0].Until)} at the latest")
                : backup.LockedUntil > now ? (RetentionReason.ObjectLock, backup.LockedUntil == DateTimeOffset.MaxValue ? "under object lock without an end" : $"under object lock until {Moment(backup.LockedUntil.Value)}")
                : (reason, text);
            decisions.Add(new RetentionDecision(backup, reason, text));
        }

        GuardAgainstNothingLeft(decisions, sound);
        return decisions;
    }

    private static (RetentionReason Reason, string Text) ByRules(RetentionItem backup, List<RetentionItem> sound, List<RetentionItem> successors, RetentionRule rule, DateTimeOffset now)
    {
        if (HasWrongClock(backup, now))
        {
            return (RetentionReason.WrongClock, $"dated {Moment(backup.Created)}: a clock was wrong, and its age says nothing");
        }

        if (rule.Keep is not { } keep)
        {
            return (RetentionReason.KeptForEver, $"{Kind(backup)} backups are kept for ever");
        }

        if (now - backup.Created < keep)
        {
            return (RetentionReason.WithinTime, $"{Kind(backup)} backups are kept {Days(keep)}: until {Day(backup.Created + keep)}");
        }

        var sameKind = sound.Where(b => b.Kind == backup.Kind).ToList();
        if (sameKind.DistinctBy(b => b.Id).Take(rule.AtLeast).Any(b => b.Id == backup.Id))
        {
            return (RetentionReason.OneOfAtLeast, $"one of the newest {rule.AtLeast.ToString(CultureInfo.InvariantCulture)} {Kind(backup)} backups, which stay however old they are");
        }

        if (sameKind.Find(b => b.Verified == true) == backup)
        {
            return (RetentionReason.NewestVerified, $"the newest {Kind(backup)} backup that was verified");
        }

        var newer = successors.Where(s => s.Created > backup.Created && s.Id != backup.Id).ToList();
        if (newer.Count == 0)
        {
            return (RetentionReason.NothingNewerVerified, "no newer backup of the database that stays was verified");
        }

        var complete = newer.Where(s => s.LeavesOut.All(backup.LeavesOut.Contains)).ToList();
        if (complete.Count == 0)
        {
            return (RetentionReason.NewerOnesLeaveOut, $"all newer ones that were verified leave out tables that it holds: {string.Join(", ", newer[0].LeavesOut.Except(backup.LeavesOut).Take(3))}");
        }

        return complete.TrueForAll(s => s.RawBytes < backup.RawBytes / 2.0)
            ? (RetentionReason.NewerOnesShrunk, $"all newer ones that were verified have less than half of its rows: at most {Size(complete.Max(s => s.RawBytes))} of {Size(backup.RawBytes)}")
            : (RetentionReason.Expired, $"expired {Days(now - backup.Created - keep)} ago: {Kind(backup)} backups are kept {Days(keep)}, and {complete.Count.ToString(CultureInfo.InvariantCulture)} newer verified {(complete.Count == 1 ? "one stays" : "ones stay")}");
    }

    /// <summary>What the rules above cannot bring about, should they ever be changed.</summary>
    internal static void GuardAgainstNothingLeft(IReadOnlyCollection<RetentionDecision> decisions, IReadOnlyCollection<RetentionItem> sound)
    {
        if (decisions.FirstOrDefault(d => d.Goes) is { } goes && !decisions.Any(d => !d.Goes && sound.Contains(d.Backup)))
        {
            throw new MoltException("RetentionWouldRemoveAll", ErrorKind.InvalidData, $"By these rules no sound backup of {goes.Backup.Database} would be left. Nothing was removed.",
                "Check that newer backups are made and verified, and the clock; correct the rules.", goes.Backup.Database);
        }
    }

    private static bool HasWrongClock(RetentionItem backup, DateTimeOffset now) => backup.Created > now + BackupCatalog.ClockTolerance || backup.Created.Year < 2025;

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
