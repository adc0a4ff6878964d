namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>A step as it is done.</summary>
/// <param name="Name">One word.</param>
/// <param name="Describe">What it is going to do, with this site's names. Changes nothing; may look.</param>
/// <param name="RunAsync">Does it, and says what was done; null when nothing was to be done, for the reason that <paramref name="Describe"/> gives. May be called again after a crash within it: does then what is left.</param>
/// <param name="Asks">Whether somebody is asked before it.</param>
internal sealed record RunbookAction(string Name, Func<CancellationToken, Task<string>> Describe, Func<CancellationToken, Task<string?>> RunAsync, bool Asks = false);
