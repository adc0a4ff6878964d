using System.Management.Automation;
using System.Security;

namespace MoltBeat.DR.Host;

/// <summary>
/// Reads answers. The blocking read runs on a thread of its own: Ctrl+C cannot end it, but the pipeline need not wait for it,
/// so that a script's finally blocks run when a question is broken off.
/// </summary>
internal sealed class KeyboardReader(CancellationToken stop)
{
    public string ReadLine() => Wait(() => Console.In.ReadLine() ?? throw new EndOfStreamException("The terminal was closed."));

    /// <summary>Reads to Enter and echoes nothing.</summary>
    public SecureString ReadSecret() => Wait(() =>
    {
        var secret = new SecureString();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace)
            {
                if (secret.Length > 0)
                {
                    secret.RemoveAt(secret.Length - 1);
                }
            }
            else if (!char.IsControl(key.KeyChar))
            {
                secret.AppendChar(key.KeyChar);
            }
        }

        Console.Error.WriteLine();
        return secret;
    });

    private T Wait<T>(Func<T> read)
    {
        var answer = Task.Factory.StartNew(read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            answer.Wait(stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            throw new PipelineStoppedException();
        }
        catch (AggregateException)
        {
            // Rethrown below as what it is.
        }

        return answer.GetAwaiter().GetResult();
    }
}
