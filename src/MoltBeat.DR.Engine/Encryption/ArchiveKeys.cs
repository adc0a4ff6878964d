using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Encryption;

/// <summary>What archives are written and read with, out of the keys that an operator or the plan names.</summary>
public static class ArchiveKeys
{
    /// <summary>Encrypts to these keys.</summary>
    /// <param name="recipients">See <see cref="PublicKeys.RecipientsAsync"/>; empty for no encryption.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>To be disposed after the backup; null when there are no recipients.</returns>
    /// <exception cref="MoltException">As of <see cref="PublicKeys.RecipientsAsync"/>.</exception>
    public static async Task<OpenPgpSeal?> SealAsync(IReadOnlyList<string> recipients, CancellationToken cancellationToken)
        => recipients.Count == 0 ? null : new OpenPgpSeal(await new PublicKeys().RecipientsAsync(recipients, cancellationToken).ConfigureAwait(false));

    /// <summary>Signs with this key.</summary>
    /// <param name="key">A file with a private key, or the name of one that gpg has; null for no signature.</param>
    /// <param name="passphrase">Empty when the key has none, or gpg's agent knows it.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>To be disposed after the backup; null without a key.</returns>
    /// <exception cref="MoltException">As of <see cref="OpenPgpSigner"/> and <see cref="GpgAgentSigner"/>.</exception>
    public static async Task<IManifestSigner?> SignerAsync(string? key, string passphrase, CancellationToken cancellationToken)
    {
        if (key is null)
        {
            return null;
        }

        if (PlanKeys.IsFile(key) || File.Exists(key))
        {
            return new OpenPgpSigner(key, passphrase);
        }

        var found = await new PublicKeys().FindAsync([key], cancellationToken).ConfigureAwait(false);
        var signer = new GpgAgentSigner(GnuPg.Find(), found[0], passphrase);
        try
        {
            // That the agent has no such key, or not its passphrase, is to be known before a backup is made.
            await signer.SignAsync("MoltBeat.DR asks whether this key can sign.\n"u8.ToArray(), cancellationToken).ConfigureAwait(false);
            return signer;
        }
        catch
        {
            signer.Dispose();
            throw;
        }
    }

    /// <summary>Believes only these keys.</summary>
    /// <param name="trusted">Named as recipients are.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Null when nobody is named: then any archive is believed.</returns>
    /// <exception cref="MoltException">As of <see cref="PublicKeys.FindAsync"/>.</exception>
    public static async Task<IManifestVerifier?> VerifierAsync(IReadOnlyList<string> trusted, CancellationToken cancellationToken)
        => trusted.Count == 0 ? null : new OpenPgpVerifier(await new PublicKeys().FindAsync(trusted, cancellationToken).ConfigureAwait(false));

    /// <summary>Opens encrypted members with a key in a file, or, without one, with those that gpg's agent keeps.</summary>
    /// <param name="keyFile">See <see cref="OpenPgpOpener.FromFile"/>; null for the agent, which is not asked before there is something to open.</param>
    /// <param name="passphrase">Empty when the key has none, or the agent knows it.</param>
    /// <exception cref="MoltException"><c>KeyFileMissing</c>, <c>KeyFileInvalid</c>.</exception>
    public static DeferredOpener Opener(string? keyFile, string passphrase)
        => keyFile is null ? new DeferredOpener(() => OpenPgpOpener.FromAgent(GnuPg.Find(), passphrase)) : new DeferredOpener(OpenPgpOpener.FromFile(keyFile, passphrase));
}
