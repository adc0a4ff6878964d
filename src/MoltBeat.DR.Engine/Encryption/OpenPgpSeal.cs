using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>
/// Encrypts an archive's members to OpenPGP keys. All members have the same session key, encrypted once to each recipient,
/// so that a reader uses the private key once for an archive and not once for each of thousands of parts: a smartcard or an
/// agent asks one time. Each member begins with a random block of its own, so no two are alike and CFB stays sound.
/// </summary>
public sealed class OpenPgpSeal : IMemberSeal, IDisposable
{
    private readonly Lock gate = new();
    private readonly SessionKey key;
    private readonly byte[] keyPackets;
    private bool disposed;

    /// <param name="recipients">Who can open the members; at least one, each once.</param>
    public OpenPgpSeal(IReadOnlyList<RecipientKey> recipients)
        : this(SessionKey.Create(), [], [], recipients)
    {
    }

    /// <param name="key">Owned by the seal.</param>
    /// <param name="present">Who has that key already.</param>
    /// <param name="presentPackets">The packets that give it to them, as they stand in an archive.</param>
    /// <param name="added">Who is to get it as well.</param>
    internal OpenPgpSeal(SessionKey key, IReadOnlyList<RecipientInfo> present, byte[] presentPackets, IReadOnlyList<RecipientKey> added)
    {
        ArgumentNullException.ThrowIfNull(added);
        if (present.Count + added.Count == 0)
        {
            throw new ArgumentException("An archive that nobody can open is none.", nameof(added));
        }

        this.key = key;
        Recipients = [.. present, .. added.Select(r => r.Info)];
        keyPackets = [.. presentPackets, .. added.SelectMany(r => SessionKeyPacket.Write(key, r.EncryptionKey))];
    }

    public IReadOnlyList<RecipientInfo> Recipients { get; }

    public IMemberCipher Begin()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            return new MemberCipher(key, keyPackets);
        }
    }

    /// <summary>Opens what this seal has made, and nothing else, without a private key. To be disposed.</summary>
    public OpenPgpOpener Opener()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            return new OpenPgpOpener(new KnownSessionKey(key.Copy(), keyPackets));
        }
    }

    /// <summary>Wipes the key. Members that have begun can still be completed.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            disposed = true;
            key.Dispose();
        }
    }
}
