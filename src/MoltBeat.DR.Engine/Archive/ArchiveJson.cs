using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>JSON of the archive's own descriptions: indented, camel case, unknown properties of later minor versions ignored.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(Contents))]
public sealed partial class ArchiveJson : JsonSerializerContext;
