using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using System.Management.Automation.Host;
using MoltBeat.DR.Engine;

namespace MoltBeat.DR;

/// <summary>
/// What all our cmdlets share: running the engine without blocking Ctrl+C, its messages and progress, its failures as error
/// records, and questions that never hang.
/// </summary>
public abstract class MoltCommand : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stop = new();

    public void Dispose()
    {
        _stop.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Only cancels, and not on this thread: what is registered on the token may take time. The pipeline thread waits for
    /// the engine to clean up.
    /// </summary>
    protected sealed override void StopProcessing() => _ = _stop.CancelAsync();

    /// <summary>Runs an engine operation. Its failure becomes an error record.</summary>
    /// <param name="operation">Runs on the thread pool, so it must not touch the cmdlet.</param>
    /// <param name="result">What the operation returned.</param>
    /// <param name="target">What it works on, for failures that name nothing themselves.</param>
    /// <returns>False when it failed; the error has been written.</returns>
    protected bool Run<T>(
        Func<IOperationObserver, CancellationToken, Task<T>> operation, [MaybeNullWhen(false)] out T result, object? target = null)
    {
        var bridge = new PipelineBridge(this, _stop.Token);
        var task = bridge.Run(token => operation(bridge, token));
        if (task.IsCompletedSuccessfully)
        {
            result = task.Result;
            return true;
        }

        WriteFailure(task.Exception?.InnerException ?? new TaskCanceledException(task), target);
        result = default;
        return false;
    }

    /// <summary>Runs an engine operation that yields items one by one, each handled as it comes.</summary>
    /// <param name="operation">Runs on the thread pool, so it must not touch the cmdlet.</param>
    /// <param name="each">Runs on the pipeline thread; the operation waits for it before it yields the next.</param>
    /// <param name="target">What it works on, for failures that name nothing themselves.</param>
    /// <returns>False when it failed; the error has been written.</returns>
    protected bool RunEach<T>(
        Func<IOperationObserver, CancellationToken, IAsyncEnumerable<T>> operation, Action<T> each, object? target = null)
    {
        return Run(Enumerate, out _, target);

        async Task<bool> Enumerate(IOperationObserver observer, CancellationToken token)
        {
            await foreach (var item in operation(observer, token).ConfigureAwait(false))
            {
                await ((PipelineBridge)observer).InvokeAsync(() => each(item), token).ConfigureAwait(false);
            }

            return true;
        }
    }

    /// <summary>
    /// Writes a failure: as an error of this one item, so that the pipeline goes on with the next, or, when the cmdlet's own
    /// parameters are at fault and no item can fare better, as the end of the command.
    /// </summary>
    protected void WriteFailure(Exception exception, object? target = null)
    {
        ArgumentNullException.ThrowIfNull(exception);
        var record = ErrorRecords.From(exception, target);
        if (exception is MoltException { Kind: ErrorKind.InvalidArgument })
        {
            ThrowTerminatingError(record);
        }

        WriteError(record);
    }

    /// <summary>
    /// <see cref="Cmdlet.ShouldProcess(string, string)"/>, with a question that cannot be put as an error that says the way on.
    /// </summary>
    protected bool Confirm(string target, string action) =>
        Ask(() => ShouldProcess(target, action), target, "Pass -Confirm:$false to go on without being asked.");

    /// <summary>The same from within an operation that has made its plan, and does nothing before it is told to.</summary>
    /// <param name="observer">The operation's.</param>
    /// <param name="target">What it would work on.</param>
    /// <param name="action">What it would do.</param>
    /// <param name="declined">On the pipeline thread, when it may not: says more of the plan. May be null.</param>
    /// <param name="cancellationToken">The operation's.</param>
    protected async Task<bool> ConfirmAsync(IOperationObserver observer, string target, string action, Action? declined, CancellationToken cancellationToken)
    {
        var answer = false;
        await ((PipelineBridge)observer).InvokeAsync(() =>
        {
            answer = Confirm(target, action);
            if (!answer)
            {
                declined?.Invoke();
            }
        }, cancellationToken).ConfigureAwait(false);
        return answer;
    }

    /// <summary><see cref="Cmdlet.ShouldContinue(string, string)"/>, unless the user forced it, with the same care.</summary>
    /// <param name="force">The cmdlet's -Force.</param>
    /// <param name="query">The question.</param>
    /// <param name="caption">Its heading.</param>
    protected bool Confirm(bool force, string query, string caption) =>
        force || Ask(() => ShouldContinue(query, caption), caption, "Pass -Force to go on without being asked.");

    private bool Ask(Func<bool> question, string target, string remedy)
    {
        try
        {
            return question();
        }
        catch (Exception e) when (e is HostException or PSInvalidOperationException or NotSupportedException or NotImplementedException)
        {
            ThrowTerminatingError(ErrorRecords.From(new MoltException(
                "CannotAsk", ErrorKind.InvalidArgument, $"This needs a confirmation, and there is nobody to ask: {e.Message}", remedy, target, e)));
            throw;
        }
    }
}
