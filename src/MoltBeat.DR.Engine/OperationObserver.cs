namespace MoltBeat.DR.Engine;

/// <summary>
/// Where an operation says what it is doing. The engine prints nothing itself. Called from any thread, often: an
/// implementation must be quick, thread-safe and must not throw.
/// </summary>
public interface IOperationObserver
{
    void Verbose(string message);

    void Warning(string message);

    /// <summary>Called for every part moved; the receiver limits the rate at which it shows them.</summary>
    void Progress(OperationProgress progress);
}

/// <summary>A moment of a running operation.</summary>
/// <param name="Activity">What runs, for example <c>Backing up moltbeat</c>.</param>
/// <param name="Status">The present step in words, rows and bytes included.</param>
/// <param name="Fraction">Done so far, 0 to 1; null while the total is unknown.</param>
/// <param name="Remaining">Estimate of the time left; null while it cannot be told.</param>
public sealed record OperationProgress(string Activity, string Status, double? Fraction, TimeSpan? Remaining);
