using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using Npgsql;
using ZstdSharp;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>
/// Brings wanted rows out of an archive into a temporary table. A table comes part by part, and what is not wanted is gone before the
/// next part comes: the server never holds more of it than one part and what is wanted.
/// </summary>
internal sealed class RowLoader(RowSession session, ArchiveReader archive, Contents contents, IOperationObserver observer)
{
    /// <summary>Bytes taken in before they are looked through.</summary>
    private const long FlushBytes = 64 << 20;

    /// <summary>With more values than these the server looks through all rows.</summary>
    private const int MostValues = 200_000;

    /// <summary>Types in whose COPY form equal values have equal bytes.</summary>
    private static readonly HashSet<string> SameBytes = ["smallint", "integer", "bigint", "uuid", "boolean", "text", "character varying", "date", "timestamp without time zone", "timestamp with time zone"];

    private static readonly string[] Integers = ["smallint", "integer", "bigint"];

    public Contents Contents => contents;

    /// <summary>Appends rows to a temporary table.</summary>
    /// <param name="shape">The rows, and how they come.</param>
    /// <param name="alias">The name under which conditions know a row.</param>
    /// <param name="conditions">A row that meets any of them is wanted.</param>
    /// <param name="unless">Conditions of rows that are not, because they came already.</param>
    /// <param name="insert">INSERT INTO … SELECT …, without FROM.</param>
    /// <param name="deterministic">Whether a column's equal values have equal bytes.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task LoadAsync(RowShape shape, string alias, IReadOnlyList<RowCondition> conditions, IReadOnlyList<RowCondition> unless, string insert, Func<string, bool> deterministic, CancellationToken cancellationToken)
    {
        var source = shape.Source;
        if (source.Rows == 0)
        {
            return;
        }

        var stage = session.NewName("stage");
        var where = string.Join(" OR ", conditions.Select(c => $"({c.Sql(alias)}\n)")) is var any && unless.Count == 0 ? any : $"({any}) AND NOT coalesce({string.Join(" OR ", unless.Select(c => $"({c.Sql(alias)}\n)"))}, false)";
        var filter = $"{insert} FROM ({shape.Select(stage)}) AS {alias} WHERE {where}";
        await session.ExecuteAsync($"CREATE TEMPORARY TABLE {stage} ({shape.StageDefinition})", cancellationToken).ConfigureAwait(false);
        var wanted = await WantedAsync(shape, conditions, deterministic, cancellationToken).ConfigureAwait(false);
        observer.Verbose(string.Create(CultureInfo.InvariantCulture, $"Looking through {source.Rows:N0} rows of {source.Schema}.{source.Name} ({source.RawBytes / 1e6:N1} MB){(wanted is null ? "" : " here")} …"));
        long waiting = 0;
        foreach (var (part, i) in source.Parts.Select((p, i) => (p, i)))
        {
            observer.Progress(new OperationProgress($"Reading {archive.Location}", string.Create(CultureInfo.InvariantCulture, $"{source.Schema}.{source.Name}, part {i + 1} of {source.Parts.Count}"), (double)i / source.Parts.Count, null));
            waiting += await CopyAsync(shape, part, stage, wanted, cancellationToken).ConfigureAwait(false);
            if (waiting >= FlushBytes || i == source.Parts.Count - 1)
            {
                try
                {
                    await session.AsOperatorAsync(filter, cancellationToken).ConfigureAwait(false);
                }
                catch (PostgresException e)
                {
                    var failing = await shape.FailingAsync(session, stage, cancellationToken).ConfigureAwait(false);
                    throw failing.Count > 0
                        ? new MoltException("ColumnNotCastable", ErrorKind.InvalidData, $"Rows of {source.Schema}.{source.Name} do not fit what the table has become: {string.Join("; ", failing)}.",
                            "Restore the table beside, with Restore-MoltBackup -Table -TargetDatabase, and convert the values there.", source.QuotedName, e)
                        : new MoltException("ConditionInvalid", ErrorKind.InvalidArgument, $"The server does not take the condition on {source.Schema}.{source.Name}: {e.MessageText} (SQLSTATE {e.SqlState}).",
                            "Give -Where as it would stand behind WHERE in a query on this table alone. Columns that are generated are not in a backup.", source.QuotedName, e);
                }

                await session.ExecuteAsync($"TRUNCATE {stage}", cancellationToken).ConfigureAwait(false);
                waiting = 0;
            }
        }

        await session.ExecuteAsync($"DROP TABLE {stage}", cancellationToken).ConfigureAwait(false);
    }

    private async Task<long> CopyAsync(RowShape shape, PartContents part, string stage, IReadOnlyList<WantedValues>? wanted, CancellationToken cancellationToken)
    {
        long sent = 0;
        try
        {
            var plain = archive.OpenCompressed(archive.Member(part.Member));
            var rows = wanted is null ? plain : new RowSieve(plain, shape.Source.Format, wanted);
            await using (rows.ConfigureAwait(false))
            {
                await session.InEncodingAsync(contents.Database.Encoding, () => CopyIn.SendAsync(session.Connection, shape.CopyInto(stage), shape.Source.Format, rows, n =>
                {
                    if ((sent += n) > part.RawBytes)
                    {
                        throw ArchiveReader.Damaged(archive.Location, $"{part.Member} holds more than the {part.RawBytes} bytes that the contents give");
                    }
                }, cancellationToken), cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is ZstdException or EndOfStreamException)
        {
            throw ArchiveReader.Damaged(archive.Location, $"{part.Member} does not decompress", e);
        }

        if (wanted is null && sent != part.RawBytes)
        {
            throw ArchiveReader.Damaged(archive.Location, $"{part.Member} holds fewer than the {part.RawBytes} bytes that the contents give");
        }

        return sent;
    }

    /// <summary>What to look for here; null when the server has to look.</summary>
    private async Task<IReadOnlyList<WantedValues>?> WantedAsync(RowShape shape, IReadOnlyList<RowCondition> conditions, Func<string, bool> deterministic, CancellationToken cancellationToken)
    {
        var all = new List<WantedValues>();
        foreach (var condition in conditions)
        {
            var pair = condition.Pairs?.FirstOrDefault(p => shape[p.Column] is var (_, stage, wanted)
                && SameBytes.Contains(wanted) && (stage == wanted || shape.Source.Format == RowFormat.Text && TypeOf(shape, p.Column) == wanted) && deterministic(p.Column)
                && (p.KeyType == wanted || Integers.Contains(p.KeyType) && Array.IndexOf(Integers, wanted) > Array.IndexOf(Integers, p.KeyType)));
            if (pair is null)
            {
                return null;
            }

            var (place, _, type) = shape[pair.Column];
            var values = RowSieve.NewSet();
            var format = shape.Source.Format;
            await session.InEncodingAsync(contents.Database.Encoding, async () =>
            {
                var copy = await CopyOut.OpenAsync(session.Connection, $"COPY (SELECT DISTINCT {pair.KeyColumn}::{type} FROM {condition.Keys} LIMIT {MostValues + 1}) TO STDOUT (FORMAT {(format == RowFormat.Binary ? "binary" : "text")})", format, cancellationToken).ConfigureAwait(false);
                await using (copy.ConfigureAwait(false))
                {
                    using var bytes = new MemoryStream();
                    await copy.CopyToAsync(bytes, cancellationToken).ConfigureAwait(false);
                    SingleValues.Read(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), format, values);
                }
            }, cancellationToken).ConfigureAwait(false);
            if (values.Count > MostValues)
            {
                return null;
            }

            all.Add(new WantedValues(place, values));
        }

        return all;
    }

    private static string? TypeOf(RowShape shape, string column)
        => shape.Source.Types.Count > 0 ? shape.Source.Types[shape[column].Place] : null;
}
