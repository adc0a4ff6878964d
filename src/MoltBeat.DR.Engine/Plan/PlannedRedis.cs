using System.Text.Json;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>A Redis server whose keys every backup takes along.</summary>
/// <param name="Name">What the plan and the backup call it.</param>
/// <param name="Url">A <c>redis://</c> URL without a password, or a reference to one (<see cref="SecretReference"/>).</param>
/// <param name="Required">Whether a backup without its keys must not be made.</param>
public sealed record PlannedRedis(string Name, string Url, bool Required = true)
{
    private const string All = "all";

    /// <summary>As the plan says it: <c>"all"</c>, or a list of numbers; null for the URL's, and without one all that hold keys.</summary>
    public JsonElement? Databases { get; init; }

    /// <summary>The databases: empty for all that hold keys; null when the plan does not say.</summary>
    public IReadOnlyList<int>? Numbers()
        => Databases is not { } value ? null : value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(n => n.GetInt32())] : [];

    public override string ToString() => Name;

    /// <summary>Whether what stands there is a choice of databases.</summary>
    internal bool NamesDatabases()
        => Databases is not { } value || (value.ValueKind == JsonValueKind.String && value.GetString() == All)
            || (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() is > 0 and <= 1000
                && value.EnumerateArray().All(n => n.ValueKind == JsonValueKind.Number && n.TryGetInt32(out var number) && number >= 0));
}
