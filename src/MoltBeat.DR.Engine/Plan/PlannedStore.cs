using System.Globalization;
using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>A store as the plan writes it: the names and meanings are those of <see cref="StoreSettings"/>.</summary>
/// <param name="Name">What -Destination and messages call it.</param>
/// <param name="Location">An absolute path, or <c>s3://bucket/prefix</c>.</param>
public sealed record PlannedStore(string Name, string Location)
{
    public string? Endpoint { get; init; }

    public string? Region { get; init; }

    public string? Profile { get; init; }

    public string? Role { get; init; }

    public string? StorageClass { get; init; }

    public string? Encryption { get; init; }

    public string? KmsKey { get; init; }

    public bool? PathStyle { get; init; }

    public string? Checksums { get; init; }

    public string? ObjectLock { get; init; }

    public int? ObjectLockDays { get; init; }

    public int? TimeoutSeconds { get; init; }

    /// <summary>The settings given beside the location, by their names.</summary>
    [JsonIgnore]
    internal IReadOnlyDictionary<string, string> Options
        => new Dictionary<string, string?>
        {
            ["endpoint"] = Endpoint,
            ["region"] = Region,
            ["profile"] = Profile,
            ["role"] = Role,
            ["storageClass"] = StorageClass,
            ["encryption"] = Encryption,
            ["kmsKey"] = KmsKey,
            ["pathStyle"] = PathStyle?.ToString().ToLowerInvariant(),
            ["checksums"] = Checksums,
            ["objectLock"] = ObjectLock,
            ["objectLockDays"] = ObjectLockDays?.ToString(CultureInfo.InvariantCulture),
            ["timeoutSeconds"] = TimeoutSeconds?.ToString(CultureInfo.InvariantCulture),
        }.Where(o => o.Value is not null).ToDictionary(o => o.Key, o => o.Value!, StringComparer.Ordinal);

    /// <summary>What opens it.</summary>
    /// <exception cref="MoltException"><c>StoreInvalid</c>.</exception>
    public StoreSettings ToSettings() => StoreSettings.Parse(Location, Options) with { Name = Name };

    public override string ToString() => Name;
}
