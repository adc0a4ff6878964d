using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Rows;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Recovery.Comparison;

/// <summary>What to compare.</summary>
public sealed record ComparisonOptions
{
    /// <summary>The living database; when two backups are compared, any where temporary tables may be made.</summary>
    public required ConnectionSettings Connection { get; init; }

    /// <summary>Only these tables: <c>name</c> or <c>schema.name</c>, with * and ?; empty for all.</summary>
    public IReadOnlyList<string> Tables { get; init; } = [];

    /// <summary>Tell of each row that differs.</summary>
    public bool Detail { get; init; }

    /// <summary>Opens encrypted members, and says whose signature is believed.</summary>
    public ArchiveAccess? Access { get; init; }
}

/// <summary>
/// Compares a backup with the living database, or with another backup, table by table. Digests first: a living table that is as it was costs
/// one scan, and of two backups nothing is read. Of a table that differs, only keys and digests of rows are held, in a temporary table.
/// </summary>
public sealed class BackupComparison
{
    private readonly ComparisonOptions options;
    private readonly IOperationObserver observer;
    private readonly RowSession session;
    private readonly ArchiveReader archive;
    private readonly Contents contents;
    private readonly ArchiveReader? other;
    private readonly string with;

    private BackupComparison(ComparisonOptions options, IOperationObserver observer, RowSession session, (ArchiveReader Archive, Contents Contents) one, ArchiveReader? other)
    {
        (this.options, this.observer, this.session, archive, contents, this.other) = (options, observer, session, one.Archive, one.Contents, other);
        with = other is not null ? NameOf(other) : session.Server.Settings.Describe();
    }

    /// <param name="backup">The backup's store and file name.</param>
    /// <param name="with">The other backup's; null for the living database.</param>
    /// <param name="options">What to compare.</param>
    /// <param name="table">Is told of each table.</param>
    /// <param name="row">Is told of each row that differs, when that was asked for; before its table.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException">See docs/errors.md for the ids.</exception>
    public static async Task RunAsync((IBackupStore Store, string Name) backup, (IBackupStore Store, string Name)? with, ComparisonOptions options, Func<TableComparison, Task> table, Func<RowDifference, Task> row, IOperationObserver observer, CancellationToken cancellationToken)
    {
        try
        {
            var archive = await OpenAsync(backup, options, cancellationToken).ConfigureAwait(false);
            await using (archive.ConfigureAwait(false))
            {
                var other = with is { } second ? await OpenAsync(second, options, cancellationToken).ConfigureAwait(false) : null;
                try
                {
                    var session = await RowSession.OpenAsync(options.Connection, "comparison", cancellationToken).ConfigureAwait(false);
                    await using (session.ConfigureAwait(false))
                    {
                        var contents = await archive.ReadContentsAsync(cancellationToken).ConfigureAwait(false);
                        await new BackupComparison(options, observer, session, (archive, contents), other).CompareAsync(table, row, cancellationToken).ConfigureAwait(false);
                    }
                }
                finally
                {
                    if (other is not null)
                    {
                        await other.DisposeAsync().ConfigureAwait(false);
                    }
                }
            }
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && ServerErrors.Translate(e, $"Comparing {backup.Name}", backup.Name) is { } translated)
        {
            throw translated;
        }
    }

    private static async Task<ArchiveReader> OpenAsync((IBackupStore Store, string Name) backup, ComparisonOptions options, CancellationToken cancellationToken)
        => await ArchiveReader.OpenAsync(await backup.Store.OpenAsync(await backup.Store.FindAsync(backup.Name, cancellationToken).ConfigureAwait(false), manifestOnly: false, cancellationToken).ConfigureAwait(false), cancellationToken, options.Access).ConfigureAwait(false);

    private static string NameOf(ArchiveReader archive) => archive.Manifest.Name ?? archive.Location;

    private async Task CompareAsync(Func<TableComparison, Task> report, Func<RowDifference, Task> row, CancellationToken cancellationToken)
    {
        var theirs = other is null ? null : await other.ReadContentsAsync(cancellationToken).ConfigureAwait(false);
        var living = other is null ? await DatabaseCatalog.TablesAsync(session.Connection, cancellationToken).ConfigureAwait(false) : [];
        var mine = contents.Tables.Select(t => (t.Schema, t.Name)).ToHashSet();
        var left = contents.LeftToPgDump.ToDictionary(t => (t.Schema, t.Name));
        var others = (theirs?.Tables.Select(t => (t.Schema, t.Name)) ?? living.Where(t => t.Kind == 'r' && !t.ExtensionMember).Select(t => (t.Schema, t.Name))).ToHashSet();
        var all = mine.Concat(left.Where(t => !t.Value.Partitioned).Select(t => t.Key)).Concat(others.Where(o => !left.ContainsKey(o))).Distinct().Order().ToList();
        var chosen = options.Tables.Count > 0 ? TablePatterns.Select(options.Tables, all, "Table", t => (Shown(t.Schema), Shown(t.Name))) : all;
        foreach (var name in chosen)
        {
            observer.Verbose($"Comparing {Shown(name.Schema)}.{Shown(name.Name)} …");
            var table = contents.Tables.FirstOrDefault(t => (t.Schema, t.Name) == name);
            var result = table is null ? Result(name, left.ContainsKey(name) ? ComparisonStatus.NotCompared : ComparisonStatus.TableExtra, null, left.TryGetValue(name, out var why) ? $"Its rows are in the dump alone: {why.Reason}." : "")
                : !others.Contains(name) ? Result(name, ComparisonStatus.TableMissing, table.Rows, "")
                : theirs is not null ? await WithBackupAsync(table, theirs, row, cancellationToken).ConfigureAwait(false)
                : await WithLivingAsync(table, living.First(t => (t.Schema, t.Name) == name), row, cancellationToken).ConfigureAwait(false);
            await report(result).ConfigureAwait(false);
        }
    }

    private async Task<TableComparison> WithBackupAsync(TableContents table, Contents theirs, Func<RowDifference, Task> row, CancellationToken cancellationToken)
    {
        var second = theirs.Tables.First(t => t.Schema == table.Schema && t.Name == table.Name);
        if (table.Digest == second.Digest && table.Rows == second.Rows && table.Format == second.Format && table.Columns.SequenceEqual(second.Columns) && table.Types.SequenceEqual(second.Types) && contents.Database.Encoding == theirs.Database.Encoding)
        {
            return Result((table.Schema, table.Name), ComparisonStatus.Equal, table.Rows, "");
        }

        var columns = table.Columns.Where(second.Columns.Contains).ToList();
        var key = table.Key.SequenceEqual(second.Key) && table.Key.All(columns.Contains) ? table.Key : [];
        var a = await LoadAsync(archive, contents, table, columns, key, _ => null, cancellationToken).ConfigureAwait(false);
        var b = await LoadAsync(other!, theirs, second, columns, key, _ => null, cancellationToken).ConfigureAwait(false);
        var result = await DiffAsync(table, columns, second.Columns, key, a, b, row, cancellationToken).ConfigureAwait(false);
        await session.ExecuteAsync($"DROP TABLE {a}, {b}", cancellationToken).ConfigureAwait(false);
        return result;
    }

    private async Task<TableComparison> WithLivingAsync(TableContents table, SourceTable living, Func<RowDifference, Task> row, CancellationToken cancellationToken)
    {
        var types = living.Columns.Zip(living.Types).ToDictionary(c => c.First, c => c.Second);
        var columns = table.Columns.Where(types.ContainsKey).ToList();
        if (columns.Count == table.Columns.Count && living.Columns.Count == columns.Count && table.Types.Count > 0
            && table.Columns.Select((c, i) => types[c] == table.Types[i]).All(same => same) && session.Encoding == contents.Database.Encoding)
        {
            RowDigest digest = default;
            var range = new TableRange(living with { Columns = table.Columns }, 0, null, living.Bytes);
            await session.InEncodingAsync(session.Encoding, async () =>
            {
                var copy = await CopyOut.OpenAsync(session.Connection, CopySql.Out(range, table.Format, session.Encoding), table.Format, cancellationToken).ConfigureAwait(false);
                await using (copy.ConfigureAwait(false))
                {
                    (digest, _) = await RowCounter.CountAsync(copy, table.Format, long.MaxValue, null, cancellationToken).ConfigureAwait(false);
                }
            }, cancellationToken).ConfigureAwait(false);
            if (digest.Rows == table.Rows && digest.ToHex() == table.Digest)
            {
                return Result((table.Schema, table.Name), ComparisonStatus.Equal, table.Rows, "");
            }
        }

        var key = living.Key.Count > 0 && living.Key.All(columns.Contains) ? living.Key : [];
        var a = await LoadAsync(archive, contents, table, columns, key, c => types.GetValueOrDefault(c), cancellationToken).ConfigureAwait(false);
        var b = session.NewName("living");
        await session.ExecuteAsync($"CREATE TEMPORARY TABLE {b} AS SELECT {Values("t", columns, key)} FROM ONLY {living.QuotedName} t", cancellationToken).ConfigureAwait(false);
        var result = await DiffAsync(table, columns, living.Columns, key, a, b, row, cancellationToken).ConfigureAwait(false);
        await session.ExecuteAsync($"DROP TABLE {a}, {b}", cancellationToken).ConfigureAwait(false);
        return result;
    }

    private async Task<string> LoadAsync(ArchiveReader from, Contents of, TableContents table, List<string> columns, IReadOnlyList<string> key, Func<string, string?> wanted, CancellationToken cancellationToken)
    {
        var rows = session.NewName("compared");
        await session.ExecuteAsync($"CREATE TEMPORARY TABLE {rows} (k text[], h text)", cancellationToken).ConfigureAwait(false);
        var alias = SqlName.Quote(table.Name);
        var shape = await RowShape.OfAsync(session, table, wanted, cancellationToken).ConfigureAwait(false);
        await new RowLoader(session, from, of, observer).LoadAsync(shape, alias, [new RowCondition(_ => "true")], [], $"INSERT INTO {rows} SELECT {Values(alias, columns, key)}", _ => false, cancellationToken).ConfigureAwait(false);
        return rows;
    }

    /// <summary>Key and digest of a row; without a key all of it.</summary>
    private static string Values(string alias, List<string> columns, IReadOnlyList<string> key)
    {
        var row = $"ROW({string.Join(", ", columns.Select(c => $"{alias}.{SqlName.Quote(c)}"))})::text";
        return key.Count > 0
            ? $"ARRAY[{string.Join(", ", key.Select(c => $"{alias}.{SqlName.Quote(c)}::text"))}]::text[] AS k, pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({row}, pg_catalog.getdatabaseencoding()::pg_catalog.name)), 'hex') AS h"
            : $"ARRAY[{row}]::text[] AS k, ''::text AS h";
    }

    private async Task<TableComparison> DiffAsync(TableContents table, List<string> columns, IReadOnlyList<string> theirs, IReadOnlyList<string> key, string a, string b, Func<RowDifference, Task> row, CancellationToken cancellationToken)
    {
        var diff = session.NewName("diff");
        var sql = key.Count > 0
            ? $"SELECT CASE WHEN b.k IS NULL THEN 'm' WHEN a.k IS NULL THEN 'e' ELSE 'c' END AS what, coalesce(a.k, b.k) AS k, 1::int8 AS n FROM {a} a FULL JOIN {b} b ON a.k = b.k WHERE a.h IS DISTINCT FROM b.h"
            : $"SELECT CASE WHEN coalesce(a.n, 0) > coalesce(b.n, 0) THEN 'm' ELSE 'e' END AS what, coalesce(a.k, b.k) AS k, abs(coalesce(a.n, 0) - coalesce(b.n, 0)) AS n FROM (SELECT k, count(*) AS n FROM {a} GROUP BY 1) a FULL JOIN (SELECT k, count(*) AS n FROM {b} GROUP BY 1) b ON a.k = b.k WHERE a.n IS DISTINCT FROM b.n";
        await session.ExecuteAsync($"CREATE TEMPORARY TABLE {diff} AS {sql}", cancellationToken).ConfigureAwait(false);
        var counts = new Dictionary<char, long>();
        await DatabaseCatalog.ReadAsync(session.Connection, $"SELECT what, sum(n)::int8 FROM {diff} GROUP BY 1", r => counts.Add(r.GetString(0)[0], r.GetInt64(1)), cancellationToken).ConfigureAwait(false);
        var shown = $"{Shown(table.Schema)}.{Shown(table.Name)}";
        if (options.Detail)
        {
            var command = new Npgsql.NpgsqlCommand($"SELECT what, k, n FROM {diff} ORDER BY what, k", session.Connection);
            await using (command.ConfigureAwait(false))
            {
                var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
                await using (reader.ConfigureAwait(false))
                {
                    while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    {
                        var values = reader.GetFieldValue<string?[]>(1);
                        var kind = reader.GetString(0)[0] switch { 'm' => RowDifferenceKind.Missing, 'e' => RowDifferenceKind.Extra, _ => RowDifferenceKind.Changed };
                        await row(new RowDifference(shown, kind, key.Count > 0 ? key.Select((c, i) => (Shown(c), values[i])).ToDictionary(c => c.Item1, c => c.Item2) : new Dictionary<string, string?> { [""] = values[0] }, reader.GetInt64(2))).ConfigureAwait(false);
                    }
                }
            }
        }

        await session.ExecuteAsync($"DROP TABLE {diff}", cancellationToken).ConfigureAwait(false);
        var (gone, added) = (table.Columns.Except(columns).ToList(), theirs.Except(columns).ToList());
        return new TableComparison
        {
            Table = shown,
            Status = counts.Count == 0 && gone.Count + added.Count == 0 ? ComparisonStatus.Equal : ComparisonStatus.Different,
            Rows = table.Rows,
            Missing = counts.GetValueOrDefault('m'),
            Extra = counts.GetValueOrDefault('e'),
            Changed = counts.GetValueOrDefault('c'),
            Key = key.Select(Shown).ToList(),
            Note = (gone.Count > 0 ? $"Columns that only the backup has: {string.Join(", ", gone.Select(Shown))}. " : "") + (added.Count > 0 ? $"Columns that only the other has: {string.Join(", ", added.Select(Shown))}." : ""),
            Backup = NameOf(archive),
            With = with,
        };
    }

    private TableComparison Result((string Schema, string Name) table, ComparisonStatus status, long? rows, string note)
        => new() { Table = $"{Shown(table.Schema)}.{Shown(table.Name)}", Status = status, Rows = rows, Note = note, Backup = NameOf(archive), With = with };

    private string Shown(string name) => ByteText.Shown(name, contents.Database.Encoding);
}
