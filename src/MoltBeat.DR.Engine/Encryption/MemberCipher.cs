using System.Buffers;
using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>
/// Makes one OpenPGP message: the seal's session key packets, then one packet of encrypted and integrity-protected data of
/// version 1 (RFC 4880, section 5.13), in it one packet of literal data, both in pieces of 64 KB as the length is not known
/// before. GnuPG from 1.0.2 on reads it.
/// </summary>
internal sealed class MemberCipher : IMemberCipher
{
    private const int Power = 16;
    private const int Piece = 1 << Power;
    private const byte PieceMark = 0xE0 | Power;

    // Room before the piece for up to 15 bytes that wait for a whole block, and for what comes before the first piece.
    private const int Gap = 64;

    private const byte SealedTag = 0xC0 | 18;
    private const byte LiteralTag = 0xC0 | 11;
    private const int BlockBytes = 16;
    private const int MarkBytes = 2;

    // Binary, no name, no time.
    private static readonly byte[] s_literalHead = [(byte)'b', 0, 0, 0, 0, 0];
    private static readonly byte[] s_mark = [0xC0 | 19, SHA1.HashSizeInBytes];

    private readonly byte[] keyPackets;
    private readonly ICryptoTransform transform;
#pragma warning disable CA5350 // OpenPGP's integrity check is SHA-1 of the plain text, itself encrypted; collisions are no way to break it.
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
#pragma warning restore CA5350
    private readonly byte[] waiting = new byte[BlockBytes];
    private byte[]? plain = ArrayPool<byte>.Shared.Rent(Gap + Piece + MarkBytes + SHA1.HashSizeInBytes + BlockBytes);
    private byte[]? made = ArrayPool<byte>.Shared.Rent(2 * Piece + Gap + MarkBytes + SHA1.HashSizeInBytes + BlockBytes);
    private int waitingCount;
    private int plainCount;
    private int madeCount;
    private bool literalBegun;
    private bool messageBegun;
    private bool completed;

    /// <param name="key">Is used up at once.</param>
    /// <param name="keyPackets">Whole packets, before the data.</param>
    public MemberCipher(SessionKey key, byte[] keyPackets)
    {
        this.keyPackets = keyPackets;
        transform = key.CreateTransform(encrypt: true);
        made[madeCount++] = 1;
    }

    public void Write(ReadOnlySpan<byte> data, Stream message)
    {
        var piece = Open();
        while (data.Length > 0)
        {
            var room = Piece - (literalBegun ? 0 : s_literalHead.Length) - plainCount;
            if (room == 0)
            {
                EncryptPiece(last: false);
                Flush(message, last: false);
                continue;
            }

            var n = Math.Min(room, data.Length);
            data[..n].CopyTo(piece.AsSpan(Gap + plainCount));
            plainCount += n;
            data = data[n..];
        }
    }

    public void Complete(Stream message)
    {
        _ = Open();
        completed = true;
        EncryptPiece(last: true);
        Flush(message, last: true);
    }

    public void Dispose()
    {
        Return(ref plain);
        Return(ref made);
        CryptographicOperations.ZeroMemory(waiting);
        transform.Dispose();
        hash.Dispose();
    }

    private static void Return(ref byte[]? buffer)
    {
        if (buffer is not null)
        {
            CryptographicOperations.ZeroMemory(buffer);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = null;
        }
    }

    private byte[] Open()
    {
        ObjectDisposedException.ThrowIf(plain is null, this);
        return completed ? throw new InvalidOperationException("The message is complete.") : plain;
    }

    /// <summary>Encrypts the piece with what belongs before it, and behind the last one the integrity check.</summary>
    private void EncryptPiece(bool last)
    {
        Span<byte> before = stackalloc byte[Gap - BlockBytes];
        var count = Before(before, last);
        var region = plain!;
        before[..count].CopyTo(region.AsSpan(Gap - count));
        var from = Gap - count - waitingCount;
        waiting.AsSpan(0, waitingCount).CopyTo(region.AsSpan(from));
        var to = Gap + plainCount;
        if (last)
        {
            s_mark.CopyTo(region, to);
            to += MarkBytes;
        }

        hash.AppendData(region, Gap - count, to - (Gap - count));
        if (last)
        {
            to += hash.GetHashAndReset(region.AsSpan(to));
        }

        // The encryptor takes whole blocks; of the last one what is beyond the end is thrown away.
        var length = to - from;
        var whole = length / BlockBytes * BlockBytes;
        if (last && whole < length)
        {
            region.AsSpan(to, whole + BlockBytes - length).Clear();
            whole += BlockBytes;
        }

        if (whole > 0)
        {
            transform.TransformBlock(region, from, whole, made!, madeCount);
        }

        waitingCount = last ? 0 : length - whole;
        madeCount += last ? length : whole;
        region.AsSpan(to - waitingCount, waitingCount).CopyTo(waiting);
        plainCount = 0;
        literalBegun = true;
    }

    /// <summary>Writes what precedes the piece: the random block and the literal packet's head before the first, a length before each.</summary>
    private int Before(Span<byte> to, bool last)
    {
        var count = 0;
        var length = plainCount;
        if (!literalBegun)
        {
            // The random first block makes every message differ, though all have the same key; its last two bytes come twice.
            RandomNumberGenerator.Fill(to[..BlockBytes]);
            to.Slice(BlockBytes - 2, 2).CopyTo(to[BlockBytes..]);
            count = BlockBytes + 2;
            to[count++] = LiteralTag;
            length += s_literalHead.Length;
        }

        if (last)
        {
            count += PacketBytes.WriteLength(length, to[count..]);
        }
        else
        {
            to[count++] = PieceMark;
        }

        if (!literalBegun)
        {
            s_literalHead.CopyTo(to[count..]);
            count += s_literalHead.Length;
        }

        return count;
    }

    /// <summary>Writes the pieces of the outer packet that are whole, and the last one.</summary>
    private void Flush(Stream message, bool last)
    {
        var at = 0;
        Span<byte> length = stackalloc byte[5];
        // Always more than a piece, so that the last is never empty.
        while (madeCount - at > Piece)
        {
            Begin(message);
            message.WriteByte(PieceMark);
            message.Write(made!, at, Piece);
            at += Piece;
        }

        if (last)
        {
            Begin(message);
            message.Write(length[..PacketBytes.WriteLength(madeCount - at, length)]);
            message.Write(made!, at, madeCount - at);
            at = madeCount;
        }

        made.AsSpan(at, madeCount - at).CopyTo(made);
        madeCount -= at;
    }

    private void Begin(Stream message)
    {
        if (!messageBegun)
        {
            message.Write(keyPackets);
            message.WriteByte(SealedTag);
            messageBegun = true;
        }
    }
}
