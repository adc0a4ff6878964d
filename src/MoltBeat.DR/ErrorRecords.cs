using System.Management.Automation;
using MoltBeat.DR.Engine;

namespace MoltBeat.DR;

/// <summary>Turns what the engine threw into what PowerShell shows: the one place where that is decided.</summary>
internal static class ErrorRecords
{
    /// <summary>The id of a failure that the engine did not foresee.</summary>
    public const string UnexpectedId = "Unexpected";

    /// <param name="exception">What was thrown.</param>
    /// <param name="target">What the cmdlet worked on; used when the exception itself names nothing.</param>
    public static ErrorRecord From(Exception exception, object? target = null) => exception switch
    {
        MoltException known => WithAdvice(
            new ErrorRecord(known, known.Id, CategoryOf(known.Kind), known.TargetObject ?? target), known.Remedy),
        _ => new ErrorRecord(exception, UnexpectedId, CategoryOf(exception), target),
    };

    private static ErrorRecord WithAdvice(ErrorRecord record, string? remedy)
    {
        if (remedy is not null)
        {
            record.ErrorDetails = new ErrorDetails(record.Exception.Message) { RecommendedAction = remedy };
        }

        return record;
    }

    private static ErrorCategory CategoryOf(ErrorKind kind) => kind switch
    {
        ErrorKind.InvalidArgument => ErrorCategory.InvalidArgument,
        ErrorKind.InvalidData => ErrorCategory.InvalidData,
        ErrorKind.NotFound => ErrorCategory.ObjectNotFound,
        ErrorKind.AlreadyExists => ErrorCategory.ResourceExists,
        ErrorKind.PermissionDenied => ErrorCategory.PermissionDenied,
        ErrorKind.AuthenticationFailed => ErrorCategory.AuthenticationError,
        ErrorKind.ConnectionFailed => ErrorCategory.ConnectionError,
        ErrorKind.Busy => ErrorCategory.ResourceBusy,
        ErrorKind.Timeout => ErrorCategory.OperationTimeout,
        ErrorKind.ResourceFull => ErrorCategory.LimitsExceeded,
        ErrorKind.NotInstalled => ErrorCategory.NotInstalled,
        ErrorKind.NotSupported => ErrorCategory.InvalidOperation,
        _ => ErrorCategory.OperationStopped,
    };

    private static ErrorCategory CategoryOf(Exception exception) => exception switch
    {
        UnauthorizedAccessException => ErrorCategory.PermissionDenied,
        TimeoutException => ErrorCategory.OperationTimeout,
        IOException => ErrorCategory.ResourceUnavailable,
        _ => ErrorCategory.OperationStopped,
    };
}
