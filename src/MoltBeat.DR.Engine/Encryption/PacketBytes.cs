using System.Buffers.Binary;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Writes the small pieces that OpenPGP packets are made of (RFC 4880, sections 3.2 and 4.2).</summary>
internal static class PacketBytes
{
    /// <summary>The length of a packet, or of its last piece. Returns how many bytes it took: 1, 2 or 5.</summary>
    public static int WriteLength(int length, Span<byte> to)
    {
        if (length < 192)
        {
            to[0] = (byte)length;
            return 1;
        }

        if (length < 8384)
        {
            to[0] = (byte)((length - 192 >> 8) + 192);
            to[1] = (byte)(length - 192);
            return 2;
        }

        to[0] = 0xFF;
        BinaryPrimitives.WriteInt32BigEndian(to[1..], length);
        return 5;
    }

    /// <summary>A whole packet of the new form.</summary>
    public static byte[] Packet(int tag, ReadOnlySpan<byte> body)
    {
        Span<byte> length = stackalloc byte[5];
        length = length[..WriteLength(body.Length, length)];
        return [(byte)(0xC0 | tag), .. length, .. body];
    }

    /// <summary>A number: its length in bits, and its bytes without leading zeros.</summary>
    public static byte[] Number(ReadOnlySpan<byte> bigEndian)
    {
        bigEndian = bigEndian.TrimStart((byte)0);
        var bits = bigEndian.IsEmpty ? 0 : bigEndian.Length * 8 - (byte.LeadingZeroCount(bigEndian[0]));
        return [(byte)(bits >> 8), (byte)bits, .. bigEndian];
    }

    /// <summary>Takes a number off the front.</summary>
    /// <exception cref="PacketException">There is none.</exception>
    public static ReadOnlySpan<byte> TakeNumber(ref ReadOnlySpan<byte> from)
    {
        if (from.Length < 2)
        {
            throw new PacketException("a number is cut short");
        }

        var length = (BinaryPrimitives.ReadUInt16BigEndian(from) + 7) / 8;
        if (from.Length - 2 < length)
        {
            throw new PacketException("a number is cut short");
        }

        var number = from.Slice(2, length);
        from = from[(2 + length)..];
        return number;
    }
}
