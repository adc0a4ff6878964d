using System.Text.Json;
using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>An environment file that a backup takes along, encrypted. A plan may write its path alone.</summary>
/// <param name="Path">Absolute; the file's own name and its folders' may have the wildcards * and ?.</param>
public sealed record PlannedFile(string Path)
{
    /// <summary>What the backup calls it; without it the file's name, behind that of its folder when it begins with a dot.</summary>
    public string? Name { get; init; }

    public override string ToString() => Name ?? Path;
}

/// <summary>A list of which each item is an object, or a text that is its path.</summary>
internal sealed class PlannedFilesConverter : JsonConverter<IReadOnlyList<PlannedFile>>
{
    public override IReadOnlyList<PlannedFile> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var files = new List<PlannedFile>();
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new JsonException();
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            files.Add(reader.TokenType == JsonTokenType.String ? new PlannedFile(reader.GetString()!) : JsonSerializer.Deserialize(ref reader, PlanJson.Default.PlannedFile)!);
        }

        return files;
    }

    public override void Write(Utf8JsonWriter writer, IReadOnlyList<PlannedFile> value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (var file in value)
        {
            JsonSerializer.Serialize(writer, file, PlanJson.Default.PlannedFile);
        }

        writer.WriteEndArray();
    }
}
