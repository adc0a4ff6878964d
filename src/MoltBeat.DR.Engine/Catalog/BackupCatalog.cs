using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>Which backups stores hold, one entry for all copies of one backup. Reads manifests and records only, never data.</summary>
/// <param name="stores">The stores, the nearest first.</param>
/// <param name="access">Whose signatures are believed: an archive of somebody else is an error like a damaged one.</param>
public sealed class BackupCatalog(IReadOnlyList<IBackupStore> stores, ArchiveAccess? access = null)
{
    /// <summary>Clocks of two machines may differ by this much before a backup counts as dated in the future.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(5);

    /// <summary>Requests to one store at once.</summary>
    private const int AtOnce = 8;

    public BackupCatalog(IBackupStore store, ArchiveAccess? access = null)
        : this([store], access)
    {
    }

    /// <summary>Every readable backup, newest first.</summary>
    /// <param name="onError">Is told of each file that is no readable backup, and of each store that cannot be listed; the listing goes on. May be called from any thread, one call at a time.</param>
    /// <param name="cancellationToken">Stops the listing.</param>
    public async Task<List<BackupInfo>> ListAsync(Action<MoltException> onError, CancellationToken cancellationToken)
    {
        var found = await Task.WhenAll(stores.Select(s => CopiesAsync(s, onError, cancellationToken))).ConfigureAwait(false);
        var backups = new List<BackupInfo>();
        foreach (var same in found.SelectMany(f => f).GroupBy(c => (c.Manifest.Id, c.Name)))
        {
            var kinds = same.GroupBy(c => c.ManifestSha256, StringComparer.Ordinal).ToList();
            if (kinds.Count > 1)
            {
                onError(new MoltException("CopiesDiffer", ErrorKind.InvalidData, $"{string.Join(" and ", kinds.Select(k => k.First().Location.Path))} bear the same id, and are not the same backup.",
                    "One of them was changed after it was made. Verify both with Test-MoltBackup -Level Full, and find out who writes into the store.", same.Key.Name));
            }

            backups.AddRange(kinds.Select(k => new BackupInfo(k.First().Manifest, k.Key, k.First().Name, k.Select(c => c.Location).ToList())));
        }

        backups.Sort((a, b) => b.Created.CompareTo(a.Created) is not 0 and var order ? order : string.CompareOrdinal(b.Name, a.Name));
        return backups;
    }

    /// <summary>One backup by its file name, as the nearest of these stores has it that has it whole; the others are not asked.</summary>
    /// <param name="name">The file name.</param>
    /// <param name="onSkipped">Is told of each nearer store that has it not, or not readable.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>The backup with this one copy, and how many stores were passed over.</returns>
    /// <exception cref="MoltException">The nearest store's error when none has it.</exception>
    public async Task<(BackupInfo Backup, int Skipped)> ReadNearestAsync(string name, Action<MoltException> onSkipped, CancellationToken cancellationToken)
    {
        var skipped = new List<MoltException>();
        foreach (var store in stores)
        {
            try
            {
                var backup = await new BackupCatalog(store).ReadAsync(name, cancellationToken).ConfigureAwait(false);
                skipped.ForEach(onSkipped);
                return (backup, skipped.Count);
            }
            catch (MoltException e)
            {
                skipped.Add(e);
            }
        }

        throw skipped[0];
    }

    /// <summary>One backup by its file name, with its copies in all these stores.</summary>
    /// <param name="name">The file name.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">The nearest store's error when none has it whole.</exception>
    public async Task<BackupInfo> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var copies = new List<BackupCopy>();
        var skipped = new List<MoltException>();
        foreach (var store in stores)
        {
            try
            {
                copies.Add(await ReadAsync(store, await store.FindAsync(name, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false));
            }
            catch (MoltException e)
            {
                skipped.Add(e);
            }
        }

        if (copies.Count == 0)
        {
            throw skipped[0];
        }

        return new BackupInfo(copies[0].Manifest, copies[0].ManifestSha256, name, copies.Where(c => c.ManifestSha256 == copies[0].ManifestSha256).Select(c => c.Location).ToList());
    }

    /// <summary>Writes a new record beside an archive.</summary>
    public static Task RecordAsync(IBackupStore store, string archive, IBackupRecord record, CancellationToken cancellationToken)
    {
        var (name, content) = RecordFile.New(record);
        return store.PutRecordAsync(archive, name, content, cancellationToken);
    }

    /// <summary>Writes the same record of a pin beside another copy. Done again, it changes nothing.</summary>
    public static Task RecordAsync(IBackupStore store, string archive, string record, PinRecord pin, CancellationToken cancellationToken)
        => store.PutRecordAsync(archive, record, RecordFile.Write(pin), cancellationToken);

    /// <summary>The pin that holds an archive now, with its record's name; null when there is none.</summary>
    public static async Task<(string Record, PinRecord Pin)?> PinAsync(IBackupStore store, StoredFile file, string backupId, CancellationToken cancellationToken)
    {
        var records = await RecordsAsync(store, file, cancellationToken).ConfigureAwait(false);
        if (BackupRecords.Parse(backupId, records, DateTimeOffset.UtcNow).Pin is not { } pin)
        {
            return null;
        }

        // Which of the records it is: the one that says the same alone.
        var name = records.Select(r => r.Name).FirstOrDefault(n => BackupRecords.Parse(backupId, records.Where(r => r.Name == n), DateTimeOffset.UtcNow).Pin == pin);
        return (name ?? RecordFile.NewName(pin.Time, RecordFile.Pin), pin);
    }

    private static async Task<List<(string Name, byte[] Content)>> RecordsAsync(IBackupStore store, StoredFile file, CancellationToken cancellationToken)
    {
        var records = new List<(string Name, byte[] Content)>();
        await foreach (var record in store.RecordsAsync(file, cancellationToken).ConfigureAwait(false))
        {
            records.Add(record);
        }

        return records;
    }

    private async Task<List<BackupCopy>> CopiesAsync(IBackupStore store, Action<MoltException> onError, CancellationToken cancellationToken)
    {
        var copies = new List<BackupCopy>();
        try
        {
            var files = new List<StoredFile>();
            await foreach (var file in store.ListAsync(cancellationToken).ConfigureAwait(false))
            {
                files.Add(file);
            }

            await Parallel.ForEachAsync(files, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (file, token) =>
            {
                try
                {
                    var copy = await ReadAsync(store, file, token).ConfigureAwait(false);
                    lock (copies)
                    {
                        copies.Add(copy);
                    }
                }
                catch (MoltException e) when (e.Id != "BackupNotFound")
                {
                    lock (onError)
                    {
                        onError(e);
                    }
                }
                catch (MoltException)
                {
                    // Removed since it was listed.
                }
            }).ConfigureAwait(false);
        }
        catch (MoltException e)
        {
            lock (onError)
            {
                onError(e);
            }
        }

        return copies;
    }

    private async Task<BackupCopy> ReadAsync(IBackupStore store, StoredFile file, CancellationToken cancellationToken)
    {
        var reader = await ArchiveReader.OpenAsync(await store.OpenAsync(file, manifestOnly: true, cancellationToken).ConfigureAwait(false), cancellationToken, access).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            var records = await RecordsAsync(store, file, cancellationToken).ConfigureAwait(false);
            var known = BackupRecords.Parse(reader.Manifest.Id, records, DateTimeOffset.UtcNow);
            return new BackupCopy(file.Name, reader.Manifest, reader.Index.ManifestSha256, new BackupLocation(store.Settings.Name, reader.Location, reader.Length, known.Verification) { Pin = known.Pin, Leases = known.Leases, KeyProofs = known.KeyProofs });
        }
    }
}

/// <summary>One archive as one store has it.</summary>
internal sealed record BackupCopy(string Name, Manifest Manifest, string ManifestSha256, BackupLocation Location);
