using System.Diagnostics;
using System.Management.Automation;
using MoltBeat.DR.Engine;

namespace MoltBeat.DR;

/// <summary>
/// Lets through at most five progress records a second: each costs the pipeline thread more than the part it tells of.
/// The engine's threads only leave the newest word here; the pipeline thread takes it when its time has come.
/// </summary>
internal sealed class ProgressGate
{
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    private const int ActivityId = 1;
    private OperationProgress? _newest;
    private OperationProgress? _shown;
    private long _shownAt;

    /// <summary>Any thread: what the operation does now.</summary>
    public void Set(OperationProgress progress) => Volatile.Write(ref _newest, progress);

    /// <summary>Pipeline thread: the record to write, or null when there is nothing new or it is too early.</summary>
    public ProgressRecord? Next()
    {
        var newest = Volatile.Read(ref _newest);
        if (newest is null || ReferenceEquals(newest, _shown) || (_shown is not null && Stopwatch.GetElapsedTime(_shownAt) < Interval))
        {
            return null;
        }

        _shown = newest;
        _shownAt = Stopwatch.GetTimestamp();
        return new ProgressRecord(ActivityId, NotEmpty(newest.Activity), NotEmpty(newest.Status))
        {
            PercentComplete = newest.Fraction is { } fraction ? (int)(Math.Clamp(fraction, 0, 1) * 100) : -1,
            SecondsRemaining = newest.Remaining is { } remaining ? (int)Math.Clamp(remaining.TotalSeconds, 0, int.MaxValue) : -1,
        };
    }

    /// <summary>Pipeline thread: the one record that takes the bar away; null when none was shown.</summary>
    public ProgressRecord? Last() => _shown is null
        ? null
        : new ProgressRecord(ActivityId, NotEmpty(_shown.Activity), "Done") { RecordType = ProgressRecordType.Completed };

    // ProgressRecord throws at an empty text, and a progress message must never be what fails a backup.
    private static string NotEmpty(string text) => string.IsNullOrEmpty(text) ? " " : text;
}
