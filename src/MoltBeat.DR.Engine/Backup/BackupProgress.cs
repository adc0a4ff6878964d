using System.Diagnostics;
using System.Globalization;

namespace MoltBeat.DR.Engine.Backup;

/// <summary>Counts rows and bytes of all readers and tells the observer, with an estimate of the time left.</summary>
internal sealed class BackupProgress(string activity, long expectedBytes, IOperationObserver observer)
{
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private long rows;
    private long rawBytes;
    private long doneBytes;
    private long dumpBytes;

    /// <summary>Rows and raw bytes that have come.</summary>
    public void Add(long moreRows, long moreRaw)
    {
        var r = Interlocked.Add(ref rows, moreRows);
        var b = Interlocked.Add(ref rawBytes, moreRaw);
        Report(r, b);
    }

    /// <summary>Bytes that pg_dump has given: the schema, and large objects, which may be most of a database.</summary>
    public void Dumped(int more)
    {
        Interlocked.Add(ref dumpBytes, more);
        Report(Interlocked.Read(ref rows), Interlocked.Read(ref rawBytes));
    }

    /// <summary>A range is done; its size on the server is what the estimate goes by.</summary>
    public void RangeDone(long bytes) => Interlocked.Add(ref doneBytes, bytes);

    /// <summary>
    /// What is done of a range that runs is not known: its rows take about as many bytes as on the server, fewer without
    /// dead rows, more where TOAST had compressed them. So they count up to just below the end.
    /// </summary>
    private double? Fraction(long raw)
        => expectedBytes <= 0 ? null : Math.Min(1.0, Math.Max((double)Interlocked.Read(ref doneBytes) / expectedBytes, Math.Min(0.99, (double)raw / expectedBytes)));

    private void Report(long r, long b)
    {
        var fraction = Fraction(b);
        TimeSpan? remaining = fraction is > 0.02 ? clock.Elapsed * ((1 - fraction.Value) / fraction.Value) : null;
        observer.Progress(new OperationProgress(activity,
            string.Create(CultureInfo.InvariantCulture, $"{r:N0} rows, {b / 1e6:N0} MB, {b / 1e6 / Math.Max(clock.Elapsed.TotalSeconds, 0.001):N0} MB/s; schema and large objects {Interlocked.Read(ref dumpBytes) / 1e6:N1} MB"), fraction, remaining));
    }
}
