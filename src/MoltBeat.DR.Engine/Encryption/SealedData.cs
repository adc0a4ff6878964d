using System.Buffers;
using System.Security.Cryptography;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Decrypts an encrypted and integrity-protected packet of version 1. Reaches its end only when the check agrees.</summary>
internal sealed class SealedData : PullStream
{
    private const int BlockBytes = 16;
    private const int PrefixBytes = BlockBytes + 2;
    private const int CheckBytes = 2 + SHA1.HashSizeInBytes;
    private const int ReadBytes = 1 << 16;

    private readonly PacketBody body;
    private readonly ICryptoTransform transform;
#pragma warning disable CA5350 // As OpenPGP has it.
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
#pragma warning restore CA5350
    private byte[]? sealedBytes = ArrayPool<byte>.Shared.Rent(ReadBytes + BlockBytes);
    private byte[]? plain = ArrayPool<byte>.Shared.Rent(ReadBytes + 2 * BlockBytes + CheckBytes);
    private int sealedCount;
    private int at;
    private int ready;
    private int end;
    private long total;
    private int toSkip = PrefixBytes;
    private bool begun;
    private bool ended;

    public SealedData(PacketBody body, SessionKey key)
    {
        this.body = body;
        transform = key.CreateTransform(encrypt: false);
    }

    public override async ValueTask<int> PullAsync(Memory<byte> buffer, bool async, CancellationToken cancellationToken)
    {
        while (at == ready)
        {
            if (ended)
            {
                return 0;
            }

            await FillAsync(async, cancellationToken).ConfigureAwait(false);
            var skipped = Math.Min(toSkip, ready - at);
            toSkip -= skipped;
            at += skipped;
        }

        var n = Math.Min(buffer.Length, ready - at);
        plain.AsSpan(at, n).CopyTo(buffer.Span);
        at += n;
        return n;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Return(ref plain);
            Return(ref sealedBytes);
            transform.Dispose();
            hash.Dispose();
        }

        base.Dispose(disposing);
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

    /// <summary>Decrypts what one read gives. The last bytes are held back: they may be the check.</summary>
    private async ValueTask FillAsync(bool async, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(plain is null || sealedBytes is null, this);
        if (!begun)
        {
            if (await body.RequireAsync(async, cancellationToken).ConfigureAwait(false) is not 1 and var version)
            {
                throw new PacketException($"its encrypted data is of version {version}");
            }

            begun = true;
        }

        plain.AsSpan(at, end - at).CopyTo(plain);
        end -= at;
        at = 0;
        var n = await body.PullAsync(sealedBytes.AsMemory(sealedCount, ReadBytes), async, cancellationToken).ConfigureAwait(false);
        sealedCount += n;
        var take = sealedCount / BlockBytes * BlockBytes;
        if (n == 0 && sealedCount > 0)
        {
            sealedBytes.AsSpan(sealedCount, BlockBytes - sealedCount).Clear();
            take = BlockBytes;
        }

        if (take > 0)
        {
            transform.TransformBlock(sealedBytes, 0, take, plain, end);
            var given = Math.Min(take, sealedCount);
            end += given;
            total += given;
            sealedBytes.AsSpan(given, sealedCount - given).CopyTo(sealedBytes);
            sealedCount -= given;
        }

        ready = Math.Max(0, end - CheckBytes);
        hash.AppendData(plain, 0, ready);
        if (n == 0)
        {
            CheckEnd(plain);
            ended = true;
        }
    }

    private void CheckEnd(byte[] bytes)
    {
        if (total < PrefixBytes + CheckBytes)
        {
            throw new PacketException("it ends too early");
        }

        hash.AppendData(bytes, ready, 2);
        if (bytes[ready] != (0xC0 | 19) || bytes[ready + 1] != SHA1.HashSizeInBytes
            || !CryptographicOperations.FixedTimeEquals(hash.GetHashAndReset(), bytes.AsSpan(ready + 2, SHA1.HashSizeInBytes)))
        {
            throw new PacketException("its integrity check does not agree");
        }
    }
}
