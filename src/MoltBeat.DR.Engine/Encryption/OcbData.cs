using System.Buffers.Binary;
using System.Security.Cryptography;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Modes;
using Org.BouncyCastle.Crypto.Parameters;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>
/// Decrypts what GnuPG 2.3 and later make for keys that ask for it: an AEAD packet in OCB mode (kind 20, as the draft RFC 4880bis
/// had it). Each chunk proves itself before a byte of it is given out; the end comes only when the number of chunks agrees too.
/// </summary>
internal sealed class OcbData : PullStream
{
    private const byte PacketHead = 0xC0 | 20;
    private const byte Version = 1;
    private const byte Ocb = 2;
    private const int NonceBytes = 15;
    private const int TagBytes = 16;

    /// <summary>Chunks of 4 MB, GnuPG's own and the largest that a reader has to take.</summary>
    private const byte LargestChunk = 16;

    private readonly PacketBody body;
    private readonly byte[] secret;
    private readonly byte algorithm;
    private readonly byte[] nonce = new byte[NonceBytes];
    private readonly byte[] associated = [PacketHead, Version, 0, Ocb, 0, .. new byte[16]];
    private OcbBlockCipher? cipher;
    private byte[] sealedBytes = [];
    private byte[] plain = [];
    private int sealedCount;
    private int at;
    private int end;
    private long chunk;
    private long total;
    private bool ended;

    public OcbData(PacketBody body, SessionKey key)
    {
        this.body = body;
        secret = key.Key.ToArray();
        algorithm = key.Algorithm;
    }

    public override async ValueTask<int> PullAsync(Memory<byte> buffer, bool async, CancellationToken cancellationToken)
    {
        while (at == end)
        {
            if (ended)
            {
                return 0;
            }

            await FillAsync(async, cancellationToken).ConfigureAwait(false);
        }

        var n = Math.Min(buffer.Length, end - at);
        plain.AsSpan(at, n).CopyTo(buffer.Span);
        at += n;
        return n;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            CryptographicOperations.ZeroMemory(secret);
            CryptographicOperations.ZeroMemory(plain);
            ended = true;
        }

        base.Dispose(disposing);
    }

    private async ValueTask BeginAsync(bool async, CancellationToken cancellationToken)
    {
        var version = await body.RequireAsync(async, cancellationToken).ConfigureAwait(false);
        var cipherNumber = await body.RequireAsync(async, cancellationToken).ConfigureAwait(false);
        var mode = await body.RequireAsync(async, cancellationToken).ConfigureAwait(false);
        var size = await body.RequireAsync(async, cancellationToken).ConfigureAwait(false);
        if (version != Version || mode != Ocb || size > LargestChunk)
        {
            throw OpenPgpErrors.NotSupported($"its encrypted data is of version {version}, mode {mode} and chunk size {size}; this module opens OCB");
        }

        if (cipherNumber != algorithm)
        {
            throw new PacketException("its key is for another cipher");
        }

        (associated[2], associated[4]) = (cipherNumber, size);
        for (var i = 0; i < NonceBytes; i++)
        {
            nonce[i] = await body.RequireAsync(async, cancellationToken).ConfigureAwait(false);
        }

        // One tag more than a chunk's own: only then is it certain that the chunk is not the last one.
        sealedBytes = new byte[(1 << (size + 6)) + 2 * TagBytes];
        plain = new byte[sealedBytes.Length];
        cipher = new OcbBlockCipher(Org.BouncyCastle.Crypto.AesUtilities.CreateEngine(), Org.BouncyCastle.Crypto.AesUtilities.CreateEngine());
    }

    private async ValueTask FillAsync(bool async, CancellationToken cancellationToken)
    {
        if (cipher is null)
        {
            await BeginAsync(async, cancellationToken).ConfigureAwait(false);
        }

        var more = true;
        while (sealedCount < sealedBytes.Length && more)
        {
            var n = await body.PullAsync(sealedBytes.AsMemory(sealedCount), async, cancellationToken).ConfigureAwait(false);
            sealedCount += n;
            more = n > 0;
        }

        if (sealedCount < TagBytes)
        {
            throw new PacketException("it ends too early");
        }

        var take = sealedCount - TagBytes;
        (at, end) = (0, take > 0 ? Open(sealedBytes.AsSpan(0, take), 13) : 0);
        total += end;
        sealedBytes.AsSpan(take, TagBytes).CopyTo(sealedBytes);
        sealedCount = TagBytes;
        if (!more)
        {
            BinaryPrimitives.WriteInt64BigEndian(associated.AsSpan(13), total);
            Span<byte> last = stackalloc byte[TagBytes];
            sealedBytes.AsSpan(0, TagBytes).CopyTo(last);
            var kept = plain.AsSpan(0, end).ToArray();
            _ = Open(last, 21);
            kept.CopyTo(plain, 0);
            CryptographicOperations.ZeroMemory(kept);
            ended = true;
        }
    }

    /// <summary>Decrypts one chunk with its tag into <see cref="plain"/>; an empty one at the end proves the length of all.</summary>
    private int Open(ReadOnlySpan<byte> data, int associatedBytes)
    {
        BinaryPrimitives.WriteInt64BigEndian(associated.AsSpan(5), chunk);
        var number = nonce.ToArray();
        for (var i = 0; i < 8; i++)
        {
            number[NonceBytes - 8 + i] ^= associated[5 + i];
        }

        chunk++;
        cipher!.Init(forEncryption: false, new AeadParameters(new KeyParameter(secret), TagBytes * 8, number, associated.AsSpan(0, associatedBytes).ToArray()));
        try
        {
            var n = cipher.ProcessBytes(data, plain);
            return n + cipher.DoFinal(plain.AsSpan(n));
        }
        catch (InvalidCipherTextException e)
        {
            throw new PacketException("one of its chunks is not what was encrypted", e);
        }
    }
}
