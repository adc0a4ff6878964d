using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Copying;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>Encrypts existing backups to more recipients, or to others.</summary>
[Cmdlet(VerbsSecurity.Protect, "MoltBackup", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(ProtectResult))]
public sealed class ProtectMoltBackupCommand : KeyCommand
{
    /// <summary>The archive; Get-MoltBackup's objects bind here.</summary>
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string Path { get; set; } = "";

    /// <summary>All copies, as Get-MoltBackup's objects bring them along: each store gets the new archive.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    public BackupLocation[]? Locations { get; set; }

    /// <summary>OpenPGP keys that are to open the backup: key files, or fingerprints, key ids and e-mail addresses that gpg knows. Without it the plan's recipients.</summary>
    [Parameter(Position = 1)]
    public string[]? Recipient { get; set; }

    /// <summary>These recipients and nobody else. Without it they are added to those who can open the backup already.</summary>
    [Parameter]
    public SwitchParameter Only { get; set; }

    /// <summary>Do not remove the archive that the new one is made of.</summary>
    [Parameter]
    public SwitchParameter KeepOld { get; set; }

    /// <summary>The private key that signs the new archive: a file, or the fingerprint or e-mail address of a key that gpg has. Without it the plan's.</summary>
    [Parameter]
    public string? SigningKey { get; set; }

    /// <summary>The signing key's passphrase: a SecureString, or a reference (env:NAME, file:/absolute/path, secret:NAME). Without it the plan's, when the key is the plan's, or gpg's agent knows it.</summary>
    [Parameter]
    [Passphrase]
    public Passphrase? SigningPassphrase { get; set; }

    /// <summary>A signed backup may become one without a signature, where there is no key to sign with.</summary>
    [Parameter]
    public SwitchParameter DropSignature { get; set; }

    protected override AuditAction? Audits => new("Protect", IsGuarded: true);

    protected override void ProcessRecord() => Audited(subject =>
    {
        try
        {
            var copies = CopiesOf(Path, Locations);
            subject.In(copies.Select(c => c.Store)).Backup = copies[0].Name;
            if (TryGetAccess(out var access) && access.Opener is DeferredOpener keys)
            {
                Protect(copies, keys, access.Verifier, subject);
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, Path);
        }
    });

    private void Protect(IReadOnlyList<(StoreSettings Store, string Name)> copies, DeferredOpener keys, IManifestVerifier? verifier, AuditSubject subject)
    {
        var names = Recipient?.Select(KeyName).ToList() ?? Plan.Plan.Recipients;
        if (!Run((_, token) => new PublicKeys().RecipientsAsync(names, token), out var recipients, nameof(Recipient)) || !TryGetSigner(out var signer))
        {
            return;
        }

        using var signing = signer as IDisposable;
        var options = new ProtectOptions { Recipients = recipients, Only = Only, Keys = keys, Verifier = verifier, Signer = signer, DropSignature = DropSignature, KeepOld = KeepOld };
        var problems = new List<MoltException>();
        var where = string.Join(", ", copies.Select(c => c.Store.ItemLocation(c.Name)));
        if (RunOn(copies.Select(c => c.Store).ToList(), (stores, observer, token) => ProtectOperation.RunAsync(
            [.. stores.Zip(copies, (s, c) => (s, c.Name))], options, plan => ConfirmAsync(observer, where, plan.ToString(), null, token), observer, problems.Add, token), out var results, copies[0].Name)
            && results.Count > 0)
        {
            var made = results[0];
            (subject.Database, subject.BackupId, subject.Target, subject.IsDone) = (made.Database, made.BackupId, made.Name, results.Count == copies.Count);
            subject.Detail = $"to {string.Join(", ", made.Recipients.Select(r => r.Fingerprint))}; old archive: {string.Join(", ", results.Select(r => r.Old))}";
            WriteVerbose(string.Create(CultureInfo.InvariantCulture, $"{made.Name}: {made.Size:N0} bytes in {made.Duration.TotalSeconds:0.0} s; opened by {(made.Proven.Count > 0 ? string.Join(", ", made.Proven) : "no key at hand")}."));
            foreach (var result in results)
            {
                WriteObject(result);
            }
        }

        problems.ForEach(p => WriteFailure(p));
    }

    /// <returns>False when the key cannot be had; the error has been written.</returns>
    private bool TryGetSigner(out IManifestSigner? signer)
    {
        var (key, passphrase) = SigningKeys.Of(this, SigningKey is null ? null : KeyName(SigningKey), SigningPassphrase, Plan.Plan.Signing);
        return Run((_, token) => ArchiveKeys.SignerAsync(key, passphrase, token), out signer, nameof(SigningKey));
    }
}
