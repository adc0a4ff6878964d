using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>
/// Opens encrypted members with a private key: out of a file, or kept by GnuPG's agent. The private key is used once for all
/// members that have the same session key packets, as those of one archive have. Dispose of it to wipe the keys.
/// </summary>
public sealed class OpenPgpOpener : IMemberOpener, IKeyProver, IKeySharer, IDisposable
{
    /// <summary>The kind of packet that GnuPG 2.3 and later encrypt in, where all recipients' keys say that they know it.</summary>
    internal const int AeadTag = 20;

    private const int MostPackets = 256;
    private const int LargestTrial = 4 << 20;

    private readonly ISessionKeySource source;
    private readonly Dictionary<string, SessionKey> known = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim one = new(1, 1);
    private bool disposed;

    internal OpenPgpOpener(ISessionKeySource source) => this.source = source;

    /// <summary>Opens with the private keys in a file.</summary>
    /// <param name="path">As <c>gpg --export-secret-keys</c> makes it, armored or binary.</param>
    /// <param name="passphrase">Copied; empty when the keys are not locked.</param>
    /// <exception cref="MoltException"><c>KeyFileMissing</c>, <c>KeyFileInvalid</c>.</exception>
    public static OpenPgpOpener FromFile(string path, ReadOnlySpan<char> passphrase) => new(new PrivateKeyFile(path, passphrase));

    /// <summary>Opens with the keys that GnuPG's agent keeps.</summary>
    /// <param name="gpg">The program, and whose keys.</param>
    /// <param name="passphrase">Copied; empty leaves it to the agent to ask.</param>
    public static OpenPgpOpener FromAgent(GnuPg gpg, ReadOnlySpan<char> passphrase) => new(new GpgAgentKeys(gpg, passphrase));

    public async Task<Stream> OpenAsync(Stream message, string member, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        var packets = new PacketSource(message);
        try
        {
            var (keys, body) = await ReadKeysAsync(packets, member, cancellationToken).ConfigureAwait(false);
            using var key = await KeyAsync(keys, member, cancellationToken).ConfigureAwait(false);
            var opened = new OpenedMember(message, packets, body, key, member);
            try
            {
                await opened.BeginAsync(cancellationToken).ConfigureAwait(false);
                return opened;
            }
            catch
            {
                await opened.DisposeAsync().ConfigureAwait(false);
                throw;
            }
        }
        catch
        {
            packets.Dispose();
            await message.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async Task<IReadOnlyList<KeyTrial>> TryEachAsync(ReadOnlyMemory<byte> message, string member, CancellationToken cancellationToken)
    {
        if (message.Length > LargestTrial)
        {
            throw OpenPgpErrors.NotOpenPgp(member, "it is larger than any real one");
        }

        List<SessionKeyPacket> keys;
        using (var packets = new PacketSource(new MemoryStream(message.ToArray())))
        {
            (keys, _) = await ReadKeysAsync(packets, member, cancellationToken).ConfigureAwait(false);
        }

        List<KeyTrial> trials = [];
        foreach (var packet in keys)
        {
            try
            {
                // Never from what is known already: the private key itself is to open it.
                using var key = await source.FindAsync([packet], member, cancellationToken).ConfigureAwait(false);
                trials.Add(new KeyTrial(packet.KeyIdText, await OpenAsync(message, key, member, cancellationToken).ConfigureAwait(false), null));
            }
            catch (MoltException e) when (e.Id != "GpgMissing")
            {
                trials.Add(new KeyTrial(packet.KeyIdText, null, e));
            }
        }

        return trials;
    }

    public async Task<OpenPgpSeal> ShareAsync(Stream message, string member, IReadOnlyList<RecipientInfo> present, IReadOnlyList<RecipientKey> added, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        List<SessionKeyPacket> packets;
        await using (message.ConfigureAwait(false))
        {
            using var source = new PacketSource(message);
            (packets, _) = await ReadKeysAsync(source, member, cancellationToken).ConfigureAwait(false);
        }

        if (!packets.Select(p => p.KeyIdText).Order(StringComparer.Ordinal).SequenceEqual(present.Select(p => p.KeyId.ToUpperInvariant()).Order(StringComparer.Ordinal)))
        {
            throw OpenPgpErrors.Tampered(member, "it is encrypted to others than the manifest says");
        }

        return new OpenPgpSeal(await KeyAsync(packets, member, cancellationToken).ConfigureAwait(false), present, [.. packets.SelectMany(p => p.ToBytes())], added);
    }

    public void Dispose()
    {
        lock (known)
        {
            disposed = true;
            foreach (var key in known.Values)
            {
                key.Dispose();
            }

            known.Clear();
        }

        source.Dispose();
    }

    private static async Task<byte[]> OpenAsync(ReadOnlyMemory<byte> message, SessionKey key, string member, CancellationToken cancellationToken)
    {
        var stored = new MemoryStream(message.ToArray());
        var packets = new PacketSource(stored);
        var (_, body) = await ReadKeysAsync(packets, member, cancellationToken).ConfigureAwait(false);
        var opened = new OpenedMember(stored, packets, body, key, member);
        await using (opened.ConfigureAwait(false))
        {
            await opened.BeginAsync(cancellationToken).ConfigureAwait(false);
            using var plain = new MemoryStream();
            await opened.CopyToAsync(plain, cancellationToken).ConfigureAwait(false);
            return plain.ToArray();
        }
    }

    private static async Task<(List<SessionKeyPacket> Keys, PacketBody Data)> ReadKeysAsync(PacketSource packets, string member, CancellationToken cancellationToken)
    {
        List<SessionKeyPacket> keys = [];
        try
        {
            for (var i = 0; i < MostPackets; i++)
            {
                var packet = await packets.NextAsync(async: true, cancellationToken).ConfigureAwait(false)
                    ?? throw OpenPgpErrors.NotOpenPgp(member, "it ends too early");
                switch (packet.Tag)
                {
                    case SessionKeyPacket.Tag:
                        if (SessionKeyPacket.Parse(await packet.AllAsync(SessionKeyPacket.MaxBytes, async: true, cancellationToken).ConfigureAwait(false)) is { } key)
                        {
                            keys.Add(key);
                        }

                        break;
                    // A passphrase's session key, a marker, padding: nothing for us.
                    case 3 or 10 or 21:
                        await packet.AllAsync(SessionKeyPacket.MaxBytes, async: true, cancellationToken).ConfigureAwait(false);
                        break;
                    case 18 or AeadTag:
                        return (keys, packet);
                    case 9:
                        throw OpenPgpErrors.NotSupported("it has no integrity check", member);
                    default:
                        throw OpenPgpErrors.NotOpenPgp(member, $"it has a packet of kind {packet.Tag} where none is allowed");
                }
            }
        }
        catch (PacketException e)
        {
            throw OpenPgpErrors.NotOpenPgp(member, e.Message, e);
        }

        throw OpenPgpErrors.NotOpenPgp(member, "it has more keys than any real one");
    }

    private async Task<SessionKey> KeyAsync(List<SessionKeyPacket> packets, string member, CancellationToken cancellationToken)
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var packet in packets)
        {
            digest.AppendData(BitConverter.GetBytes(packet.KeyId));
            digest.AppendData([packet.Algorithm]);
            digest.AppendData(SHA256.HashData(packet.Encrypted));
        }

        var name = Convert.ToHexString(digest.GetHashAndReset());
        // One at a time, so that an agent or a card is asked once, however many members are opened together.
        await one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            lock (known)
            {
                ObjectDisposedException.ThrowIf(disposed, this);
                if (known.TryGetValue(name, out var before))
                {
                    return before.Copy();
                }
            }

            if (packets.Count == 0)
            {
                throw PrivateKeyErrors.Missing(packets, member, "");
            }

            var key = await source.FindAsync(packets, member, cancellationToken).ConfigureAwait(false);
            lock (known)
            {
                if (!disposed)
                {
                    known[name] = key.Copy();
                }
            }

            return key;
        }
        finally
        {
            one.Release();
        }
    }
}
