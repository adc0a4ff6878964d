using System.Buffers.Binary;
using System.Text;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// One 512-byte header of a regular file in ustar form, with GNU's base-256 sizes above 8 GB: what every tar of the last
/// twenty years reads. Written here, and not by System.Formats.Tar, because a member's size is filled in after its data.
/// </summary>
public static class TarHeader
{
    public const int BlockBytes = 512;

    private const long OctalLimit = 1L << 33; // eleven octal digits

    /// <summary>Bytes of padding behind a member of this length.</summary>
    public static int Padding(long length) => (int)((BlockBytes - (length % BlockBytes)) % BlockBytes);

    /// <param name="name">The member's name: ASCII, at most 100 bytes, or 255 with a slash to split it at.</param>
    /// <param name="length">Content bytes.</param>
    /// <param name="modified">Modification time.</param>
    /// <param name="executable">Mode 0700 in place of 0600.</param>
    public static byte[] Build(string name, long length, DateTimeOffset modified, bool executable = false)
    {
        var header = new byte[BlockBytes];
        var (prefix, rest) = Split(name);
        Encoding.ASCII.GetBytes(rest, header.AsSpan(0, 100));
        Octal(header.AsSpan(100, 8), executable ? 0x1C0 : 0x180);
        Octal(header.AsSpan(108, 8), 0);
        Octal(header.AsSpan(116, 8), 0);
        if (length < OctalLimit)
        {
            Octal(header.AsSpan(124, 12), length);
        }
        else
        {
            header[124] = 0x80;
            BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(128, 8), length);
        }

        Octal(header.AsSpan(136, 12), modified.ToUnixTimeSeconds());
        header[156] = (byte)'0';
        "ustar\0"u8.CopyTo(header.AsSpan(257));
        "00"u8.CopyTo(header.AsSpan(263));
        "root"u8.CopyTo(header.AsSpan(265));
        "root"u8.CopyTo(header.AsSpan(297));
        Encoding.ASCII.GetBytes(prefix, header.AsSpan(345, 155));

        SetChecksum(header);
        return header;
    }

    /// <summary>Reads a header; null when its checksum is wrong or it is no plain ustar file header.</summary>
    public static (string Name, long Length)? Parse(ReadOnlySpan<byte> header)
    {
        if (header.Length < BlockBytes || header[156] != (byte)'0' || !header.Slice(257, 5).SequenceEqual("ustar"u8))
        {
            return null;
        }

        // The sum is compared as it is written, so that damage to itself shows as well.
        var copy = header[..BlockBytes].ToArray();
        SetChecksum(copy);
        if (!header[..BlockBytes].SequenceEqual(copy))
        {
            return null;
        }

        long length;
        if (header[124] == 0x80)
        {
            length = BinaryPrimitives.ReadInt64BigEndian(header.Slice(128, 8));
        }
        else if (!TryOctal(header.Slice(124, 12), out length))
        {
            return null;
        }

        var name = Field(header[..100]);
        var prefix = Field(header.Slice(345, 155));
        return (prefix.Length == 0 ? name : prefix + "/" + name, length);
    }

    private static (string Prefix, string Name) Split(string name)
    {
        if (name.Length <= 100)
        {
            return ("", name);
        }

        var slash = name.LastIndexOf('/', Math.Min(155, name.Length - 2));
        if (slash <= 0 || name.Length - slash - 1 > 100)
        {
            throw new ArgumentException($"The name does not fit a tar header: {name}", nameof(name));
        }

        return (name[..slash], name[(slash + 1)..]);
    }

    private static void Octal(Span<byte> field, long value)
    {
        for (var i = field.Length - 2; i >= 0; i--)
        {
            field[i] = (byte)('0' + (value & 7));
            value >>= 3;
        }
    }

    private static bool TryOctal(ReadOnlySpan<byte> field, out long value)
    {
        value = 0;
        var digits = 0;
        foreach (var b in field)
        {
            if (b is 0 or (byte)' ')
            {
                if (digits > 0)
                {
                    break;
                }

                continue;
            }

            if (b is < (byte)'0' or > (byte)'7')
            {
                return false;
            }

            value = (value << 3) | (uint)(b - '0');
            digits++;
        }

        return digits > 0;
    }

    private static void SetChecksum(Span<byte> header)
    {
        header.Slice(148, 8).Fill((byte)' ');
        long sum = 0;
        foreach (var b in header)
        {
            sum += b;
        }

        Octal(header.Slice(148, 7), sum);
    }

    private static string Field(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        return Encoding.ASCII.GetString(end < 0 ? field : field[..end]);
    }
}
