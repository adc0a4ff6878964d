namespace MoltBeat.TestServers;

/// <summary>
/// What a <see cref="FaultProxy"/> does to some requests: to which ones (<see cref="Method"/>, <see cref="Contains"/>, <see cref="Skip"/>,
/// <see cref="Times"/>), and what. Several effects of one fault go together where they can.
/// </summary>
public sealed class Fault
{
    private int _seen;
    private int _hits;

    /// <summary>Only requests of this method; all when null.</summary>
    public string? Method { get; init; }

    /// <summary>Only requests whose path and query, as sent, contain this; all when null.</summary>
    public string? Contains { get; init; }

    /// <summary>How many such requests are let pass first.</summary>
    public int Skip { get; init; }

    /// <summary>How many are hit then.</summary>
    public int Times { get; init; } = 1;

    /// <summary>Answers in the server's place; the server never sees the request.</summary>
    public FaultAnswer? Answer { get; init; }

    /// <summary>Waits before it passes the request on, or answers.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Resets the connection when so many bytes of the request's body have been passed on.</summary>
    public long? CutRequestAfter { get; init; }

    /// <summary>
    /// Resets the connection when so many bytes of the answer, its head included, have been passed back. With 0 the server has done what
    /// was asked, and the client does not learn of it.
    /// </summary>
    public long? CutResponseAfter { get; init; }

    /// <summary>Passes no more back when so many bytes of the answer, its head included, have been: the connection stays, and nothing comes.</summary>
    public long? StallResponseAfter { get; init; }

    /// <summary>Passes the request's body on, and its answer back, at this rate.</summary>
    public int? BytesPerSecond { get; init; }

    /// <summary>Takes the request, passes nothing on and answers nothing, until the client gives up.</summary>
    public bool BlackHole { get; init; }

    /// <summary>How many requests it has hit.</summary>
    public int Hits => Volatile.Read(ref _hits);

    internal bool Takes(ProxiedRequest request)
    {
        if ((Method is not null && Method != request.Method) || (Contains is not null && !request.Target.Contains(Contains, StringComparison.Ordinal)))
            return false;
        var number = Interlocked.Increment(ref _seen);
        if (number <= Skip || number - Skip > Times)
            return false;
        Interlocked.Increment(ref _hits);
        return true;
    }
}
