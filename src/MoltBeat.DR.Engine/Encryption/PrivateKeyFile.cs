using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>A file with private keys, as <c>gpg --export-secret-keys</c> makes it, and the passphrase that opens them.</summary>
internal sealed class PrivateKeyFile : ISessionKeySource
{
    private readonly Dictionary<long, PgpPrivateKey?> unlocked = [];
    private readonly Lock gate = new();
    private readonly byte[]? passphrase;

    /// <param name="path">The file.</param>
    /// <param name="passphrase">Copied; null when the keys are not locked.</param>
    /// <exception cref="MoltException"><c>KeyFileMissing</c>, <c>KeyFileInvalid</c>.</exception>
    public PrivateKeyFile(string path, ReadOnlySpan<char> passphrase)
    {
        Path = path;
        var content = KeyFile.Read(path);
        try
        {
            Rings = KeyFile.PrivateKeys(content, path);
        }
        finally
        {
            // Keys may be in it that nothing locks.
            CryptographicOperations.ZeroMemory(content);
        }

        if (!passphrase.IsEmpty)
        {
            this.passphrase = new byte[Encoding.UTF8.GetByteCount(passphrase)];
            Encoding.UTF8.GetBytes(passphrase, this.passphrase);
        }
    }

    public string Path { get; }

    public IReadOnlyList<PgpSecretKeyRing> Rings { get; }

    public Task<SessionKey> FindAsync(IReadOnlyList<SessionKeyPacket> packets, string member, CancellationToken cancellationToken)
        => Task.Run(() => Find(packets, member), cancellationToken);

    /// <summary>Unlocks a key; null when the file has only its public half, as with keys on a card.</summary>
    /// <exception cref="MoltException"><c>PassphraseMissing</c>, <c>PassphraseWrong</c>, <c>KeyFileInvalid</c>.</exception>
    public PgpPrivateKey? Unlock(PgpSecretKey key)
    {
        lock (gate)
        {
            if (unlocked.TryGetValue(key.KeyId, out var known))
            {
                return known;
            }

            var id = Convert.ToHexString(key.GetFingerprint());
            if (key.KeyEncryptionAlgorithm != SymmetricKeyAlgorithmTag.Null && !key.IsPrivateKeyEmpty && passphrase is null)
            {
                throw PrivateKeyErrors.PassphraseMissing(id, Path);
            }

            try
            {
                return unlocked[key.KeyId] = key.ExtractPrivateKeyRaw(passphrase);
            }
            catch (PgpException e) when (e.Message.StartsWith("Checksum", StringComparison.Ordinal))
            {
                throw PrivateKeyErrors.PassphraseWrong(id, Path);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // Not chained: what it says may be of the key's own numbers.
                throw OpenPgpErrors.KeyFile(Path, $"the private key {id} in it is damaged, or locked in a way that is not known");
            }
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            CryptographicOperations.ZeroMemory(passphrase);
            unlocked.Clear();
        }
    }

    private SessionKey Find(IReadOnlyList<SessionKeyPacket> packets, string member)
    {
        MoltException? locked = null;
        // Those first that say whom they are for.
        foreach (var packet in packets.OrderBy(p => p.KeyId == 0))
        {
            foreach (var key in Rings.SelectMany(r => r.GetSecretKeys()).Where(k => packet.KeyId == 0 ? k.PublicKey.IsEncryptionKey : k.KeyId == packet.KeyId))
            {
                try
                {
                    if (Unlock(key) is { } open && packet.Open(open) is { } session)
                    {
                        return session;
                    }
                }
                catch (MoltException e) when (e.Id is "PassphraseMissing" or "PassphraseWrong")
                {
                    locked ??= e;
                }
            }
        }

        throw locked ?? (packets.Any(p => Rings.Any(r => r.GetSecretKey(p.KeyId) is { IsPrivateKeyEmpty: false }))
            ? OpenPgpErrors.Tampered(member, "what is encrypted to the private key's owner does not open with it")
            : PrivateKeyErrors.Missing(packets, member, Path));
    }
}
