using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Signs manifests with a private key that GnuPG's agent keeps, on a card too.</summary>
public sealed class GpgAgentSigner : IManifestSigner, IDisposable
{
    private readonly GnuPg gpg;
    private readonly char[]? passphrase;

    /// <param name="gpg">The program, and whose keys.</param>
    /// <param name="key">Whose public key has been found: see <see cref="PublicKeys.FindAsync"/>.</param>
    /// <param name="passphrase">Copied; empty leaves it to the agent to ask, or to know.</param>
    /// <exception cref="MoltException"><c>KeyInvalid</c>, <c>KeyRevoked</c>, <c>KeyExpired</c>, <c>KeyCannotSign</c>.</exception>
    public GpgAgentSigner(GnuPg gpg, OpenPgpKey key, ReadOnlySpan<char> passphrase)
    {
        ArgumentNullException.ThrowIfNull(key);
        _ = key.SigningParts();
        this.gpg = gpg;
        Fingerprint = key.Fingerprint;
        this.passphrase = passphrase.IsEmpty ? null : passphrase.ToArray();
    }

    /// <summary>Of the primary key: upper-case hexadecimal.</summary>
    public string Fingerprint { get; }

    /// <summary><see cref="GnuPg.AgentLimit"/>; tests make it small.</summary>
    internal TimeSpan Limit { get; init; } = GnuPg.AgentLimit;

    /// <exception cref="MoltException"><c>PrivateKeyMissing</c>, <c>PassphraseMissing</c>, <c>PassphraseWrong</c>, <c>AgentTimedOut</c>, <c>GpgFailed</c>.</exception>
    public async Task<byte[]> SignAsync(ReadOnlyMemory<byte> manifest, CancellationToken cancellationToken)
    {
        var said = await gpg.AskAgentAsync(["--digest-algo", "SHA512", "--local-user", Fingerprint, "--detach-sign"], manifest, passphrase, Limit, Fingerprint, cancellationToken).ConfigureAwait(false);
        if (said.ExitCode == 0 && said.Output.Length > 0)
        {
            return said.Output;
        }

        if (said.SaysPassphraseWrong)
        {
            throw PrivateKeyErrors.PassphraseWrong(Fingerprint, "GnuPG's keyring");
        }

        if (said.SaysNobodyToAsk)
        {
            throw PrivateKeyErrors.PassphraseMissing(Fingerprint, "GnuPG's keyring");
        }

        throw said.Find("INV_SGNR") is not null
            ? new MoltException("PrivateKeyMissing", ErrorKind.NotFound, $"GnuPG's keyring has no private key of {Fingerprint} that signs.", "Import it, insert its card, or name a key file.", Fingerprint)
            : said.Failed("sign the manifest");
    }

    public void Dispose()
    {
        if (passphrase is not null)
        {
            Array.Clear(passphrase);
        }
    }
}
