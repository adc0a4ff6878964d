namespace MoltBeat.DR.Engine.Archive;

/// <summary>Encrypts members of an archive to its recipients. Safe for several members at once.</summary>
public interface IMemberSeal
{
    /// <summary>Who can open what it makes.</summary>
    IReadOnlyList<RecipientInfo> Recipients { get; }

    /// <summary>Begins one member, which becomes an OpenPGP message of its own.</summary>
    IMemberCipher Begin();
}

/// <summary>One member on its way into the archive. Used by one thread at a time.</summary>
public interface IMemberCipher : IDisposable
{
    /// <summary>Takes plain bytes, and appends to the message what is ready of it.</summary>
    void Write(ReadOnlySpan<byte> plain, Stream message);

    /// <summary>Appends the rest of the message, its integrity check included.</summary>
    void Complete(Stream message);
}

/// <summary>Opens encrypted members with a private key. Safe for several members at once.</summary>
public interface IMemberOpener
{
    /// <summary>Opens one member.</summary>
    /// <param name="message">The member's bytes as stored; closed together with what is returned.</param>
    /// <param name="member">The member's name, for errors.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>The plain bytes. What it gives is to be believed only once it has ended without an error.</returns>
    /// <exception cref="MoltException"><c>PrivateKeyMissing</c>, <c>PassphraseMissing</c>, <c>PassphraseWrong</c>, <c>GpgFailed</c>, <c>EncryptionNotSupported</c>, <c>MemberNotOpenPgp</c>, <c>MemberTampered</c>; while reading <c>MemberTampered</c>.</exception>
    Task<Stream> OpenAsync(Stream message, string member, CancellationToken cancellationToken);
}

/// <summary>Signs an archive's manifest, and with it every member's hash.</summary>
public interface IManifestSigner
{
    /// <summary>Makes a detached OpenPGP signature (binary, not armored).</summary>
    Task<byte[]> SignAsync(ReadOnlyMemory<byte> manifest, CancellationToken cancellationToken);
}

/// <summary>Says whose signature a manifest bears.</summary>
public interface IManifestVerifier
{
    /// <param name="manifest">The signed bytes.</param>
    /// <param name="signature">The signature; null when the archive has none.</param>
    /// <param name="location">The archive, for errors.</param>
    /// <returns>The signing key's fingerprint.</returns>
    /// <exception cref="MoltException"><c>SignatureMissing</c>, <c>SignatureWrong</c>, <c>SignerNotTrusted</c>.</exception>
    string Verify(ReadOnlyMemory<byte> manifest, ReadOnlyMemory<byte>? signature, string location);
}

/// <summary>A key that an archive is encrypted to.</summary>
/// <param name="Fingerprint">Of the primary key: upper-case hexadecimal.</param>
/// <param name="KeyId">Of the (sub)key that the messages are encrypted to: 16 upper-case hexadecimal digits.</param>
public sealed record RecipientInfo(string Fingerprint, string KeyId);
