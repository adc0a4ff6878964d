using System.Text.Json;
using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>JSON of the plan. <see cref="PlanReader"/> has looked for comments, unknown and double names before it comes here.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    // The serializer parses a document's text once more.
    ReadCommentHandling = JsonCommentHandling.Skip,
    AllowTrailingCommas = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(BackupPlan))]
[JsonSerializable(typeof(IReadOnlyList<PlannedFile>))]
[JsonSerializable(typeof(PlannedFile))]
internal sealed partial class PlanJson : JsonSerializerContext;
