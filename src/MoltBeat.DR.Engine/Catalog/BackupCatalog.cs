using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>Which backups a store holds. Reads manifests and records only, never data.</summary>
public sealed class BackupCatalog(IBackupStore store)
{
    /// <summary>Clocks of two machines may differ by this much before a backup counts as dated in the future.</summary>
    public static readonly TimeSpan ClockTolerance = TimeSpan.FromMinutes(5);

    /// <summary>Every readable backup, newest first.</summary>
    /// <param name="onError">Is told of each file that is no readable backup; the listing goes on.</param>
    /// <param name="cancellationToken">Stops the listing.</param>
    /// <exception cref="MoltException"><c>StoreNotFound</c>, <c>StoreNotReadable</c>.</exception>
    public async Task<List<BackupInfo>> ListAsync(Action<MoltException> onError, CancellationToken cancellationToken)
    {
        var backups = new List<BackupInfo>();
        await foreach (var file in store.ListAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                backups.Add(await ReadAsync(file.Name, cancellationToken).ConfigureAwait(false));
            }
            catch (MoltException e) when (e.Id != "BackupNotFound")
            {
                onError(e);
            }
            catch (MoltException)
            {
                // Removed since it was listed.
            }
        }

        backups.Sort((a, b) => b.Created.CompareTo(a.Created) is not 0 and var order ? order : string.CompareOrdinal(b.Name, a.Name));
        return backups;
    }

    /// <summary>One backup by its file name.</summary>
    public async Task<BackupInfo> ReadAsync(string name, CancellationToken cancellationToken)
    {
        var reader = await ArchiveReader.OpenAsync(await store.OpenAsync(name, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            VerificationRecord? newest = null;
            await foreach (var record in VerificationsAsync(name, cancellationToken).ConfigureAwait(false))
            {
                // A record of another backup that once bore this name says nothing about this one.
                if (record.BackupId == reader.Manifest.Id && (newest is null || record.Time > newest.Time))
                {
                    newest = record;
                }
            }

            return new BackupInfo(reader.Manifest, name, reader.Location, reader.Length, newest);
        }
    }

    /// <summary>Writes a verification's result beside the archive.</summary>
    public Task RecordAsync(string archive, VerificationRecord record, CancellationToken cancellationToken)
        => store.PutRecordAsync(archive,
            string.Create(CultureInfo.InvariantCulture, $"{record.Time.UtcDateTime:yyyyMMddTHHmmss}Z_verification_{Guid.NewGuid():N}.json"),
            JsonSerializer.SerializeToUtf8Bytes(record, RecordJson.Default.VerificationRecord), cancellationToken);

    private async IAsyncEnumerable<VerificationRecord> VerificationsAsync(string archive, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var (name, content) in store.RecordsAsync(archive, cancellationToken).ConfigureAwait(false))
        {
            if (!name.Contains("_verification_", StringComparison.Ordinal))
            {
                continue;
            }

            VerificationRecord? record = null;
            try
            {
                record = JsonSerializer.Deserialize(content, RecordJson.Default.VerificationRecord);
            }
            catch (JsonException)
            {
                // A damaged record counts as none.
            }

            if (record is not null)
            {
                yield return record;
            }
        }
    }
}
