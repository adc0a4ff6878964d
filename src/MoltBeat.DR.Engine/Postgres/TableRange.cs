namespace MoltBeat.DR.Engine.Postgres;

/// <summary>A stretch of one table's heap, by ctid: what one COPY reads.</summary>
/// <param name="Table">The table.</param>
/// <param name="FirstBlock">First block of it.</param>
/// <param name="EndBlock">Block behind its last; null reads to the table's end, wherever that is by now.</param>
/// <param name="Bytes">Estimate of what it holds, heap and TOAST.</param>
public sealed record TableRange(SourceTable Table, long FirstBlock, long? EndBlock, long Bytes)
{
    internal const long SmallestRange = 32L << 20;
    private const long LargestRange = 128L << 20;

    /// <summary>
    /// A table is split when it is more than this share of all bytes, times the number of jobs. Below that whole tables keep
    /// all readers busy, and are cheaper: a scan of a ctid range has no ring of buffers, so it costs the server twice the CPU
    /// of a sequential one (posts of the bench: 3.7 s against 1.8 s) and turns other pages out of its cache.
    /// </summary>
    private const double SplitShare = 1.6;

    /// <summary>Rows split by ctid range need a scan that visits only that range: PostgreSQL 14 and newer have it.</summary>
    private const int TidRangeScan = 140000;

    /// <summary>Whether one table is so much of the whole that several workers should share it.</summary>
    internal static bool Dominates(long bytes, long all, int jobs) => bytes * jobs > all * SplitShare;

    /// <summary>Splits tables into ranges that keep all readers busy to the end, the largest tables first.</summary>
    public static List<TableRange> Plan(IReadOnlyCollection<SourceTable> tables, int jobs, int serverVersion, long smallest = SmallestRange)
    {
        var ranges = new List<TableRange>();
        var all = tables.Sum(t => t.Bytes);
        var target = Math.Clamp(all / (jobs * 8), smallest, LargestRange);
        foreach (var table in tables.OrderByDescending(t => t.Bytes))
        {
            var count = serverVersion >= TidRangeScan && Dominates(table.Bytes, all, jobs) ? Math.Clamp(table.Bytes / target, 1, Math.Max(table.Blocks, 1)) : 1;
            for (var i = 0L; i < count; i++)
            {
                ranges.Add(new TableRange(table, table.Blocks * i / count, i == count - 1 ? null : table.Blocks * (i + 1) / count, table.Bytes / count));
            }
        }

        return ranges;
    }
}
