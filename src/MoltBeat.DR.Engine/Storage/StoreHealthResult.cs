using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Storage;

[JsonConverter(typeof(JsonStringEnumConverter<HealthStatus>))]
public enum HealthStatus
{
    Passed,
    Failed,

    /// <summary>It could not be found out, for the reason in the detail; proves nothing.</summary>
    Unknown,
}

/// <summary>One thing that was looked at in a store.</summary>
/// <param name="Name">Short name, the same for ever.</param>
/// <param name="Status">How it is.</param>
/// <param name="Proves">What is certain when it passed.</param>
/// <param name="Detail">What was found, or why nothing was.</param>
/// <param name="Remedy">What can be done about it; null when it passed.</param>
public sealed record HealthCheck(string Name, HealthStatus Status, string Proves, string Detail, string? Remedy = null)
{
    public override string ToString() => $"{Name}: {Status}";
}

/// <summary>What kind of thing was left behind.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LeftoverKind>))]
public enum LeftoverKind
{
    /// <summary>A file that was never finished.</summary>
    PartialFile,

    /// <summary>Parts of an upload that was never finished: they are in no listing, and are paid for.</summary>
    UnfinishedUpload,

    /// <summary>A probe of this check that could not be removed at once.</summary>
    Probe,
}

/// <summary>What a backup that never came to its end has left in a store.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Name">The file, or the key of the object it was to become.</param>
/// <param name="Location">Path or URI.</param>
/// <param name="UploadId">S3's id of the upload; null for anything else.</param>
/// <param name="Size">Bytes; null when the store does not say.</param>
/// <param name="Since">When it was begun (an upload) or written to last (a file), by the store's clock.</param>
/// <param name="Age">How long ago that is, by the store's clock.</param>
/// <param name="Removed">A repair has removed it.</param>
public sealed record Leftover(LeftoverKind Kind, string Name, string Location, string? UploadId, long? Size, DateTimeOffset Since, TimeSpan Age, bool Removed = false)
{
    /// <summary>Older than this nothing is still being written.</summary>
    public static readonly TimeSpan MinimumAge = TimeSpan.FromDays(1);

    /// <summary>Old enough to be removed, and still there.</summary>
    public bool IsStale => !Removed && Age > MinimumAge;
}

/// <summary>How a store is.</summary>
public sealed class StoreHealthResult
{
    internal StoreHealthResult(string name, string location, IReadOnlyList<HealthCheck> checks, IReadOnlyList<Leftover> leftovers, DateTimeOffset time, TimeSpan duration)
    {
        Name = name;
        Location = location;
        Checks = checks;
        Leftovers = leftovers;
        Time = time;
        Duration = duration;
    }

    /// <summary>No check failed. One that is unknown does not fail, and proves nothing: see <see cref="Unknown"/>.</summary>
    public bool Passed => Checks.All(c => c.Status != HealthStatus.Failed);

    /// <summary>What the store is called.</summary>
    public string Name { get; }

    /// <summary>Path or URI.</summary>
    public string Location { get; }

    public IReadOnlyList<HealthCheck> Checks { get; }

    public IEnumerable<HealthCheck> Failed => Checks.Where(c => c.Status == HealthStatus.Failed);

    public IEnumerable<HealthCheck> Unknown => Checks.Where(c => c.Status == HealthStatus.Unknown);

    /// <summary>What unfinished backups have left, those included that a repair has removed.</summary>
    public IReadOnlyList<Leftover> Leftovers { get; }

    public DateTimeOffset Time { get; }

    public TimeSpan Duration { get; }
}
