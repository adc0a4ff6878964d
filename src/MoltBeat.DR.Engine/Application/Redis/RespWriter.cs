using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>Writes commands in RESP.</summary>
internal static class RespWriter
{
    /// <summary>A whole command.</summary>
    public static void Command(this IBufferWriter<byte> output, params ReadOnlySpan<string> words)
    {
        output.List(words.Length);
        foreach (var word in words)
        {
            output.Bytes(Encoding.UTF8.GetBytes(word));
        }
    }

    /// <summary>A whole command on one key.</summary>
    public static void Command(this IBufferWriter<byte> output, ReadOnlySpan<byte> word, ReadOnlySpan<byte> key)
    {
        output.List(2);
        output.Bytes(word);
        output.Bytes(key);
    }

    /// <summary>A whole command on several keys.</summary>
    public static void Command(this IBufferWriter<byte> output, ReadOnlySpan<byte> word, IReadOnlyList<byte[]> keys)
    {
        output.List(keys.Count + 1);
        output.Bytes(word);
        foreach (var key in keys)
        {
            output.Bytes(key);
        }
    }

    /// <summary>The beginning of a list, and so of a command.</summary>
    public static void List(this IBufferWriter<byte> output, int items) => Head(output, (byte)'*', items);

    public static void Bytes(this IBufferWriter<byte> output, ReadOnlySpan<byte> bytes)
    {
        BytesHead(output, bytes.Length);
        output.Write(bytes);
        output.Write("\r\n"u8);
    }

    /// <summary>The line before bytes; they and a line end must follow.</summary>
    public static void BytesHead(this IBufferWriter<byte> output, long length) => Head(output, (byte)'$', length);

    public static void Number(this IBufferWriter<byte> output, long number)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(number, digits, out var length);
        output.Bytes(digits[..length]);
    }

    private static void Head(IBufferWriter<byte> output, byte type, long number)
    {
        var span = output.GetSpan(24);
        span[0] = type;
        Utf8Formatter.TryFormat(number, span[1..], out var length);
        "\r\n"u8.CopyTo(span[(1 + length)..]);
        output.Advance(length + 3);
    }
}
