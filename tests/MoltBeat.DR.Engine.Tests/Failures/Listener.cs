using System.Collections.Concurrent;

namespace MoltBeat.DR.Engine.Tests.Failures;

/// <summary>Keeps what an operation says, and may act on its progress.</summary>
internal class Listener(Action<int>? onProgress = null) : IOperationObserver
{
    private int _calls;

    public ConcurrentQueue<string> Lines { get; } = new();

    public ConcurrentQueue<string> Warnings { get; } = new();

    public void Verbose(string message)
    {
        Lines.Enqueue(message);
        onProgress?.Invoke(Interlocked.Increment(ref _calls));
    }

    public void Warning(string message)
    {
        Lines.Enqueue(message);
        Warnings.Enqueue(message);
    }

    public void Progress(OperationProgress progress)
    {
        Lines.Enqueue(progress.ToString());
        onProgress?.Invoke(Interlocked.Increment(ref _calls));
    }
}
