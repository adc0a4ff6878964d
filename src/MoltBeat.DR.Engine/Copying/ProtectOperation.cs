using System.Diagnostics;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR.Engine.Copying;

/// <summary>
/// Encrypts a backup to other recipients: a new archive of the same backup is made beside the old one, read back and opened to its
/// last byte, brought to each store, and only then the old one goes. Cut short anywhere, the old one is whole; done again, it goes on.
/// </summary>
public sealed class ProtectOperation
{
    private readonly IReadOnlyList<(IBackupStore Store, string Name)> copies;
    private readonly ProtectOptions options;
    private readonly IOperationObserver observer;
    private readonly Action<MoltException> onProblem;
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private IReadOnlyList<string> proven = [];
    private string unproven = "";

    private ProtectOperation(IReadOnlyList<(IBackupStore Store, string Name)> copies, ProtectOptions options, IOperationObserver observer, Action<MoltException> onProblem)
    {
        this.copies = copies;
        this.options = options;
        this.observer = observer;
        this.onProblem = onProblem;
    }

    /// <param name="copies">The backup's copies, the nearest first: the store and the file name in it. All of them are replaced.</param>
    /// <param name="options">To whom, and with what.</param>
    /// <param name="approve">Is asked once, when it is known what will be done; until it says yes nothing is changed anywhere.</param>
    /// <param name="observer">Is told of the progress, and of copies that were no good.</param>
    /// <param name="onProblem">Is told of each store that has no new archive, and of each old archive that is still there against the wish.</param>
    /// <param name="cancellationToken">Stops it; the old archives are whole then.</param>
    /// <returns>One result for each store; none when it was not approved.</returns>
    /// <exception cref="MoltException">
    /// <c>RecipientMissing</c>, <c>SignatureWouldBeLost</c>, <c>SignerNotTrusted</c>, <c>ProtectFailed</c>; those of private keys; the stores' and the archive's own errors.
    /// </exception>
    public static async Task<IReadOnlyList<ProtectResult>> RunAsync(
        IReadOnlyList<(IBackupStore Store, string Name)> copies, ProtectOptions options, Func<ProtectPlan, Task<bool>> approve, IOperationObserver observer, Action<MoltException> onProblem, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(copies);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Recipients.Count == 0)
        {
            throw new MoltException("RecipientMissing", ErrorKind.InvalidArgument, "Nobody is named whom the backup is to be encrypted to.", "Name keys with -Recipient, or recipients in the plan.");
        }

        var approved = false;
        async Task<bool> ApproveOnceAsync(ProtectPlan plan) => approved = approved || await approve(plan).ConfigureAwait(false);
        for (var i = 0; ; i++)
        {
            try
            {
                return await new ProtectOperation(copies, options, observer, onProblem).RunAsync(i, ApproveOnceAsync, cancellationToken).ConfigureAwait(false);
            }
            catch (SourceException e) when (i + 1 == copies.Count || !IsOfTheCopy(e.Cause))
            {
                throw e.Cause;
            }
            catch (SourceException e)
            {
                observer.Warning($"{e.Cause.Message} Reading the copy in {copies[i + 1].Store.Location} instead.");
            }
        }
    }

    /// <summary>Another copy of the same backup need not have it.</summary>
    private static bool IsOfTheCopy(MoltException e)
        => e.Id is "ArchiveDamaged" or "MemberTampered" or "MemberNotOpenPgp" or "NotAnArchive" or "BackupNotFound" or "SignatureMissing" or "SignatureWrong" or "SignerNotTrusted" or "ArchiveRenamed"
            || e.Id.StartsWith("Store", StringComparison.Ordinal);

    private async Task<IReadOnlyList<ProtectResult>> RunAsync(int from, Func<ProtectPlan, Task<bool>> approve, CancellationToken cancellationToken)
    {
        var (store, oldName) = copies[from];
        var source = await OfSourceAsync(async () => await ArchiveReader.OpenAsync(
            await store.OpenAsync(await store.FindAsync(oldName, cancellationToken).ConfigureAwait(false), manifestOnly: false, cancellationToken).ConfigureAwait(false),
            cancellationToken, new ArchiveAccess(options.Keys, options.Verifier)).ConfigureAwait(false)).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            var present = options.Only ? [] : source.Manifest.Recipients;
            var added = options.Recipients.Where(r => !present.Any(p => p.KeyId == r.Info.KeyId)).ToList();
            var wanted = present.Concat(added.Select(a => a.Info)).ToList();
            if (source.Encrypted && wanted.Select(w => w.KeyId).Order(StringComparer.Ordinal).SequenceEqual(source.Manifest.Recipients.Select(r => r.KeyId).Order(StringComparer.Ordinal)))
            {
                return [.. copies.Select(c => Result(source, c.Name, c, ProtectStatus.Unchanged, source.Length, OldArchiveStatus.None, ""))];
            }

            await CheckSignatureAsync(source, cancellationToken).ConfigureAwait(false);
            var made = await new EarlierProtection(source, wanted, options.Signer is not null, options.Verifier, observer).FindAsync(copies, oldName, cancellationToken).ConfigureAwait(false);
            var plan = new ProtectPlan
            {
                Database = source.Manifest.Database,
                Source = source.Location,
                Name = made?.Name ?? ProtectPlan.NewName(oldName),
                Stores = [.. copies.Select(c => c.Store.Location)],
                Recipients = wanted,
                Lost = [.. source.Manifest.Recipients.Where(r => !wanted.Any(w => w.KeyId == r.KeyId))],
                Signed = options.Signer is not null,
                KeepOld = options.KeepOld,
            };

            // With these the private key is shown to be the right one before anybody is asked.
            var contents = await OfSourceAsync(() => source.ReadContentsAsync(cancellationToken)).ConfigureAwait(false);
            using var seal = present.Count == 0 ? new OpenPgpSeal(added)
                : await OfSourceAsync(() => Share(source, added, cancellationToken)).ConfigureAwait(false);
            foreach (var copy in copies)
            {
                if (await copy.Store.CheckWritableAsync(cancellationToken).ConfigureAwait(false) is { } warning)
                {
                    observer.Warning(warning);
                }
            }

            return await approve(plan).ConfigureAwait(false) ? await ProtectAsync(source, contents, plan, seal, from, made?.At, cancellationToken).ConfigureAwait(false) : [];
        }
    }

    private Task<OpenPgpSeal> Share(ArchiveReader source, IReadOnlyList<RecipientKey> added, CancellationToken cancellationToken)
    {
        var canary = source.Member(ArchiveFormat.Canary);
        return options.Keys.ShareAsync(source.OpenMember(canary), canary.Name, source.Manifest.Recipients, added, cancellationToken);
    }

    private async Task CheckSignatureAsync(ArchiveReader source, CancellationToken cancellationToken)
    {
        if (source.Signature is not null && options.Signer is null && !options.DropSignature)
        {
            throw new MoltException("SignatureWouldBeLost", ErrorKind.PermissionDenied, $"{source.Location} is signed, and encrypted anew it would bear no signature: there is no key to sign with. Nothing was changed.",
                "Name a key with -SigningKey, or say that it may lose its signature with -DropSignature.", source.Location);
        }

        if (options.Signer is not null && options.Verifier is not null)
        {
            // What those who are trusted have not signed no reader would take afterwards.
            var probe = "MoltBeat.DR asks whether this key is trusted.\n"u8.ToArray();
            options.Verifier.Verify(probe, await options.Signer.SignAsync(probe, cancellationToken).ConfigureAwait(false), "The new archive");
        }
        else if (options.Signer is not null)
        {
            observer.Warning($"Nobody was named whose signature {source.Location} has to bear. With its new signature you vouch for what it holds.");
        }
    }

    private async Task<IReadOnlyList<ProtectResult>> ProtectAsync(ArchiveReader source, Contents contents, ProtectPlan plan, OpenPgpSeal seal, int from, int? first, CancellationToken cancellationToken)
    {
        var status = first is null ? ProtectStatus.Protected : ProtectStatus.AlreadyThere;
        if (first is null)
        {
            first = 0;
            var lease = await ReadLease.TakeAsync(copies[from].Store, copies[from].Name, source.Manifest.Id, "protection", observer, TimeProvider.System, cancellationToken).ConfigureAwait(false);
            await using (lease.ConfigureAwait(false))
            {
                await MakeAsync(source, contents, plan, seal, copies[0].Store, copies[from].Name, cancellationToken).ConfigureAwait(false);
            }
        }

        var made = copies[first.Value].Store;
        await ProveAsync(made, plan.Name, cancellationToken).ConfigureAwait(false);
        if (status == ProtectStatus.AlreadyThere && proven.Count > 0)
        {
            await CompareAsync(source, contents, plan, seal, made, copies[from].Name, cancellationToken).ConfigureAwait(false);
        }

        List<ProtectResult> results = [];
        foreach (var copy in copies)
        {
            try
            {
                var arrived = copy.Store == made ? status : await BringAsync(made, plan.Name, copy.Store, cancellationToken).ConfigureAwait(false);
                var (old, reason) = await FinishOldAsync(source, copy, plan.Name, cancellationToken).ConfigureAwait(false);
                var file = await copy.Store.FindAsync(plan.Name, cancellationToken).ConfigureAwait(false);
                results.Add(Result(source, plan.Name, copy, arrived, file.Length, old, reason) with { Recipients = plan.Recipients });
            }
            catch (MoltException e)
            {
                onProblem(e);
            }
        }

        return results;
    }

    private async Task MakeAsync(ArchiveReader source, Contents contents, ProtectPlan plan, OpenPgpSeal seal, IBackupStore store, string sourceName, CancellationToken cancellationToken)
    {
        foreach (var swept in await store.SweepAsync(ProtectPlan.StemOf(plan.Name) + "_k", cancellationToken).ConfigureAwait(false))
        {
            observer.Verbose($"Removed {swept}, which was cut short.");
        }

        var resealer = new Resealer(source, contents, seal, plan.Name, observer);
        var output = await store.CreateAsync(plan.Name, new NewArchive(source.Manifest.Created, source.Length + (source.Length >> 6) + (1 << 20)), cancellationToken).ConfigureAwait(false);
        await resealer.WriteAsync(output, sourceName, NewCanary(plan), options.Signer, cancellationToken).ConfigureAwait(false);
        using var opener = seal.Opener();
        if (await CheckAsync(store, plan.Name, opener, resealer.Digests, cancellationToken).ConfigureAwait(false) is { } wrong)
        {
            await store.DeleteAsync(plan.Name, CancellationToken.None).ConfigureAwait(false);
            throw new MoltException("ProtectFailed", ErrorKind.InvalidData, $"What was written to {store.Settings.ItemLocation(plan.Name)} is not what was read, and was removed again: {wrong}. The old archive is as it was.",
                "The store, or this machine, damages what it gets: look at its disks and memory.", store.Settings.ItemLocation(plan.Name));
        }
    }

    /// <summary>Whoever writes to the store can put an archive there that says it was made of this one: it is read and held against what it should be.</summary>
    private async Task CompareAsync(ArchiveReader source, Contents contents, ProtectPlan plan, OpenPgpSeal seal, IBackupStore store, string sourceName, CancellationToken cancellationToken)
    {
        var resealer = new Resealer(source, contents, seal, plan.Name, observer);
        await resealer.WriteAsync(new NoOutput(), sourceName, NewCanary(plan), null, cancellationToken).ConfigureAwait(false);
        if (await CheckAsync(store, plan.Name, options.Keys, resealer.LastingDigests, cancellationToken).ConfigureAwait(false) is { } wrong)
        {
            var location = store.Settings.ItemLocation(plan.Name);
            throw new MoltException("ProtectFailed", ErrorKind.InvalidData, $"{location} says that it was made of {source.Location}, and is not the same backup: {wrong}. Both were left alone.",
                "Find out who writes into the store. Move that archive away, and do this again.", location);
        }
    }

    private bool NewCanary(ProtectPlan plan) => plan.Lost.Count > 0 || options.Only;

    /// <returns>What is wrong with it, in a sentence; null when nothing is.</returns>
    private async Task<string?> CheckAsync(IBackupStore store, string name, IMemberOpener opener, IReadOnlyDictionary<string, string> digests, CancellationToken cancellationToken)
    {
        var check = await VerificationOperation.RunAsync(store, name, new VerificationOptions { Access = new ArchiveAccess(opener), PlainDigests = digests }, observer, cancellationToken).ConfigureAwait(false);
        var failed = check.Failed.Where(c => c.Name != "Age").ToList();
        return failed.Count == 0 ? null : string.Join("; ", failed.Select(c => c.Detail));
    }

    /// <summary>Has the private keys at hand open the new archive, and keeps beside it which did.</summary>
    private async Task ProveAsync(IBackupStore store, string name, CancellationToken cancellationToken)
    {
        try
        {
            var results = await KeyProofOperation.RunAsync(store, name, options.Keys, null, cancellationToken).ConfigureAwait(false);
            proven = [.. results.Where(r => r.Proven).Select(r => r.Fingerprint)];
        }
        catch (MoltException e)
        {
            unproven = e.Message;
        }
    }

    private async Task<ProtectStatus> BringAsync(IBackupStore from, string name, IBackupStore to, CancellationToken cancellationToken)
    {
        var result = await CopyOperation.RunAsync([(from, name)], to, readBack: true, null, observer, cancellationToken).ConfigureAwait(false);
        if (result.Status == CopyStatus.Copied)
        {
            return ProtectStatus.Protected;
        }

        // It came with an earlier run, which may not have come to look at it.
        var check = await VerificationOperation.RunAsync(to, name, new VerificationOptions(), observer, cancellationToken).ConfigureAwait(false);
        return check.Passed ? ProtectStatus.AlreadyThere : throw ArchiveReader.Damaged(check.Path, string.Join("; ", check.Failed.Select(c => c.Detail)));
    }

    private async Task<(OldArchiveStatus Status, string Reason)> FinishOldAsync(ArchiveReader source, (IBackupStore Store, string Name) old, string name, CancellationToken cancellationToken)
    {
        StoredFile file;
        try
        {
            file = await old.Store.FindAsync(old.Name, cancellationToken).ConfigureAwait(false);
        }
        catch (MoltException e) when (e.Id == "BackupNotFound")
        {
            // An earlier run has removed it.
            return (OldArchiveStatus.None, "");
        }

        await CopyOperation.CopyPinAsync(old.Store, file, source.Manifest.Id, old.Store, name, cancellationToken).ConfigureAwait(false);
        if (options.KeepOld)
        {
            return (OldArchiveStatus.Kept, "");
        }

        var location = old.Store.Settings.ItemLocation(old.Name);
        if (proven.Count == 0)
        {
            var reason = $"No private key at hand opens the new archive ({unproven}) Until a holder has proven his with Test-MoltKey, {location} stays; remove it then with Remove-MoltBackup.";
            observer.Warning(reason);
            return (OldArchiveStatus.StillThere, reason);
        }

        try
        {
            var catalog = new BackupCatalog(old.Store);
            if ((await catalog.ReadAsync(old.Name, cancellationToken).ConfigureAwait(false)).ManifestSha256 != source.Index.ManifestSha256)
            {
                throw new MoltException("CopiesDiffer", ErrorKind.InvalidData, $"{location} is not the same archive as {source.Location}, though it bears its name: it was left alone.",
                    "Verify both with Test-MoltBackup -Level Full, and find out who writes into the store.", location);
            }

            await new BackupRemoval(old.Store).RemoveAsync(old.Name, [await catalog.ReadAsync(name, cancellationToken).ConfigureAwait(false)], force: false, cancellationToken).ConfigureAwait(false);
            return (OldArchiveStatus.Removed, "");
        }
        catch (MoltException e)
        {
            onProblem(e);
            return (OldArchiveStatus.StillThere, $"{e.Message} Whoever could open it still can. {e.Remedy}");
        }
    }

    private ProtectResult Result(ArchiveReader source, string name, (IBackupStore Store, string Name) copy, ProtectStatus status, long size, OldArchiveStatus old, string reason)
        => new(source.Manifest.Id, source.Manifest.Database, name, copy.Store.Settings.ItemLocation(name), status, source.Manifest.Recipients, size, proven, copy.Store.Settings.ItemLocation(copy.Name), old, reason, clock.Elapsed);

    private static async Task<T> OfSourceAsync<T>(Func<Task<T>> step)
    {
        try
        {
            return await step().ConfigureAwait(false);
        }
        catch (MoltException e)
        {
            throw new SourceException(e);
        }
    }
}
