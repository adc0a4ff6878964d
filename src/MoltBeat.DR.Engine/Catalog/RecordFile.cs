using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>Names and contents of the small files beside an archive, written once and never changed.</summary>
internal static class RecordFile
{
    public const string Verification = "verification";
    public const string Pin = "pin";
    public const string Lease = "lease";
    public const string KeyProof = "keyproof";
    private const string TimeFormat = "yyyyMMddTHHmmss'Z'";

    public static string NewName(DateTimeOffset time, string kind)
        => string.Create(CultureInfo.InvariantCulture, $"{time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture)}_{kind}_{Guid.NewGuid():N}.json");

    public static bool IsKind(string name, string kind) => name.Contains($"_{kind}_", StringComparison.Ordinal);

    /// <summary>The time in a record's name; null when there is none.</summary>
    public static DateTimeOffset? TimeOf(string name)
        => name.IndexOf('_', StringComparison.Ordinal) is var end and > 0
            && DateTimeOffset.TryParseExact(name.AsSpan(0, end), TimeFormat, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    /// <summary>A new name for a record that stays, and its content.</summary>
    public static (string Name, byte[] Content) New(IBackupRecord record) => record switch
    {
        VerificationRecord verification => (NewName(record.Time, Verification), JsonSerializer.SerializeToUtf8Bytes(verification, RecordJson.Default.VerificationRecord)),
        PinRecord pin => (NewName(record.Time, Pin), Write(pin)),
        KeyProofRecord proof => (NewName(record.Time, KeyProof), JsonSerializer.SerializeToUtf8Bytes(proof, StrictRecordJson.Default.KeyProofRecord)),
        _ => throw new ArgumentException($"No record: {record.GetType()}", nameof(record)),
    };

    public static byte[] Write(PinRecord record) => JsonSerializer.SerializeToUtf8Bytes(record, StrictRecordJson.Default.PinRecord);

    public static byte[] Write(LeaseRecord record) => JsonSerializer.SerializeToUtf8Bytes(record, StrictRecordJson.Default.LeaseRecord);
}

/// <summary>For records in which a missing value must not pass for an empty one: without its backup id a pin would seem another backup's.</summary>
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(PinRecord))]
[JsonSerializable(typeof(LeaseRecord))]
[JsonSerializable(typeof(KeyProofRecord))]
internal sealed partial class StrictRecordJson : JsonSerializerContext;
