using System.Runtime.ExceptionServices;

namespace MoltBeat.DR.Engine;

/// <summary>Jobs that live and die together.</summary>
public static class RunTogether
{
    /// <summary>Waits for all of them. The first failure stops the others, and is the one that is thrown once they have ended.</summary>
    /// <param name="cancellationToken">Stops all of them.</param>
    /// <param name="start">Starts them with the token that stops them.</param>
    public static async Task RunAsync(CancellationToken cancellationToken, Func<CancellationToken, IEnumerable<Task>> start)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = start(stop.Token).ToList();
        Exception? first = null;
        while (running.Count > 0)
        {
            var done = await Task.WhenAny(running).ConfigureAwait(false);
            running.Remove(done);
            try
            {
                await done.ConfigureAwait(false);
            }
            catch (Exception e)
            {
                first ??= e;
                await stop.CancelAsync().ConfigureAwait(false);
            }
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }
}
