using System.Buffers.Binary;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>
/// Asks a server whether it takes payloads of a version, without writing: a payload of a kind of value that there is none, with the
/// right version and checksum. What is too new is refused for that, before the server looks at the kind.
/// </summary>
internal static class RedisProbe
{
    private const byte NoSuchKind = 0xFE;

    // Jones' polynomial, reflected, as in Redis.
    private const ulong Polynomial = 0x95AC9329AC4BC9B5;

    /// <returns>Whether it does.</returns>
    /// <exception cref="MoltException">It may not be written to at all: <c>RedisDenied</c>, <c>RedisIsReplica</c>, <c>RedisFull</c>, …</exception>
    public static async Task<bool> TakesAsync(RedisSession session, byte[] likeKey, int payloadVersion, CancellationToken cancellationToken)
    {
        // Rights may be given by the beginnings of names.
        byte[] key = [.. likeKey.AsSpan(0, Math.Min(likeKey.Length, 200)), .. ":moltbeat-probe-"u8, .. Guid.NewGuid().ToByteArray()];
        var payload = Payload(payloadVersion);
        RedisPartWriter.WriteHead(session.Out, key, 0, replace: false, payload.Length);
        System.Buffers.BuffersExtensions.Write(session.Out, payload);
        RedisPartWriter.WriteTail(session.Out, replace: false);
        await session.FlushAsync(cancellationToken).ConfigureAwait(false);
        var answer = await session.Reader.ValueAsync(cancellationToken).ConfigureAwait(false);
        return answer.Text.Contains("version or checksum", StringComparison.Ordinal) ? false
            : answer.Text.Contains("Bad data format", StringComparison.Ordinal) ? true
            : answer.Head.IsError ? throw session.Refusal(answer.Text, "RESTORE")
            : throw session.Nonsense(new InvalidDataException());
    }

    internal static byte[] Payload(int version)
    {
        var payload = new byte[11];
        payload[0] = NoSuchKind;
        BinaryPrimitives.WriteUInt16LittleEndian(payload.AsSpan(1), (ushort)version);
        BinaryPrimitives.WriteUInt64LittleEndian(payload.AsSpan(3), Checksum(payload.AsSpan(0, 3)));
        return payload;
    }

    internal static ulong Checksum(ReadOnlySpan<byte> bytes)
    {
        ulong crc = 0;
        foreach (var b in bytes)
        {
            crc ^= b;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ Polynomial : crc >> 1;
            }
        }

        return crc;
    }
}
