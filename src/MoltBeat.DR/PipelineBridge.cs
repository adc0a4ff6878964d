using System.Collections.Concurrent;
using System.Management.Automation;
using MoltBeat.DR.Engine;

namespace MoltBeat.DR;

/// <summary>
/// Runs one engine operation on the thread pool while the pipeline thread, the only one that may write to the pipeline,
/// works off what the operation wants written.
/// </summary>
internal sealed class PipelineBridge(Cmdlet cmdlet, CancellationToken stop) : IOperationObserver
{
    /// <summary>How long a stopped operation may take to abort uploads, drop locks and delete partial files.</summary>
    public static readonly TimeSpan CleanUpTime = TimeSpan.FromSeconds(30);

    private readonly BlockingCollection<Action> _queue = [];
    private readonly ProgressGate _progress = new();

    public void Verbose(string message) => Post(() => cmdlet.WriteVerbose(message));

    public void Warning(string message) => Post(() => cmdlet.WriteWarning(message));

    public void Progress(OperationProgress progress) => _progress.Set(progress);

    /// <summary>Any thread: has an action run on the pipeline thread, and ends when it has.</summary>
    public Task InvokeAsync(Action action, CancellationToken cancellationToken)
    {
        // Asynchronous continuations: otherwise the engine would go on, on the pipeline thread, from within SetResult.
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            action();
            done.SetResult();
        });
        return done.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Pipeline thread: starts the operation and works until it has ended, or has had its time to clean up.</summary>
    /// <param name="operation">Gets a token that fires when the pipeline stops or when writing to it fails.</param>
    /// <returns>The operation's task, ended.</returns>
    /// <exception cref="PipelineStoppedException">The pipeline was stopped, whether or not the operation ended in time.</exception>
    public Task<T> Run<T>(Func<CancellationToken, Task<T>> operation)
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var task = Task.Run(() => operation(cancel.Token), CancellationToken.None);
        _ = task.ContinueWith(
            _ => _queue.CompleteAdding(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        try
        {
            Drain();
        }
        catch
        {
            // Writing failed: the pipeline is stopping, or a command behind us wants no more or threw. That exception is
            // the one that counts, but not before the operation has cleaned up.
            cancel.Cancel();
            _ = WaitForEnd(task);
            throw;
        }

        if (stop.IsCancellationRequested)
        {
            _ = WaitForEnd(task);
            throw new PipelineStoppedException();
        }

        return task;
    }

    private void Drain()
    {
        while (!stop.IsCancellationRequested && !_queue.IsCompleted)
        {
            if (_queue.TryTake(out var action, ProgressGate.Interval))
            {
                action();
            }

            if (!stop.IsCancellationRequested && _progress.Next() is { } record)
            {
                cmdlet.WriteProgress(record);
            }
        }

        if (!stop.IsCancellationRequested && _progress.Last() is { } last)
        {
            cmdlet.WriteProgress(last);
        }
    }

    private static bool WaitForEnd(Task task) =>
        Task.WhenAny(task, Task.Delay(CleanUpTime)).GetAwaiter().GetResult() == task;

    private void Post(Action action)
    {
        try
        {
            _queue.Add(action);
        }
        catch (InvalidOperationException)
        {
            // A straggler of an operation that has ended already: nobody is left to show it to.
        }
    }
}
