namespace MoltBeat.DR.Bench;

/// <summary>The runs of one way, as far as it went: after a failure it is not run again.</summary>
internal sealed class WayResult(Way way)
{
    private readonly List<Measurement> _runs = [];

    public Way Way => way;

    public IReadOnlyList<Measurement> Runs => _runs;

    /// <summary>Why it failed; null when it did not.</summary>
    public string? Failure { get; set; }

    /// <summary>Size of what the last backup wrote, or of what a restore read.</summary>
    public long Bytes { get; set; }

    /// <summary>Null for a way that failed, however often it went well before.</summary>
    public double? Seconds => MedianOf(run => run.Seconds);

    public double? CpuSeconds => MedianOf(run => run.CpuSeconds);

    public double? ServerCpuSeconds => _runs.Exists(run => run.ServerCpuSeconds is null) ? null : MedianOf(run => run.ServerCpuSeconds!.Value);

    public double? StoreCpuSeconds => _runs.Exists(run => run.StoreCpuSeconds is null) ? null : MedianOf(run => run.StoreCpuSeconds!.Value);

    public long PeakBytes => _runs.Count == 0 ? 0 : _runs.Max(run => run.PeakBytes);

    public long PeakTreeBytes => _runs.Count == 0 ? 0 : _runs.Max(run => run.PeakTreeBytes);

    public void Add(Measurement run) => _runs.Add(run);

    private double? MedianOf(Func<Measurement, double> value)
    {
        if (Failure is not null || _runs.Count == 0)
        {
            return null;
        }

        var sorted = _runs.Select(value).Order().ToList();
        var middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
