using System.Management.Automation;

namespace MoltBeat.DR.Tests;

/// <summary>All that a script gave.</summary>
/// <param name="Output">The objects it wrote.</param>
/// <param name="Errors">The errors that did not end it.</param>
/// <param name="Warnings">Its warnings.</param>
/// <param name="Verbose">Its verbose messages.</param>
/// <param name="Progress">Its progress records.</param>
/// <param name="Terminating">What ended it early; null when nothing did.</param>
public sealed record HostedResult(
    IReadOnlyList<PSObject> Output,
    IReadOnlyList<ErrorRecord> Errors,
    IReadOnlyList<string> Warnings,
    IReadOnlyList<string> Verbose,
    IReadOnlyList<ProgressRecord> Progress,
    RuntimeException? Terminating)
{
    /// <summary>The objects without PowerShell's wrapping.</summary>
    public IReadOnlyList<object> Values => [.. Output.Select(o => o.BaseObject)];

    /// <summary>The only error, terminating or not; throws when there are none or several.</summary>
    public ErrorRecord Error => Errors.Concat(Terminating is null ? [] : [Terminating.ErrorRecord]).Single();

    public HostedResult ThrowIfFailed() => (Terminating, Errors) switch
    {
        ({ } exception, _) => throw new InvalidOperationException(exception.Message, exception),
        (_, [var first, ..]) => throw new InvalidOperationException(first.ToString(), first.Exception),
        _ => this,
    };
}
