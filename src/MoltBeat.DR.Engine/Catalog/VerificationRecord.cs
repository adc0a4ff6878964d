using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>What a verification found, kept beside the archive.</summary>
/// <param name="BackupId">The backup.</param>
/// <param name="Level">Quick or Full.</param>
/// <param name="Passed">Whether every check passed.</param>
/// <param name="Time">When it ended, UTC.</param>
/// <param name="Host">The machine that did it.</param>
/// <param name="Failed">Names of the checks that failed.</param>
public sealed record VerificationRecord(string BackupId, string Level, bool Passed, DateTimeOffset Time, string Host, IReadOnlyList<string> Failed) : IBackupRecord;

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true)]
[JsonSerializable(typeof(VerificationRecord))]
internal sealed partial class RecordJson : JsonSerializerContext;
