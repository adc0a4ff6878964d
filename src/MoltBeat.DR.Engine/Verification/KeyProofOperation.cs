using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Verification;

/// <summary>What a private key did to a backup.</summary>
/// <param name="BackupId">The backup.</param>
/// <param name="Name">Its file name.</param>
/// <param name="Database">Of which database it is.</param>
/// <param name="Path">Path or URI of the copy whose canary was opened.</param>
/// <param name="Fingerprint">The recipient's primary key.</param>
/// <param name="KeyId">The (sub)key that the backup is encrypted to.</param>
/// <param name="Proven">Whether it opened the canary.</param>
/// <param name="Detail">Why not, in a sentence.</param>
/// <param name="Time">When, UTC.</param>
public sealed record KeyProofResult(string BackupId, string Name, string Database, string Path, string Fingerprint, string KeyId, bool Proven, string Detail, DateTimeOffset Time);

/// <summary>
/// Has the private keys at hand open a backup's canary, a random text that the backup brings along with its hash, and keeps
/// beside the backup which did. It is the same session key that opens everything else in it.
/// </summary>
public static class KeyProofOperation
{
    private const int LargestCanary = 1 << 20;

    /// <param name="store">Where the backup is.</param>
    /// <param name="name">Its file name.</param>
    /// <param name="keys">The private keys at hand.</param>
    /// <param name="access">Whose signatures are believed; null for anybody's.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>One result for each recipient, in the manifest's order; at least one is proven.</returns>
    /// <exception cref="MoltException">
    /// <c>BackupNotEncrypted</c>; <c>CanaryWrong</c>; when no key opened it <c>PassphraseWrong</c>, <c>PassphraseMissing</c> or <c>PrivateKeyMissing</c>;
    /// <c>GpgMissing</c>, <c>GpgFailed</c>, <c>MemberTampered</c>, <c>MemberNotOpenPgp</c>; the store's and the archive's own errors.
    /// </exception>
    public static async Task<IReadOnlyList<KeyProofResult>> RunAsync(IBackupStore store, string name, IKeyProver keys, ArchiveAccess? access, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(keys);
        var file = await store.FindAsync(name, cancellationToken).ConfigureAwait(false);
        var archive = await ArchiveReader.OpenAsync(await store.OpenAsync(file, manifestOnly: false, cancellationToken).ConfigureAwait(false), cancellationToken, access).ConfigureAwait(false);
        await using (archive.ConfigureAwait(false))
        {
            var manifest = archive.Manifest;
            if (!archive.Encrypted)
            {
                throw new MoltException("BackupNotEncrypted", ErrorKind.InvalidArgument, $"{archive.Location} is not encrypted: there is no key to prove.",
                    "Choose an encrypted backup; Get-MoltBackup shows which are.", archive.Location);
            }

            var trials = await keys.TryEachAsync(await CanaryAsync(archive, cancellationToken).ConfigureAwait(false), ArchiveFormat.Canary + ArchiveFormat.EncryptedExtension, cancellationToken).ConfigureAwait(false);
            var now = DateTimeOffset.UtcNow;
            List<KeyProofResult> results = [];
            foreach (var recipient in manifest.Recipients)
            {
                var trial = trials.FirstOrDefault(t => t.KeyId.Equals(recipient.KeyId, StringComparison.OrdinalIgnoreCase));
                if (trial?.Plain is { } plain && Convert.ToHexStringLower(SHA256.HashData(plain.Span)) != manifest.Canary)
                {
                    throw new MoltException("CanaryWrong", ErrorKind.InvalidData, $"The key {recipient.Fingerprint} opens the canary of {archive.Location}, and it is not the text that the manifest tells of.",
                        "Somebody has put another member in its place. Do not rely on this copy; use another.", archive.Location);
                }

                var detail = trial is null ? "The backup is not encrypted to this key, though its manifest says so." : trial.Failure?.Message ?? "";
                results.Add(new KeyProofResult(manifest.Id, name, manifest.Database, archive.Location, recipient.Fingerprint, recipient.KeyId, trial?.Plain is not null, detail, now));
            }

            if (!results.Exists(r => r.Proven))
            {
                throw Failure(trials, archive);
            }

            foreach (var proven in results.Where(r => r.Proven))
            {
                await BackupCatalog.RecordAsync(store, name, new KeyProofRecord(manifest.Id, proven.Fingerprint, proven.KeyId, Environment.UserName, Environment.MachineName, now), cancellationToken).ConfigureAwait(false);
            }

            return results;
        }
    }

    private static async Task<byte[]> CanaryAsync(ArchiveReader archive, CancellationToken cancellationToken)
    {
        var member = archive.Member(ArchiveFormat.Canary);
        if (member.Length > LargestCanary || !member.Name.EndsWith(ArchiveFormat.EncryptedExtension, StringComparison.Ordinal))
        {
            throw ArchiveReader.Damaged(archive.Location, "its canary is none");
        }

        using var bytes = new MemoryStream();
        var stream = archive.OpenMember(member);
        await using (stream.ConfigureAwait(false))
        {
            await stream.CopyToAsync(bytes, cancellationToken).ConfigureAwait(false);
        }

        return bytes.ToArray();
    }

    /// <summary>What tells most: a key that is there and did not open, before one that is not there.</summary>
    private static MoltException Failure(IReadOnlyList<KeyTrial> trials, ArchiveReader archive)
        => trials.Select(t => t.Failure).OfType<MoltException>().OrderBy(f => f.Id == "PrivateKeyMissing").FirstOrDefault() is { Id: not "PrivateKeyMissing" } told
            ? told
            : new MoltException("PrivateKeyMissing", ErrorKind.NotFound,
                $"{archive.Location} is encrypted to {string.Join(" and ", archive.Manifest.Recipients.Select(r => r.Fingerprint))}, and none of those private keys is at hand.",
                "Name a private key with -KeyFile, or make it known to gpg on this machine.", archive.Location);
}
