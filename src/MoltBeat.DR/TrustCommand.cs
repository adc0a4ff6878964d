using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;

namespace MoltBeat.DR;

/// <summary>A cmdlet that reads backups, and may be told whose it is to believe.</summary>
public abstract class TrustCommand : StoreCommand
{
    private ArchiveAccess? trust;

    /// <summary>OpenPGP keys whose signatures are believed, in place of the plan's: key files, or fingerprints, key ids and e-mail addresses that gpg knows. @() believes any backup, signed or not.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[]? TrustedSigner { get; set; }

    /// <summary>Whose signatures are believed; null where nobody says, and any backup is.</summary>
    /// <returns>False when a key cannot be had; the error has been written.</returns>
    protected bool TryGetTrust(out ArchiveAccess? access)
    {
        access = trust;
        IReadOnlyList<string> trusted;
        try
        {
            trusted = TrustedSigner?.Select(KeyName).ToList() ?? Plan.Plan.TrustedSigners;
        }
        catch (MoltException e)
        {
            WriteFailure(e, nameof(TrustedSigner));
            return false;
        }

        if (access is not null || trusted.Count == 0)
        {
            return true;
        }

        if (!Run((_, token) => ArchiveKeys.VerifierAsync(trusted, token), out var verifier, nameof(TrustedSigner)))
        {
            return false;
        }

        access = trust = new ArchiveAccess(Verifier: verifier);
        return true;
    }
}
