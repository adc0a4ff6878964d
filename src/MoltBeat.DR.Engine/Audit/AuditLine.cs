using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>
/// A line's bytes. Its hash is the last property and covers all bytes before it, so that no two programs need agree on how
/// JSON is to be written: <c>{…</c> is hashed, then <c>,"hash":"…"}</c> follows.
/// </summary>
internal static class AuditLine
{
    /// <summary>Bytes; a longer one is none of ours.</summary>
    public const int Longest = 256 << 10;

    /// <summary>What the very first line has in place of a hash of the line before.</summary>
    public static readonly string NoHash = new('0', 64);

    private static readonly int s_end = Suffix(NoHash).Length;

    /// <summary>The line, without a line end.</summary>
    public static byte[] Write(AuditRecord record)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(record with { Hash = null }, AuditJson.Default.AuditRecord);
        var body = json.AsSpan(0, json.Length - 1);
        return [.. body, .. Suffix(HashOf(body))];
    }

    /// <summary>Reads a line.</summary>
    /// <param name="line">Its bytes, without the line end.</param>
    /// <param name="isSound">Whether its own hash is right.</param>
    /// <returns>Null when it is no line of an audit log.</returns>
    public static AuditRecord? Read(ReadOnlySpan<byte> line, out bool isSound)
    {
        isSound = false;
        try
        {
            var record = JsonSerializer.Deserialize(line, AuditJson.Default.AuditRecord);
            if (record is { Hash: not null, Sequence: > 0 })
            {
                isSound = line.Length > s_end && line[^s_end..].SequenceEqual(Suffix(HashOf(line[..^s_end])));
                return record;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not quoted: nobody knows what it holds.
        }

        return null;
    }

    /// <summary>SHA-256 as lower-case hex.</summary>
    public static string HashOf(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private static byte[] Suffix(string hash) => Encoding.ASCII.GetBytes($",\"hash\":\"{hash}\"}}");
}
