using System.Globalization;
using Amazon.S3.Model;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>What a bucket's lifecycle rules mean for backups under a prefix, which bear no tags.</summary>
internal static class S3Lifecycle
{
    /// <summary>Whether a rule removes backups earlier than they are to be kept.</summary>
    /// <param name="rules">All rules of the bucket.</param>
    /// <param name="prefix">Of our keys.</param>
    /// <param name="longest">The longest time for which a backup is kept; null when it is not known.</param>
    public static HealthFinding Expiry(IReadOnlyList<LifecycleRule> rules, string prefix, TimeSpan? longest)
    {
        var expiring = rules.Where(r => Touches(r, prefix) && (r.Expiration?.Days > 0 || r.Expiration?.Date is not null)).ToList();
        if (expiring.Count == 0)
        {
            return HealthFinding.Passed("no rule removes anything under this prefix");
        }

        var told = string.Join(", ", expiring.Select(Tell));
        const string Remedy = "Take the expiry out of the bucket's rule: Remove-MoltBackup -Expired removes what may go, and knows what must stay.";
        if (longest is not { } keep)
        {
            return HealthFinding.Unknown($"{told}; how long backups are to be kept is not known", "Say it with -KeepFor or RETENTION_DAYS.");
        }

        // A day on which all is removed is too early for every backup that is still to be made before it.
        var early = expiring.Where(r => r.Expiration.Date is not null || r.Expiration.Days < keep.TotalDays).ToList();
        return early.Count == 0
            ? HealthFinding.Passed($"{told}: not before the {Days(keep.TotalDays)} for which backups are kept")
            : HealthFinding.Failed($"{string.Join(", ", early.Select(Tell))}: backups are to be kept for {Days(keep.TotalDays)}", Remedy);
    }

    /// <summary>Whether a rule removes what unfinished uploads leave.</summary>
    public static HealthFinding UnfinishedUploads(IReadOnlyList<LifecycleRule> rules, string prefix)
    {
        const string Remedy = "Add a lifecycle rule that aborts incomplete multipart uploads a few days after they began.";
        var days = rules.Where(r => IsOn(r) && !IsNarrow(r) && prefix.StartsWith(PrefixOf(r), StringComparison.Ordinal))
            .Select(r => r.AbortIncompleteMultipartUpload?.DaysAfterInitiation).OfType<int>().Where(d => d > 0).ToList();
        return days.Count > 0
            ? HealthFinding.Passed($"{Days(days.Min())} after they began")
            : HealthFinding.Failed("no rule does", Remedy);
    }

    /// <summary>A rule that reaches only a part of our keys harms that part.</summary>
    private static bool Touches(LifecycleRule rule, string prefix)
        => IsOn(rule) && !IsTagged(rule)
            && PrefixOf(rule) is var other && (prefix.StartsWith(other, StringComparison.Ordinal) || other.StartsWith(prefix, StringComparison.Ordinal));

    private static bool IsOn(LifecycleRule rule) => rule.Status?.Value == "Enabled";

    private static bool IsTagged(LifecycleRule rule)
        => rule.Filter?.Tag is not null || rule.Filter?.And?.Tags is { Count: > 0 } || Predicates(rule).Any(p => p is LifecycleTagPredicate);

    private static bool IsNarrow(LifecycleRule rule)
        => IsTagged(rule) || rule.Filter?.ObjectSizeGreaterThan > 0 || rule.Filter?.ObjectSizeLessThan > 0
            || rule.Filter?.And?.ObjectSizeGreaterThan > 0 || rule.Filter?.And?.ObjectSizeLessThan > 0
            || Predicates(rule).Any(p => p is LifecycleObjectSizeGreaterThanPredicate or LifecycleObjectSizeLessThanPredicate);

    private static string PrefixOf(LifecycleRule rule)
#pragma warning disable CS0618 // Old rules still have it.
        => rule.Filter?.Prefix ?? rule.Filter?.And?.Prefix ?? Predicates(rule).OfType<LifecyclePrefixPredicate>().FirstOrDefault()?.Prefix ?? rule.Prefix ?? "";
#pragma warning restore CS0618

    /// <summary>The SDK has two ways to show a filter.</summary>
    private static IEnumerable<LifecycleFilterPredicate> Predicates(LifecycleRule rule)
        => rule.Filter?.LifecycleFilterPredicate switch
        {
            null => [],
            LifecycleAndOperator and => and.Operands ?? [],
            var one => [one],
        };

    private static string Tell(LifecycleRule rule)
        => $"rule '{rule.Id}' removes " + (rule.Expiration.Date is { } date
            ? "all on " + date.ToUniversalTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
            : $"after {Days(rule.Expiration.Days ?? 0)}");

    private static string Days(double days) => days.ToString("0.#", CultureInfo.InvariantCulture) + (days == 1 ? " day" : " days");
}
