using System.Diagnostics;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>What a store is held against.</summary>
public sealed record StoreHealthOptions
{
    /// <summary>The longest time for which any backup is to be kept; null when nobody says.</summary>
    public TimeSpan? LongestRetention { get; init; }

    /// <summary>Bytes of the newest backup, by which the next is judged; null when there is none.</summary>
    public long? NewestSize { get; init; }

    /// <summary>Names of checks that are not wanted here, in any case of letters.</summary>
    public IReadOnlyCollection<string> Except { get; init; } = [];
}

/// <summary>Finds out how a store is, and removes what unfinished backups have left in it.</summary>
public interface IStoreHealth
{
    /// <summary>Looks at everything. Leaves nothing behind; what is wrong with the store is in the result and never thrown.</summary>
    Task<StoreHealthResult> CheckAsync(StoreHealthOptions options, CancellationToken cancellationToken);

    /// <summary>Removes leftovers that <see cref="CheckAsync"/> found. One that is gone already, or has come back to life, is left alone.</summary>
    /// <param name="found">What was found.</param>
    /// <param name="chosen">Which of its leftovers to remove; only such as are <see cref="Leftover.IsStale"/> are.</param>
    /// <param name="cancellationToken">Ends it between two of them.</param>
    /// <returns>The same result, with those marked that are removed now, and the check of the leftovers made again.</returns>
    /// <exception cref="MoltException"><c>LeftoverNotRemoved</c>.</exception>
    Task<StoreHealthResult> RepairAsync(StoreHealthResult found, IReadOnlyCollection<Leftover> chosen, CancellationToken cancellationToken);
}

/// <summary>Store health, for folders and for buckets.</summary>
public static class StoreHealth
{
    internal const string ProbePrefix = ".molt-probe-";

    public static IStoreHealth Of(StoreSettings store)
    {
        ArgumentNullException.ThrowIfNull(store);
        return store.IsS3 ? new S3StoreHealth(store) : new LocalStoreHealth(store);
    }
}

/// <summary>Collects what is found out about one store.</summary>
internal sealed class HealthReport(StoreSettings store, StoreHealthOptions options)
{
    private const string LeftoversName = "Leftovers";
    private readonly List<HealthCheck> checks = [];
    private readonly DateTimeOffset time = DateTimeOffset.UtcNow;
    private readonly Stopwatch clock = Stopwatch.StartNew();

    public bool Wants(string name) => !options.Except.Contains(name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Makes a check, unless it is not wanted.</summary>
    public async Task AddAsync(string name, string proves, Func<Task<HealthFinding>> look)
    {
        if (Wants(name))
        {
            var found = await look().ConfigureAwait(false);
            checks.Add(new HealthCheck(name, found.Status, proves, found.Detail, found.Remedy));
        }
    }

    public void Add(string name, string proves, HealthFinding found)
    {
        if (Wants(name))
        {
            checks.Add(new HealthCheck(name, found.Status, proves, found.Detail, found.Remedy));
        }
    }

    /// <param name="leftovers">Null when they could not be listed, for the reason given.</param>
    /// <param name="why">That reason.</param>
    public StoreHealthResult End(IReadOnlyList<Leftover>? leftovers, string? why = null)
    {
        if (Wants(LeftoversName))
        {
            checks.Add(leftovers is null ? Check(HealthFinding.Unknown(why ?? "they could not be listed")) : Check(Judge(leftovers)));
        }

        return new StoreHealthResult(store.Name, store.Location, checks, leftovers ?? [], time, clock.Elapsed);
    }

    /// <summary>The result of a repair.</summary>
    public static StoreHealthResult After(StoreHealthResult found, IReadOnlyCollection<Leftover> removed)
    {
        var leftovers = found.Leftovers.Select(l => removed.Contains(l) ? l with { Removed = true } : l).ToList();
        return new StoreHealthResult(found.Name, found.Location,
            [.. found.Checks.Select(c => c.Name == LeftoversName && c.Status != HealthStatus.Unknown ? Check(Judge(leftovers)) : c)],
            leftovers, found.Time, found.Duration);
    }

    private static HealthCheck Check(HealthFinding found)
        => new(LeftoversName, found.Status, "No backup that never came to its end takes up room.", found.Detail, found.Remedy);

    private static HealthFinding Judge(IReadOnlyList<Leftover> leftovers)
    {
        var stale = leftovers.Where(l => l.IsStale).ToList();
        var removed = leftovers.Count(l => l.Removed);
        var young = leftovers.Count - stale.Count - removed;
        var rest = string.Concat(
            young > 0 ? $"; {young} younger than a day, which may still be written" : "",
            removed > 0 ? $"; {removed} removed" : "");
        return stale.Count == 0
            ? HealthFinding.Passed("none older than a day" + rest)
            : HealthFinding.Failed(
                $"{stale.Count} older than a day, {Sizes.Text(stale.Sum(l => l.Size ?? 0))}, the oldest of {stale.Min(l => l.Since).UtcDateTime:yyyy-MM-dd HH:mm}Z{rest}",
                "Remove them with Test-MoltStore -Repair.");
    }
}

/// <summary>How one check came out.</summary>
internal sealed record HealthFinding(HealthStatus Status, string Detail, string? Remedy)
{
    public static HealthFinding Passed(string detail) => new(HealthStatus.Passed, detail, null);

    public static HealthFinding Failed(string detail, string remedy) => new(HealthStatus.Failed, detail, remedy);

    public static HealthFinding Unknown(string why, string? remedy = null) => new(HealthStatus.Unknown, why, remedy);
}
