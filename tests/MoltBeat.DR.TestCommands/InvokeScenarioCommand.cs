using System.Management.Automation;
using System.Runtime.CompilerServices;
using MoltBeat.DR.Engine;

namespace MoltBeat.DR.TestCommands;

/// <summary>Runs an operation that behaves as its name says.</summary>
[Cmdlet(VerbsLifecycle.Invoke, "Scenario")]
[OutputType(typeof(object))]
public sealed class InvokeScenarioCommand : MoltCommand
{
    [Parameter(Mandatory = true, Position = 0)]
    public string Name { get; set; } = "";

    /// <summary>The kind of failure, or how many items or milliseconds, by scenario.</summary>
    [Parameter(Position = 1, ValueFromPipeline = true)]
    public object? Value { get; set; }

    /// <summary>A file that the operation's clean-up writes.</summary>
    [Parameter]
    public string? Mark { get; set; }

    protected override void ProcessRecord()
    {
        var mark = Mark;
        var value = Value is PSObject wrapped ? wrapped.BaseObject : Value;
        switch (Name)
        {
            case "Messages":
                Write(Run(Messages, out var text), text);
                break;
            case "Progress":
                Write(Run((observer, token) => Progress(observer, (int)value!, token), out var count), count);
                break;
            case "Fail":
                Run<int>((_, _) => throw Failure(value), out _);
                break;
            case "Unexpected":
                Run<int>((_, _) => throw new InvalidOperationException("a bug"), out _, "database");
                break;
            case "ForeignCancel":
                Run<int>((_, _) => throw new OperationCanceledException("not ours"), out _);
                break;
            case "Linger":
                Run((observer, token) => Linger(observer, mark!, token), out _);
                break;
            case "Each":
                RunEach<int>((_, token) => Count((int)value!, mark, token), item => WriteObject(item));
                break;
            default:
                throw new PSArgumentException(Name);
        }
    }

    private static MoltException Failure(object? kind) => new(
        "SomeId",
        Enum.Parse<ErrorKind>((string)kind!),
        "What happened.",
        "What to do.",
        "the target");

    private static async Task<string> Messages(IOperationObserver observer, CancellationToken cancellationToken)
    {
        observer.Verbose("first");
        await Task.Delay(1, cancellationToken).ConfigureAwait(false);
        observer.Warning("second");
        return "done";
    }

    private static async Task<int> Progress(IOperationObserver observer, int milliseconds, CancellationToken cancellationToken)
    {
        var end = DateTime.UtcNow.AddMilliseconds(milliseconds);
        var calls = 0;
        while (DateTime.UtcNow < end)
        {
            for (var i = 0; i < 100; i++)
            {
                observer.Progress(new OperationProgress("Working", $"call {++calls}", 0.5, TimeSpan.FromSeconds(7)));
            }

            await Task.Delay(5, cancellationToken).ConfigureAwait(false);
        }

        return calls;
    }

    private static async Task<int> Linger(IOperationObserver observer, string mark, CancellationToken cancellationToken)
    {
        observer.Warning("started");
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await Task.Delay(300, CancellationToken.None).ConfigureAwait(false);
            await File.WriteAllTextAsync(mark, "cleaned up", CancellationToken.None).ConfigureAwait(false);
        }

        return 0;
    }

    private static async IAsyncEnumerable<int> Count(
        int count, string? mark, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        try
        {
            for (var i = 1; i <= count; i++)
            {
                await Task.Yield();
                cancellationToken.ThrowIfCancellationRequested();
                yield return i;
            }
        }
        finally
        {
            if (mark is not null)
            {
                await File.WriteAllTextAsync(mark, "cleaned up", CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    private void Write(bool succeeded, object? result)
    {
        if (succeeded)
        {
            WriteObject(result);
        }
    }
}
