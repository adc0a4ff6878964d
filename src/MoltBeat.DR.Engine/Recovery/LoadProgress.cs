using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Recovery;

/// <summary>Counts what is loaded, and estimates the time until the rows are in.</summary>
internal sealed class LoadProgress(string database, IReadOnlyCollection<TableContents> tables, IOperationObserver observer)
{
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly long allBytes = tables.Sum(t => t.RawBytes);
    private readonly long allRows = tables.Sum(t => t.Rows);
    private long bytes;
    private long rows;

    public void Add(PartContents part)
    {
        var b = Interlocked.Add(ref bytes, part.RawBytes);
        var r = Interlocked.Add(ref rows, part.Rows);
        var fraction = allBytes > 0 ? (double)b / allBytes : 1;
        observer.Progress(new OperationProgress($"Restoring {database}",
            string.Create(CultureInfo.InvariantCulture, $"{r:N0} of {allRows:N0} rows, {b / 1e6:N0} of {allBytes / 1e6:N0} MB"), fraction, clock.Elapsed * ((1 - fraction) / Math.Max(fraction, 0.001))));
    }
}
