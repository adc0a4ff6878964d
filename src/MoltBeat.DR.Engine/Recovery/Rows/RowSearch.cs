using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>Which rows to look for.</summary>
public sealed record RowSearchOptions
{
    /// <summary>Any database where temporary tables may be made; best the living one, which knows its own types.</summary>
    public required ConnectionSettings Connection { get; init; }

    /// <summary><c>name</c> or <c>schema.name</c>.</summary>
    public required string Table { get; init; }

    /// <summary>A condition in SQL; see <see cref="RowRestoreOptions.Where"/>.</summary>
    public required string Where { get; init; }

    /// <summary>So many rows end the search.</summary>
    public long MinimumRows { get; init; } = 1;

    /// <summary>Opens encrypted members, and says whose signature is believed.</summary>
    public ArchiveAccess? Access { get; init; }
}

/// <summary>Looks for rows in backup after backup, the newest first. Writes temporary tables only.</summary>
public static class RowSearch
{
    private const int SampleRows = 20;

    /// <param name="backups">The backups, the newest first, each with its copies, the nearest first.</param>
    /// <param name="options">What to look for.</param>
    /// <param name="observer">Is told of each backup that is looked at.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">As of <see cref="RowRestoreOperation"/>; <c>TableNotFound</c> when no backup has the table.</exception>
    public static async Task<FoundRows> RunAsync(IReadOnlyList<(BackupInfo Backup, IReadOnlyList<(IBackupStore Store, string Name)> Copies)> backups, RowSearchOptions options, IOperationObserver observer, CancellationToken cancellationToken)
    {
        try
        {
            var session = await RowSession.OpenAsync(options.Connection, "row search", cancellationToken).ConfigureAwait(false);
            await using (session.ConfigureAwait(false))
            {
                BackupInfo? lacking = null;
                MoltException? noTable = null;
                long most = 0;
                var (looked, tableSeen) = (0, false);
                var unreadable = new List<string>();
                foreach (var (backup, copies) in backups)
                {
                    observer.Verbose($"Looking into {backup.Name} …");
                    try
                    {
                        looked++;
                        var (rows, samples) = await LookAsync(session, backup, copies, options, observer, cancellationToken).ConfigureAwait(false);
                        tableSeen = true;
                        most = Math.Max(most, rows);
                        if (rows >= options.MinimumRows)
                        {
                            return new FoundRows { Table = options.Table, Backup = backup, Rows = rows, Samples = samples, GoneIn = lacking, Looked = looked, NotReadable = unreadable };
                        }
                    }
                    catch (MoltException e) when (e.Id == "TableNotFound")
                    {
                        noTable ??= e;
                    }
                    catch (MoltException e) when (RestoreOperation.FaultsOfACopy.Contains(e.Id) || e.Id is "BackupWithoutTypes" or "RowsNotInParts")
                    {
                        observer.Warning($"{e.Message} The search goes on with the backup before it.");
                        unreadable.Add(backup.Name);
                        continue;
                    }

                    lacking = backup;
                }

                return tableSeen || noTable is null ? new FoundRows { Table = options.Table, Rows = most, Samples = [], GoneIn = lacking, Looked = looked, NotReadable = unreadable } : throw noTable;
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Looking for rows of {options.Table}", options.Table) is { } translated)
        {
            throw translated;
        }
    }

    private static async Task<(long Rows, List<IReadOnlyDictionary<string, string?>> Samples)> LookAsync(RowSession session, BackupInfo backup, IReadOnlyList<(IBackupStore Store, string Name)> copies, RowSearchOptions options, IOperationObserver observer, CancellationToken cancellationToken)
    {
        for (var i = 0; ; i++)
        {
            try
            {
                var (store, name) = copies[i];
                var archive = await ArchiveReader.OpenAsync(await store.OpenAsync(await store.FindAsync(name, cancellationToken).ConfigureAwait(false), manifestOnly: false, cancellationToken).ConfigureAwait(false), cancellationToken, options.Access).ConfigureAwait(false);
                await using (archive.ConfigureAwait(false))
                {
                    if (archive.Index.ManifestSha256 != backup.ManifestSha256)
                    {
                        throw new MoltException("BackupNotFound", ErrorKind.NotFound, $"{archive.Location} is another backup than {backup.Path}, which bears its name.", "List what is there with Get-MoltBackup.", archive.Location);
                    }

                    var lease = await ReadLease.TakeAsync(store, name, archive.Manifest.Id, "row search", observer, TimeProvider.System, cancellationToken).ConfigureAwait(false);
                    await using (lease.ConfigureAwait(false))
                    {
                        return await LookAsync(session, archive, options, observer, cancellationToken).ConfigureAwait(false);
                    }
                }
            }
            catch (MoltException e) when (i + 1 < copies.Count && RestoreOperation.FaultsOfACopy.Contains(e.Id))
            {
                observer.Warning($"{e.Message} Reading the copy in {copies[i + 1].Store.Location} instead.");
            }
        }
    }

    private static async Task<(long Rows, List<IReadOnlyDictionary<string, string?>> Samples)> LookAsync(RowSession session, ArchiveReader archive, RowSearchOptions options, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var contents = await archive.ReadContentsAsync(cancellationToken).ConfigureAwait(false);
        var table = BackupTable.Named(contents, options.Table, archive.Manifest.Name ?? archive.Location);
        var loader = new RowLoader(session, archive, contents, observer);

        // Of each row that is found only its key is kept; of one without a key, all of it.
        var kept = table.Key.Count > 0 ? table.Key : table.Columns;
        var found = session.NewName("found");
        await session.ExecuteAsync($"CREATE TEMPORARY TABLE {found} (row text[])", cancellationToken).ConfigureAwait(false);
        var alias = SqlName.Quote(table.Name);
        var values = string.Join(", ", kept.Select(c => $"left({alias}.{SqlName.Quote(c)}::text, 200)"));
        foreach (var source in table.Sources)
        {
            var shape = await RowShape.OfAsync(session, source, _ => null, cancellationToken).ConfigureAwait(false);
            await loader.LoadAsync(shape, alias, [new RowCondition(_ => options.Where)], [], $"INSERT INTO {found} SELECT ARRAY[{values}]::text[]", _ => false, cancellationToken).ConfigureAwait(false);
        }

        var samples = new List<IReadOnlyDictionary<string, string?>>();
        await DatabaseCatalog.ReadAsync(session.Connection, $"SELECT row FROM {found} ORDER BY row LIMIT {SampleRows}", row =>
        {
            var texts = row.GetFieldValue<string?[]>(0);
            samples.Add(kept.Select((c, i) => (c, texts[i])).ToDictionary(c => ByteText.Shown(c.c, session.Encoding), c => c.Item2));
        }, cancellationToken).ConfigureAwait(false);
        var rows = await session.ScalarAsync<long>($"SELECT count(*) FROM {found}", cancellationToken).ConfigureAwait(false);
        await session.ExecuteAsync($"DROP TABLE {found}", cancellationToken).ConfigureAwait(false);
        return (rows, samples);
    }
}
