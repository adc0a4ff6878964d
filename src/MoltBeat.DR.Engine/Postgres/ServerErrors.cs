using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Turns what the driver throws in the middle of the work into errors that an operator can act on.</summary>
public static class ServerErrors
{
    /// <param name="e">What was thrown.</param>
    /// <param name="doing">What was being done, to put before the cause: <c>Reading "public"."agents"</c>.</param>
    /// <param name="target">The table or database.</param>
    /// <returns>The error to throw, or null when the exception is none of the driver's.</returns>
    public static MoltException? Translate(Exception e, string doing, object target)
    {
        MoltException New(string id, ErrorKind kind, string cause, string remedy)
            => new(id, kind, $"{doing} failed: {cause.TrimEnd('.')}.", remedy, target, e);

        return e switch
        {
            PostgresException { SqlState: PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.QueryCanceled } p when p.MessageText.Contains("conflict with recovery", StringComparison.Ordinal)
                => New("StandbyConflict", ErrorKind.Busy, p.MessageText, "On the standby, set hot_standby_feedback = on or raise max_standby_streaming_delay; or back up from the primary."),
            PostgresException { SqlState: PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow } p
                => New("ConnectionLost", ErrorKind.ConnectionFailed, p.MessageText, "Nothing unfinished was kept. Try again when the server is up."),
            PostgresException { SqlState: PostgresErrorCodes.DiskFull } p
                => New("ServerDiskFull", ErrorKind.ResourceFull, p.MessageText, "Free space on the database server."),
            PostgresException { SqlState: PostgresErrorCodes.OutOfMemory } p when p.Hint?.Contains("max_locks_per_transaction", StringComparison.Ordinal) == true || p.MessageText.Contains("shared memory", StringComparison.Ordinal)
                => New("TooManyLocks", ErrorKind.ResourceFull, p.MessageText, "Raise max_locks_per_transaction on the server: every table needs a lock while it is backed up."),
            PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } p
                => New("PermissionDenied", ErrorKind.PermissionDenied, p.MessageText, "Grant the role what it lacks, or use another role."),
            PostgresException p => New("ServerError", ErrorKind.Failed, $"{p.MessageText} (SQLSTATE {p.SqlState})", p.Hint ?? "The server's log may say more."),
            NpgsqlException or IOException or System.Net.Sockets.SocketException
                => New("ConnectionLost", ErrorKind.ConnectionFailed, (e.InnerException ?? e).Message, "Nothing unfinished was kept. Check the network and the server's log, and try again."),
            _ => null,
        };
    }
}
