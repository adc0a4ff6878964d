namespace MoltBeat.DR.Engine;

/// <summary>What kind of thing went wrong; the cmdlets turn it into PowerShell's own error category.</summary>
public enum ErrorKind
{
    InvalidArgument,
    InvalidData,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    AuthenticationFailed,
    ConnectionFailed,
    Busy,
    Timeout,
    ResourceFull,
    NotInstalled,
    NotSupported,
    Failed,
}

/// <summary>
/// A failure that a person has to act on. It carries a stable id (never reworded: scripts match on it), what happened,
/// what to do about it, and what it was about. Never holds a password or any other secret.
/// </summary>
public sealed class MoltException : Exception
{
    /// <param name="id">Stable error id in PascalCase, for example <c>TargetNotEmpty</c>.</param>
    /// <param name="kind">The kind of failure.</param>
    /// <param name="message">What happened, in one or two sentences, naming the thing it happened to.</param>
    /// <param name="remedy">What the operator can do; shown as the recommended action.</param>
    /// <param name="target">The file, database, table or parameter it is about.</param>
    /// <param name="inner">The cause, when another exception is.</param>
    public MoltException(string id, ErrorKind kind, string message, string? remedy = null, object? target = null, Exception? inner = null)
        : base(message, inner)
    {
        Id = id;
        Kind = kind;
        Remedy = remedy;
        TargetObject = target;
    }

    public string Id { get; }

    public ErrorKind Kind { get; }

    public string? Remedy { get; }

    public object? TargetObject { get; }

    /// <summary>The same failure, with a sentence more about what it left.</summary>
    public MoltException And(string sentence) => new(Id, Kind, $"{Message} {sentence}", Remedy, TargetObject, this);
}
