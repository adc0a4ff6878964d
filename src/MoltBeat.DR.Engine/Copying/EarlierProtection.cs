using System.Text.Json;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Copying;

/// <summary>Finds what an earlier run has made of an archive for the same recipients. That it says so is no proof: it is compared before it takes the old one's place.</summary>
/// <param name="source">The archive that is to be encrypted anew.</param>
/// <param name="wanted">For whom.</param>
/// <param name="signed">Whether the new one bears a signature.</param>
/// <param name="verifier">Whose signature it has to be; null for anybody's.</param>
/// <param name="observer">Is told of archives that cannot be read.</param>
internal sealed class EarlierProtection(ArchiveReader source, IReadOnlyList<RecipientInfo> wanted, bool signed, IManifestVerifier? verifier, IOperationObserver observer)
{
    /// <returns>Which of the stores has it, and its name; null when none has.</returns>
    public async Task<(int At, string Name)?> FindAsync(IReadOnlyList<(IBackupStore Store, string Name)> copies, string oldName, CancellationToken cancellationToken)
    {
        var stem = ProtectPlan.StemOf(oldName);
        for (var i = 0; i < copies.Count; i++)
        {
            await foreach (var file in copies[i].Store.ListAsync(cancellationToken).ConfigureAwait(false))
            {
                if (file.Name != oldName && ProtectPlan.StemOf(file.Name) == stem && await IsItAsync(copies[i].Store, file, cancellationToken).ConfigureAwait(false))
                {
                    return (i, file.Name);
                }
            }
        }

        return null;
    }

    private async Task<bool> IsItAsync(IBackupStore store, StoredFile file, CancellationToken cancellationToken)
    {
        try
        {
            var archive = await ArchiveReader.OpenAsync(await store.OpenAsync(file, manifestOnly: true, cancellationToken).ConfigureAwait(false), cancellationToken, new ArchiveAccess(Verifier: signed ? verifier : null)).ConfigureAwait(false);
            await using (archive.ConfigureAwait(false))
            {
                return archive.Manifest.ProtectedFrom?.ManifestSha256 == source.Index.ManifestSha256
                    && archive.Manifest.Recipients.SequenceEqual(wanted)
                    && archive.Signature is not null == signed
                    && Same(archive.Manifest) == Same(source.Manifest);
            }
        }
        catch (MoltException e)
        {
            observer.Verbose($"{file.Location} is not what an earlier run made: {e.Message}");
            return false;
        }
    }

    /// <summary>All of a manifest that encrypting anew leaves as it is.</summary>
    private static string Same(Manifest manifest)
        => JsonSerializer.Serialize(manifest with { Name = null, Recipients = [], ProtectedFrom = null, Canary = null, Members = [] }, ArchiveJson.Default.Manifest);
}
