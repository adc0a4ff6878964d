using System.Diagnostics;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>
/// Restores what a backup holds beside the database. First all is looked at and nothing is changed; then each item is restored by
/// itself: one that fails does not keep the others from it.
/// </summary>
/// <remarks>
/// Together with a database: plan, database, then the extras. A database is restored beside the live one and harms nothing when
/// it fails, while environment files, keys and folders are what the running application works with. So they are not touched before
/// the database is there and proven. Among them environment files come last: they turn the application to what was restored.
/// </remarks>
public sealed class ExtrasRestore
{
    private static readonly ExtraKind[] Order = [ExtraKind.Folder, ExtraKind.Redis, ExtraKind.Environment];

    private readonly IReadOnlyList<(IBackupStore Store, string Name)> copies;
    private readonly IReadOnlyList<IExtraRestore> kinds;
    private readonly IOperationObserver observer;
    private readonly ArchiveAccess? access;

    /// <param name="copies">Copies of one backup, the nearest first: the store and the file name in it.</param>
    /// <param name="kinds">What to restore, one for each kind.</param>
    /// <param name="observer">Is told of the progress, and of copies that were no good.</param>
    /// <param name="access">Opens encrypted members, and says whose signature is believed.</param>
    public ExtrasRestore(IReadOnlyList<(IBackupStore Store, string Name)> copies, IReadOnlyList<IExtraRestore> kinds, IOperationObserver observer, ArchiveAccess? access = null)
    {
        this.access = access;
        this.copies = copies;
        this.kinds = [.. kinds.OrderBy(k => Array.IndexOf(Order, k.Kind))];
        this.observer = observer;
    }

    /// <summary>Looks what would be done. Changes nothing.</summary>
    /// <returns>The items in the order in which they would be restored, those with problems among them.</returns>
    /// <exception cref="MoltException"><c>ExtraNotInBackup</c>, and what the copies and the kinds themselves have.</exception>
    public async Task<IReadOnlyList<ExtraRestoreItem>> PlanAsync(CancellationToken cancellationToken)
    {
        var items = new List<ExtraRestoreItem>();
        await ReadAsync(async (archive, contents, _) =>
        {
            items.Clear();
            foreach (var kind in kinds)
            {
                items.AddRange(await kind.PlanAsync(archive, Those(archive, contents, kind.Kind), cancellationToken).ConfigureAwait(false));
            }
        }, cancellationToken).ConfigureAwait(false);
        return items;
    }

    /// <summary>Restores items.</summary>
    /// <param name="items">From <see cref="PlanAsync"/>; those with a problem are left out.</param>
    /// <param name="onRestored">Is told of each item that is done.</param>
    /// <param name="onFailure">Is told of each item that failed.</param>
    /// <param name="cancellationToken">Stops it; items that are done stay.</param>
    /// <exception cref="MoltException">No copy can be read.</exception>
    public async Task RunAsync(IReadOnlyList<ExtraRestoreItem> items, Action<ExtraRestoreResult> onRestored, Action<MoltException> onFailure, CancellationToken cancellationToken)
    {
        var left = new Queue<ExtraRestoreItem>(items.Where(i => i.Problem is null));
        await ReadAsync(async (archive, _, last) =>
        {
            while (left.TryPeek(out var item))
            {
                var clock = Stopwatch.StartNew();
                observer.Verbose($"{item.Kind} {item.Name} to {item.Target} …");
                try
                {
                    var result = await kinds.First(k => k.Kind == item.Kind).RestoreAsync(archive, item, observer, cancellationToken).ConfigureAwait(false);
                    result.BackupId = archive.Manifest.Id;
                    result.StateOf = archive.Manifest.Created;
                    result.Duration = clock.Elapsed;
                    onRestored(result);
                }
                catch (MoltException e) when (last || !RestoreOperation.FaultsOfACopy.Contains(e.Id))
                {
                    onFailure(e);
                }

                left.Dequeue();
            }
        }, cancellationToken).ConfigureAwait(false);
    }

    private static List<ExtraContents> Those(ArchiveReader archive, Contents contents, ExtraKind kind)
    {
        var all = contents.Extras.Where(e => e.Kind == kind).ToList();
        var there = all.Where(e => e.Missing is null).ToList();
        if (there.Count > 0)
        {
            return there;
        }

        var why = all.Count > 0 ? $"it could not be taken along then ({string.Join("; ", all.Select(e => e.Missing))})" : "it was made without";
        throw new MoltException("ExtraNotInBackup", ErrorKind.NotFound, $"{archive.Location} holds nothing of the kind {kind}: {why}.",
            "Choose another backup: Get-MoltBackup shows under Extras what each holds. Or leave this out of -Include.", archive.Location);
    }

    /// <summary>Works on the nearest copy, and on the next when that one is no good.</summary>
    private async Task ReadAsync(Func<ArchiveReader, Contents, bool, Task> work, CancellationToken cancellationToken)
    {
        for (var i = 0; ; i++)
        {
            var (store, name) = copies[i];
            try
            {
                var file = await store.FindAsync(name, cancellationToken).ConfigureAwait(false);
                var archive = await ArchiveReader.OpenAsync(await store.OpenAsync(file, manifestOnly: false, cancellationToken).ConfigureAwait(false), cancellationToken, access).ConfigureAwait(false);
                await using (archive.ConfigureAwait(false))
                {
                    var contents = await archive.ReadContentsAsync(cancellationToken).ConfigureAwait(false);
                    var lease = await ReadLease.TakeAsync(store, name, archive.Manifest.Id, "restore", observer, TimeProvider.System, cancellationToken).ConfigureAwait(false);
                    await using (lease.ConfigureAwait(false))
                    {
                        await work(archive, contents, i + 1 == copies.Count).ConfigureAwait(false);
                        return;
                    }
                }
            }
            catch (MoltException e) when (i + 1 < copies.Count && RestoreOperation.FaultsOfACopy.Contains(e.Id))
            {
                observer.Warning($"{e.Message} Restoring from the copy in {copies[i + 1].Store.Location} instead.");
            }
        }
    }
}
