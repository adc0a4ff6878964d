using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>JSON of the archive's own descriptions: indented, camel case, unknown properties of later minor versions ignored.</summary>
[JsonSourceGenerationOptions(
    WriteIndented = true,
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(Manifest))]
[JsonSerializable(typeof(Contents))]
public sealed partial class ArchiveJson : JsonSerializerContext
{
    /// <summary>Reads a description that anybody may have written.</summary>
    /// <exception cref="JsonException">It is no JSON, or holds null or nothing where a value has to be.</exception>
    internal static T Read<T>(ReadOnlySpan<byte> json, JsonTypeInfo<T> type)
    {
        // The serializer minds null in properties, but not in lists.
        var inArray = new Stack<bool>();
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartArray or JsonTokenType.StartObject:
                    inArray.Push(reader.TokenType == JsonTokenType.StartArray);
                    break;
                case JsonTokenType.EndArray or JsonTokenType.EndObject:
                    inArray.Pop();
                    break;
                case JsonTokenType.Null when !inArray.TryPeek(out var isArray) || isArray:
                    throw new JsonException("There is nothing where a value has to be.");
            }
        }

        return JsonSerializer.Deserialize(json, type)!;
    }
}
