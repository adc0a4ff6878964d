using System.Buffers.Binary;
using System.IO.Hashing;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>
/// The digest of a DUMP payload that comes in pieces. The order of a large set's members and a large hash's fields depends on a
/// random number of the server process, so their digests are summed; all else is digested as it stands. Left out is the footer,
/// whose version differs between servers. Equal digests mean equal values; different ones only mean that the bytes differ.
/// </summary>
internal sealed class RedisPayloadDigest
{
    private const int FooterBytes = 10;
    private const byte HashTableSet = 2;
    private const byte HashTableHash = 4;

    private readonly XxHash128 element = new();
    private readonly byte[] head = new byte[16];
    private long left;
    private int headBytes;
    private long skip;
    private int elements;
    private bool typeKnown;
    private bool counted;
    private bool summed;
    private UInt128 sum;

    /// <summary>The kind of value, as Redis' own files number them.</summary>
    public byte Type { get; private set; }

    /// <summary>Begins a payload.</summary>
    /// <param name="length">Its bytes.</param>
    public void Begin(long length)
    {
        element.Reset();
        left = length - FooterBytes;
        headBytes = 0;
        skip = 0;
        elements = 0;
        typeKnown = counted = summed = false;
        sum = 0;
        Type = 0;
    }

    public void Append(ReadOnlySpan<byte> piece)
    {
        piece = piece[..(int)Math.Clamp(left, 0, piece.Length)];
        left -= piece.Length;
        if (!typeKnown && piece.Length > 0)
        {
            Type = piece[0];
            typeKnown = true;
            summed = Type is HashTableSet or HashTableHash;
            element.Append(piece[..1]);
            piece = piece[1..];
        }

        if (!summed)
        {
            element.Append(piece);
            return;
        }

        while (piece.Length > 0)
        {
            if (skip > 0)
            {
                var n = (int)Math.Min(skip, piece.Length);
                element.Append(piece[..n]);
                piece = piece[n..];
                skip -= n;
            }
            else
            {
                head[headBytes++] = piece[0];
                element.Append(piece[..1]);
                piece = piece[1..];
                if (!HeadEnds())
                {
                    continue;
                }
            }

            if (skip == 0)
            {
                EndOfElement();
            }
        }
    }

    /// <summary>Ends it.</summary>
    public UInt128 End() => unchecked(sum + element.GetCurrentHashAsUInt128());

    /// <summary>Whether the length before a string is complete; then so many bytes of it follow.</summary>
    private bool HeadEnds()
    {
        var first = head[0];
        var (wanted, follow) = (first >> 6) switch
        {
            0 => (1, (long)(first & 0x3f)),
            1 => (2, headBytes < 2 ? 0 : ((first & 0x3f) << 8) | head[1]),
            2 when first == 0x80 => (5, headBytes < 5 ? 0 : BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(1))),
            2 => (9, headBytes < 9 ? 0 : BinaryPrimitives.ReadInt64BigEndian(head.AsSpan(1))),
            _ => Special(first & 0x3f),
        };
        if (headBytes < wanted)
        {
            return false;
        }

        headBytes = 0;
        skip = counted ? follow : 0; // the first length is the count of elements
        return true;
    }

    // Numbers of one, two and four bytes; and compressed strings, whose compressed and plain lengths come first.
    private (int Wanted, long Follow) Special(int form)
    {
        if (form < 3)
        {
            return (1, 1 << form);
        }

        var first = Length(1);
        var second = first.Bytes == 0 ? first : Length(1 + first.Bytes);
        return second.Bytes == 0 ? (headBytes + 1, 0) : (1 + first.Bytes + second.Bytes, first.Value);
    }

    private (int Bytes, long Value) Length(int at)
    {
        if (headBytes <= at)
        {
            return (0, 0);
        }

        return (head[at] >> 6) switch
        {
            0 => (1, head[at] & 0x3f),
            1 when headBytes > at + 1 => (2, ((head[at] & 0x3f) << 8) | head[at + 1]),
            2 when headBytes > at + 4 => (5, BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(at + 1))),
            _ => (0, 0),
        };
    }

    private void EndOfElement()
    {
        if (!counted)
        {
            counted = true;
        }
        else if (Type == HashTableHash && ++elements % 2 == 1)
        {
            return; // a field and its value are one
        }

        sum = unchecked(sum + element.GetCurrentHashAsUInt128());
        element.Reset();
    }
}
