using System.Text.Json.Serialization;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>
/// All that is known of one recovery: its checkpoint and its timeline at once, so that the two cannot differ. Written, synced,
/// with everything that happens.
/// </summary>
/// <param name="Id">Also the folder's name.</param>
/// <param name="Scenario">What had happened.</param>
/// <param name="Database">What is recovered.</param>
/// <param name="Server">Role, address and database.</param>
/// <param name="Started">When the clock began to run, UTC.</param>
/// <param name="Priority">How much it matters.</param>
/// <param name="RtoMinutes">Within how many minutes it is to be done.</param>
internal sealed record IncidentRecord(string Id, RecoveryScenario Scenario, string Database, string Server, DateTimeOffset Started, Priority Priority, double RtoMinutes)
{
    public int Version { get; init; } = 1;

    /// <summary>When it had come to its end, UTC; null while it has not.</summary>
    public DateTimeOffset? Finished { get; init; }

    /// <summary>Steps that were done, failed or declined, in their order; of each the last attempt.</summary>
    public IReadOnlyList<RunbookStep> Steps { get; init; } = [];

    /// <summary>The backup that was chosen and verified; null before.</summary>
    public IncidentBackup? Backup { get; init; }

    /// <summary>There was no database of this name, so none is replaced.</summary>
    public bool IsMissing { get; init; }

    /// <summary>Keys of the alerts that went out, each for one who was told.</summary>
    public IReadOnlyList<string> Told { get; init; } = [];

    public IReadOnlyList<IncidentEvent> Events { get; init; } = [];

    [JsonIgnore]
    public DateTimeOffset Due => Started.AddMinutes(RtoMinutes);
}

/// <param name="Id">The backup's id.</param>
/// <param name="Name">Its file name.</param>
/// <param name="StateOf">When its snapshot was taken, UTC.</param>
/// <param name="Store">The store with the copy that was verified.</param>
internal sealed record IncidentBackup(string Id, string Name, DateTimeOffset StateOf, string Store);

/// <param name="Time">UTC.</param>
/// <param name="Text">What happened.</param>
internal sealed record IncidentEvent(DateTimeOffset Time, string Text);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(IncidentRecord))]
internal sealed partial class IncidentJson : JsonSerializerContext;
