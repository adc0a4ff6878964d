namespace MoltBeat.DR.Engine.Operations.Jobs;

/// <summary>Passes on what an operation tells, and cancels it when it has told of no progress for too long.</summary>
internal sealed class StallWatch : IOperationObserver, IDisposable
{
    private readonly IOperationObserver inner;
    private readonly TimeProvider time;
    private readonly TimeSpan? limit;
    private readonly CancellationTokenSource source;
    private readonly ITimer? timer;
    private long moved;
    private string status = "it had not begun";

    /// <param name="inner">Is told all.</param>
    /// <param name="limit">Of silence; null for none.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Cancels, too.</param>
    public StallWatch(IOperationObserver inner, TimeSpan? limit, TimeProvider time, CancellationToken cancellationToken)
    {
        (this.inner, this.limit, this.time) = (inner, limit, time);
        source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        moved = time.GetTimestamp();
        if (limit is { } silence)
        {
            var often = silence / 10;
            timer = time.CreateTimer(_ => Look(), null, often, often);
        }
    }

    public CancellationToken Token => source.Token;

    /// <summary>It was this that cancelled.</summary>
    public bool HasStalled { get; private set; }

    /// <summary>The last that was heard.</summary>
    public string LastStatus => Volatile.Read(ref status);

    public void Verbose(string message) => inner.Verbose(message);

    public void Warning(string message) => inner.Warning(message);

    public void Progress(OperationProgress progress)
    {
        // The same again is no progress.
        if (Interlocked.Exchange(ref status, progress.Status) != progress.Status)
        {
            Volatile.Write(ref moved, time.GetTimestamp());
        }

        inner.Progress(progress);
    }

    public void Dispose()
    {
        timer?.Dispose();
        source.Dispose();
    }

    private void Look()
    {
        if (!HasStalled && time.GetElapsedTime(Volatile.Read(ref moved)) >= limit)
        {
            HasStalled = true;
            try
            {
                source.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It ended at this moment.
            }
        }
    }
}
