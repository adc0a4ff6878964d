using System.Collections.Concurrent;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>
/// The last steps of a restore, in one go over all tables: statistics for the planner, and the proof that every table holds
/// exactly the rows that were backed up.
/// </summary>
internal sealed class RestoreProof(PinnedServer target, int serverVersion, Contents contents, RestoreOptions options, IOperationObserver observer)
{
    private readonly ConcurrentDictionary<string, RowDigest> digests = new(StringComparer.Ordinal);
    private long provenRows;

    /// <param name="tables">The tables whose rows were restored.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>ProofFailed</c>, naming the tables.</exception>
    public async Task<List<RestoredTable>> RunAsync(IReadOnlyList<TableContents> tables, CancellationToken cancellationToken)
    {
        var work = new ConcurrentQueue<Func<NpgsqlConnection, CancellationToken, Task>>();
        var problems = new ConcurrentBag<string>();
        var admin = await target.OpenAsync(new SessionOptions("restore").In(contents.Database.Encoding), cancellationToken).ConfigureAwait(false);
        await using (admin.ConfigureAwait(false))
        {
            await DatabaseCatalog.ExecuteAsync(admin, SessionSettings.Pin(serverVersion, TimeSpan.Zero), cancellationToken).ConfigureAwait(false);
            var present = await DatabaseCatalog.TablesAsync(admin, cancellationToken).ConfigureAwait(false);
            if (!options.SkipProof)
            {
                QueueProof(tables, present, work, problems);
            }

            await DatabaseCatalog.ReadAsync(admin, """
                SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY c.relkind = 'p', c.relpages DESC
                """, row =>
            {
                var name = SqlName.QuoteIn(contents.Database.Encoding, row.GetString(0), row.GetString(1));
                work.Enqueue((connection, token) => DatabaseCatalog.ExecuteAsync(connection, $"ANALYZE {name}", token));
            }, cancellationToken).ConfigureAwait(false);
        }

        await RunTogether.RunAsync(cancellationToken, stop => Enumerable.Range(0, options.Jobs).Select(_ => Task.Run(() => WorkAsync(work, stop), stop))).ConfigureAwait(false);
        var results = tables.Select(t => new RestoredTable(ByteText.Shown($"{t.Schema}.{t.Name}", contents.Database.Encoding), t.Rows, t.Digest, !options.SkipProof)).ToList();
        if (!options.SkipProof)
        {
            Compare(tables, problems);
        }

        return results;
    }

    /// <summary>The same by one session that is within a transaction which nobody else sees into.</summary>
    /// <param name="connection">Pinned, and its client_encoding the database's.</param>
    /// <param name="tables">The tables whose rows were restored.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>ProofFailed</c>, naming the tables.</exception>
    public async Task<List<RestoredTable>> RunWithinAsync(NpgsqlConnection connection, IReadOnlyList<TableContents> tables, CancellationToken cancellationToken)
    {
        var work = new ConcurrentQueue<Func<NpgsqlConnection, CancellationToken, Task>>();
        var problems = new ConcurrentBag<string>();
        QueueProof(tables, await DatabaseCatalog.TablesAsync(connection, cancellationToken).ConfigureAwait(false), work, problems);
        while (work.TryDequeue(out var step))
        {
            await step(connection, cancellationToken).ConfigureAwait(false);
        }

        Compare(tables, problems);
        if (contents.LargeObjects is { } expected
            && await DatabaseCatalog.ScalarAsync<bool>(connection, "SELECT has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')", cancellationToken).ConfigureAwait(false)
            && await LargeObjects.DigestAsync(connection, cancellationToken).ConfigureAwait(false) is var found && found != expected)
        {
            throw Failed([$"large objects: {found.Rows} pages, {expected.Rows} expected, or another digest"]);
        }

        await DatabaseCatalog.ExecuteAsync(connection, "ANALYZE", cancellationToken).ConfigureAwait(false);
        return tables.Select(t => new RestoredTable($"{t.Schema}.{t.Name}", t.Rows, t.Digest, true)).ToList();
    }

    /// <summary>Compares large objects; null when the backup has no digest of them or this role may not read them.</summary>
    public async Task<bool?> LargeObjectsAsync(CancellationToken cancellationToken)
    {
        if (options.SkipProof || contents.LargeObjects is not { } expected)
        {
            return null;
        }

        var connection = await target.OpenAsync(new SessionOptions("restore", ReadBufferBytes: 1 << 16).In(contents.Database.Encoding), cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(serverVersion, TimeSpan.Zero), cancellationToken).ConfigureAwait(false);
            if (!await DatabaseCatalog.ScalarAsync<bool>(connection, "SELECT has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')", cancellationToken).ConfigureAwait(false))
            {
                return null;
            }

            var found = await LargeObjects.DigestAsync(connection, cancellationToken).ConfigureAwait(false);
            return found == expected ? true : throw Failed([$"large objects: {found.Rows} pages, {expected.Rows} expected, or another digest"]);
        }
    }

    private void QueueProof(IReadOnlyList<TableContents> tables, List<SourceTable> present, ConcurrentQueue<Func<NpgsqlConnection, CancellationToken, Task>> work, ConcurrentBag<string> problems)
    {
        var byName = present.ToDictionary(t => t.QuotedName, StringComparer.Ordinal);
        var formats = new Dictionary<string, RowFormat>(StringComparer.Ordinal);
        var readable = new List<SourceTable>();
        foreach (var table in tables)
        {
            if (!byName.TryGetValue(table.QuotedName, out var found))
            {
                problems.Add($"{table.Schema}.{table.Name} is missing");
                continue;
            }

            digests[table.QuotedName] = default;
            formats[table.QuotedName] = table.Format;
            readable.Add(found with { Columns = table.Columns });
        }

        foreach (var range in TableRange.Plan(readable, options.Jobs, serverVersion))
        {
            work.Enqueue((connection, token) => DigestAsync(connection, range, formats[range.Table.QuotedName], token));
        }
    }

    private async Task WorkAsync(ConcurrentQueue<Func<NpgsqlConnection, CancellationToken, Task>> work, CancellationToken cancellationToken)
    {
        var connection = await target.OpenAsync(new SessionOptions("restore", ReadBufferBytes: 1 << 16).In(contents.Database.Encoding), cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(serverVersion, TimeSpan.Zero), cancellationToken).ConfigureAwait(false);
            await DatabaseCatalog.ExecuteAsync(connection, $"SET client_encoding = {SqlName.Literal(contents.Database.Encoding)}", cancellationToken).ConfigureAwait(false);
            while (work.TryDequeue(out var step))
            {
                await step(connection, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task DigestAsync(NpgsqlConnection connection, TableRange range, RowFormat format, CancellationToken cancellationToken)
    {
        try
        {
            var copy = await CopyOut.OpenAsync(connection, CopySql.Out(range, format, contents.Database.Encoding), format, cancellationToken).ConfigureAwait(false);
            await using (copy.ConfigureAwait(false))
            {
                var (digest, _) = await RowCounter.CountAsync(copy, format, long.MaxValue, null, cancellationToken).ConfigureAwait(false);
                digests.AddOrUpdate(range.Table.QuotedName, digest, (_, sum) => sum + digest);
                var rows = Interlocked.Add(ref provenRows, digest.Rows);
                var all = contents.Tables.Sum(t => t.Rows);
                observer.Progress(new OperationProgress($"Restoring {options.TargetDatabase}", string.Create(CultureInfo.InvariantCulture, $"proving: {rows:N0} of {all:N0} rows"), all > 0 ? (double)rows / all : null, null));
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Proving {range.Table.QuotedName}", range.Table.QuotedName) is { } translated)
        {
            throw translated;
        }
    }

    private void Compare(IReadOnlyList<TableContents> tables, ConcurrentBag<string> problems)
    {
        foreach (var table in tables)
        {
            if (digests.TryGetValue(table.QuotedName, out var found) && (found.Rows != table.Rows || found.ToHex() != table.Digest))
            {
                problems.Add(found.Rows != table.Rows
                    ? string.Create(CultureInfo.InvariantCulture, $"{table.Schema}.{table.Name} has {found.Rows:N0} rows, the backup {table.Rows:N0}")
                    : $"{table.Schema}.{table.Name} has as many rows as the backup, but not the same ones");
            }
        }

        if (!problems.IsEmpty)
        {
            throw Failed(problems.Order(StringComparer.Ordinal).ToList());
        }
    }

    private MoltException Failed(List<string> problems)
        => new("ProofFailed", ErrorKind.InvalidData,
            $"What was restored into {options.TargetDatabase} is not what was backed up: {string.Join("; ", problems.Take(20))}{(problems.Count > 20 ? $"; and {problems.Count - 20} more" : "")}.",
            "Restore again with -KeepFailed and compare; if the server is sound, use another backup.", problems);
}
