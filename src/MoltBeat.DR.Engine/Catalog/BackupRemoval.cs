using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>Removes backups from one store: by the rules, or because somebody asks for it, and then with the same care.</summary>
public sealed class BackupRemoval(IBackupStore store)
{
    /// <summary>What the rules would do here, locks of the store included. Nothing is changed.</summary>
    /// <param name="all">Every backup with its copies in all stores, as <see cref="BackupCatalog.ListAsync"/> gives them; those that are not in this store are passed over.</param>
    /// <param name="rules">How long each kind is kept.</param>
    /// <param name="now">The present, UTC.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">As of <see cref="RetentionEngine.Decide"/>.</exception>
    public async Task<IReadOnlyList<RetentionDecision>> DecideAsync(IReadOnlyCollection<BackupInfo> all, RetentionRules rules, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var items = all.Select(Item).OfType<RetentionItem>().ToList();
        var decisions = RetentionEngine.Decide(items, rules, now);
        if (!store.Settings.IsS3)
        {
            return decisions;
        }

        // A lock takes a request to ask for: only of those that would go.
        var locks = new Dictionary<RetentionItem, DateTimeOffset>();
        foreach (var candidate in decisions.Where(d => d.Goes))
        {
            if (await store.LockedUntilAsync(candidate.Backup.Name, cancellationToken).ConfigureAwait(false) is { } until)
            {
                locks[candidate.Backup] = until;
            }
        }

        return locks.Count == 0 ? decisions : RetentionEngine.Decide(items.ConvertAll(i => locks.TryGetValue(i, out var until) ? i with { LockedUntil = until } : i), rules, now);
    }

    /// <summary>Removes one backup from this store, if nothing speaks against it any more.</summary>
    /// <param name="name">Its file name.</param>
    /// <param name="others">All other backups of this store; one of its database has to be fit to take its place.</param>
    /// <param name="force">Remove it although it is the last good one.</param>
    /// <param name="cancellationToken">Stops it before it begins.</param>
    /// <exception cref="MoltException"><c>BackupPinned</c>, <c>BackupInUse</c>, <c>BackupLocked</c>, <c>LastGoodBackup</c>, and the store's own errors.</exception>
    public async Task RemoveAsync(string name, IReadOnlyCollection<BackupInfo> others, bool force, CancellationToken cancellationToken)
    {
        // Read anew: somebody may have pinned it, or begun to restore it, since it was listed.
        var backup = await new BackupCatalog(store).ReadAsync(name, cancellationToken).ConfigureAwait(false);
        var copy = backup.Locations[0];
        if (copy.Pin is { } pin)
        {
            throw new MoltException("BackupPinned", ErrorKind.PermissionDenied, $"{copy.Path} is pinned by {pin.By}: {pin.Reason}.", "If it may go after all: Set-MoltBackup -Unpin -Reason '…'.", copy.Path);
        }

        if (copy.Leases.Count > 0)
        {
            throw new MoltException("BackupInUse", ErrorKind.Busy, $"{copy.Path} is being read on {copy.Leases[0].Host} ({copy.Leases[0].Operation}).", "Wait until that has ended; a reader that died counts no more after an hour.", copy.Path);
        }

        var rest = Rest(backup, others);
        if (!force && IsLastGood(backup, rest))
        {
            throw new MoltException("LastGoodBackup", ErrorKind.PermissionDenied, $"{copy.Path} is the last {(rest.Count == 0 ? "" : "verified ")}backup of {backup.Database} in {store.Location}.",
                "Make and verify a newer one first, or pass -Force.", copy.Path);
        }

        await store.DeleteAsync(name, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whether it is the last backup of its database in this store, or the last verified one.</summary>
    /// <param name="name">Its file name.</param>
    /// <param name="others">As of <see cref="RemoveAsync"/>.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">The store's own errors.</exception>
    public async Task<bool> IsLastGoodAsync(string name, IReadOnlyCollection<BackupInfo> others, CancellationToken cancellationToken)
    {
        var backup = await new BackupCatalog(store).ReadAsync(name, cancellationToken).ConfigureAwait(false);
        return IsLastGood(backup, Rest(backup, others));
    }

    /// <summary>Those that could take its place; the same backup encrypted anew is one of them.</summary>
    private List<BackupInfo> Rest(BackupInfo backup, IReadOnlyCollection<BackupInfo> others)
        => [.. others.Where(o => (o.Id != backup.Id || o.Name != backup.Name) && o.Database == backup.Database && HereOf(o) is { Verification: null or { Passed: true } })];

    private bool IsLastGood(BackupInfo backup, List<BackupInfo> rest) => rest.Count == 0 || (IsVerified(backup) && !rest.Exists(IsVerified));

    /// <summary>The backup as retention sees it in this store; null when it is not there.</summary>
    private RetentionItem? Item(BackupInfo backup)
        => HereOf(backup) is not { } here ? null
            : new RetentionItem(backup.Id, backup.Name, backup.Manifest.Server.SystemIdentifier, backup.Database, backup.Kind, backup.Created, backup.RawSize)
            {
                // What another store's copy passed says that the backup is good, unless this copy itself has failed since.
                Verified = here.Verification is { } found && IsDamaged(found) ? false : backup.Locations.Any(l => l.Verification is { Passed: true }) ? true : null,
                LeavesOut = [.. backup.Manifest.ExcludedTables, .. backup.Manifest.ExcludedTableData],
                Pin = backup.Pin,
                Leases = here.Leases,
            };

    /// <summary>That a backup was too old or too small for somebody's wishes does not make it a bad one.</summary>
    private static bool IsDamaged(VerificationRecord verification) => !verification.Passed && !verification.Failed.All(f => f is "Age" or "Size");

    private BackupLocation? HereOf(BackupInfo backup) => backup.Locations.FirstOrDefault(l => l.Store == store.Settings.Name);

    private bool IsVerified(BackupInfo backup) => HereOf(backup) is { Verification: not { Passed: false } } && backup.Locations.Any(l => l.Verification is { Passed: true });
}
