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

    /// <summary>Which kinds of backups go here when no place is named: <c>daily</c>, <c>weekly</c>, <c>monthly</c>, <c>manual</c>; null for all.</summary>
    public IReadOnlyList<string>? Kinds { get; init; }

    /// <summary>Whether backups of a kind go here; upper and lower case are the same.</summary>
    public bool Takes(string kind) => Kinds is null || Kinds.Contains(kind, StringComparer.OrdinalIgnoreCase);

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
