using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;

namespace MoltBeat.DR;

/// <summary>A cmdlet that reads what encrypted backups hold.</summary>
public abstract class KeyCommand : TrustCommand
{
    private DeferredOpener? opener;

    /// <summary>A file with the private key that opens encrypted backups, as gpg --export-secret-keys makes it. Without it the keys that gpg has on this machine.</summary>
    [Parameter]
    public string? KeyFile { get; set; }

    /// <summary>The private key's passphrase: a SecureString, or a reference (env:NAME, file:/absolute/path, secret:NAME). Without it gpg's agent asks for it, where it can.</summary>
    [Parameter]
    [Passphrase]
    public Passphrase? KeyPassphrase { get; set; }

    /// <summary>With what backups are read: the private key, and whose signatures are believed.</summary>
    /// <returns>False when a key cannot be had; the error has been written.</returns>
    protected bool TryGetAccess([NotNullWhen(true)] out ArchiveAccess? access)
    {
        access = null;
        try
        {
            opener ??= ArchiveKeys.Opener(KeyFile is null ? null : GetUnresolvedProviderPathFromPSPath(KeyFile), KeyPassphrase?.Reveal(SessionPlan.Secrets(this)) ?? "");
        }
        catch (MoltException e)
        {
            WriteFailure(e, KeyFile);
            return false;
        }

        if (!TryGetTrust(out var trust))
        {
            return false;
        }

        access = new ArchiveAccess(opener, trust?.Verifier);
        return true;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            opener?.Dispose();
        }

        base.Dispose(disposing);
    }
}
