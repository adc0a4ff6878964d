using MoltBeat.DR.Engine.Archive;
using Org.BouncyCastle.Bcpg;
using Org.BouncyCastle.Bcpg.OpenPgp;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Signs manifests with a private key out of a file. Dispose of it to forget the key.</summary>
public sealed class OpenPgpSigner : IManifestSigner, IDisposable
{
    private readonly PrivateKeyFile file;
    private readonly PgpPrivateKey key;
    private readonly PgpPublicKey publicKey;
    private readonly TimeProvider clock;

    /// <summary>Unlocks the key at once, so that a wrong passphrase is known before a backup is made.</summary>
    /// <param name="path">One key, as <c>gpg --export-secret-keys</c> makes it, armored or binary.</param>
    /// <param name="passphrase">Copied; empty when the key is not locked.</param>
    /// <param name="clock">Says what time it is; null for the system's.</param>
    /// <exception cref="MoltException">
    /// <c>KeyFileMissing</c>, <c>KeyFileInvalid</c>, <c>PassphraseMissing</c>, <c>PassphraseWrong</c>, <c>PrivateKeyMissing</c>, <c>KeyAmbiguous</c>;
    /// <c>KeyInvalid</c>, <c>KeyRevoked</c>, <c>KeyExpired</c>, <c>KeyCannotSign</c>, <c>KeyAlgorithmNotSupported</c>.
    /// </exception>
    public OpenPgpSigner(string path, ReadOnlySpan<char> passphrase, TimeProvider? clock = null)
    {
        this.clock = clock ?? TimeProvider.System;
        file = new PrivateKeyFile(path, passphrase);
        try
        {
            if (file.Rings.Count > 1)
            {
                throw new MoltException("KeyAmbiguous", ErrorKind.InvalidArgument, $"The key file {path} holds {file.Rings.Count} private keys; which of them signs is not said.",
                    "Export the one that signs: gpg --armor --export-secret-keys FINGERPRINT.", path);
            }

            var ring = file.Rings[0];
            var owner = OpenPgpKey.OfPrivate(ring, path, this.clock.GetUtcNow());
            Fingerprint = owner.Fingerprint;
            (key, publicKey) = Choose(ring, owner);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Of the primary key: upper-case hexadecimal.</summary>
    public string Fingerprint { get; }

    public Task<byte[]> SignAsync(ReadOnlyMemory<byte> manifest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(Sign(manifest.Span));
    }

    private byte[] Sign(ReadOnlySpan<byte> manifest)
    {
        var generator = new PgpSignatureGenerator(publicKey.Algorithm, HashAlgorithmTag.Sha512);
        generator.InitSign(PgpSignature.BinaryDocument, key);
        var said = new PgpSignatureSubpacketGenerator();
        said.SetIssuerFingerprint(false, publicKey);
        said.SetSignatureCreationTime(false, clock.GetUtcNow().UtcDateTime);
        generator.SetHashedSubpackets(said.Generate());
        generator.Update(manifest);
        var signature = generator.Generate();
        // A fault while signing can betray an RSA key; and a signature that does not verify must not be published.
        signature.InitVerify(publicKey);
        signature.Update(manifest);
        return signature.Verify() ? signature.GetEncoded() : throw new InvalidOperationException("The signature does not verify.");
    }

    public void Dispose() => file.Dispose();

    private (PgpPrivateKey Key, PgpPublicKey Public) Choose(PgpSecretKeyRing ring, OpenPgpKey owner)
    {
        var parts = owner.SigningParts();
        foreach (var part in parts)
        {
            if (part.Key.Algorithm is not (PublicKeyAlgorithmTag.RsaGeneral or PublicKeyAlgorithmTag.RsaSign or PublicKeyAlgorithmTag.EdDsa_Legacy or PublicKeyAlgorithmTag.ECDsa))
            {
                continue;
            }

            if (ring.GetSecretKey(part.Key.KeyId) is { } secret && file.Unlock(secret) is { } open)
            {
                return (open, part.Key);
            }
        }

        throw parts.Any(p => ring.GetSecretKey(p.Key.KeyId) is { IsPrivateKeyEmpty: false })
            ? new MoltException("KeyAlgorithmNotSupported", ErrorKind.NotSupported, $"The key {Fingerprint} in {file.Path} signs with {parts[0].Key.Algorithm}.", "Use an RSA or an Ed25519 key.", file.Path)
            : new MoltException("PrivateKeyMissing", ErrorKind.NotFound, $"{file.Path} has only the public half of the keys of {Fingerprint} that sign.",
                "Export it where the private key is, or let GnuPG's agent sign.", file.Path);
    }
}
