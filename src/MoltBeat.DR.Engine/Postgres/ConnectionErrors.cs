using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>Turns what Npgsql throws while connecting into errors that say what to do. None holds a password.</summary>
internal static class ConnectionErrors
{
    /// <summary>The server wasn't reached at all, or hung up: another address may do better.</summary>
    public static bool IsUnreachable(Exception e) =>
        e is not PostgresException && (e is SocketException or TimeoutException or IOException || (e is NpgsqlException { InnerException: SocketException or TimeoutException or IOException or null } && !IsTlsNotOffered(e) && !IsRefusedByUs(e) && !IsHandshake(e)));

    /// <summary>The server has no TLS.</summary>
    public static bool IsTlsNotOffered(Exception e) =>
        e is NpgsqlException and not PostgresException && e.Message.Contains("No SSL enabled connection", StringComparison.Ordinal);

    public static bool IsHandshake(Exception e) =>
        e is NpgsqlException and not PostgresException && e.Message.Contains("SSL handshake", StringComparison.Ordinal) && e.InnerException is not TimeoutException;

    /// <summary>The server turned this role, database and kind of connection down (class 28); with or without TLS it might not.</summary>
    public static bool IsRefusedRole(Exception e) => e is PostgresException { SqlState: ['2', '8', ..] };

    /// <summary>The server answers, but takes no sessions yet or any more.</summary>
    public static bool IsNotAccepting(Exception e) => e is PostgresException { SqlState: PostgresErrorCodes.CannotConnectNow };

    /// <summary>Why an address wasn't reached, in a few words of our own: the system's are in the user's language.</summary>
    public static string Reason(Exception e, ConnectionSettings settings)
    {
        for (Exception? cause = e; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case SocketException socket:
                    return socket.SocketErrorCode switch
                    {
                        SocketError.ConnectionRefused => "connection refused",
                        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain or SocketError.NoRecovery => "the name isn't known",
                        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown => "no route to it",
                        SocketError.TimedOut => "no answer",
                        SocketError.ConnectionReset => "it closed the connection",
                        SocketError.AccessDenied => "permission denied",
                        SocketError.AddressNotAvailable => "no server listens there",
                        _ => socket.Message,
                    };
                case TimeoutException:
                    return settings.ConnectTimeout is { } wait ? $"no answer within {wait.TotalSeconds:0} s" : "no answer";
                case EndOfStreamException:
                    return "it closed the connection";
            }
        }
        return e.Message;
    }

    /// <summary>The error for a server that was reached and said no.</summary>
    public static MoltException Translate(Exception e, ConnectionSettings settings, ServerAddress server, ServerTls? tls)
    {
        switch (e)
        {
            case MoltException known:
                return known;
            case PostgresException refusal:
                return Translate(refusal, settings, server);
        }

        if (IsTlsNotOffered(e))
            return new("TlsRefused", ErrorKind.ConnectionFailed, $"The server {server} offers no TLS, and sslmode asks for it.",
                "Turn on ssl in the server's postgresql.conf, or connect with a weaker sslmode if the network between can be trusted.", settings.Describe(), e);
        if (IsHandshake(e) || Find<AuthenticationException>(e) is not null)
            return new("TlsFailed", ErrorKind.ConnectionFailed,
                $"TLS with the server {server} failed: {tls?.Rejection ?? Innermost(e).Message}.".Replace("..", ".", StringComparison.Ordinal),
                tls?.Rejection is null ? "Check the TLS versions and the client certificate that the server asks for." : "Check sslrootcert, and the name under which the server is reached.",
                settings.Describe(), e);
        if (Find<CryptographicException>(e) is { } unusable)
            return new("TlsFailed", ErrorKind.ConnectionFailed, $"The client certificate {tls?.CertificateFile} or its key can't be used: {unusable.Message}",
                "Check sslcert and sslkey; the key must be PEM without a password.", settings.Describe(), e);
        if (e.Message.Contains("No password has been provided", StringComparison.Ordinal))
            return new("AuthenticationFailed", ErrorKind.AuthenticationFailed, $"The server {server} asks for a password for role \"{settings.User}\", and there is none.",
                "Give it with -Credential, in the URL, in PGPASSWORD or in a password file (chmod 0600).", settings.Describe(), e);
        if (IsRefusedByUs(e))
            return new("AuthenticationFailed", ErrorKind.AuthenticationFailed, $"The server {server} can't be trusted with the login: {e.Message}",
                "Check require_auth and channel_binding against the server's pg_hba.conf.", settings.Describe(), e);
        return Unreachable(settings, [(server, Reason(e, settings))], e);
    }

    public static MoltException Unreachable(ConnectionSettings settings, IReadOnlyList<(ServerAddress Server, string Reason)> failures, Exception? cause) =>
        new("ServerUnreachable", ErrorKind.ConnectionFailed,
            $"No PostgreSQL server could be reached: {string.Join("; ", failures.Select(failure => $"{failure.Server}: {failure.Reason}"))}.",
            "Check that the server runs, and that host, port and firewall are right.", settings.Describe(), cause);

    private static MoltException Translate(PostgresException e, ConnectionSettings settings, ServerAddress server)
    {
        (string id, ErrorKind kind, string remedy) = e.SqlState switch
        {
            PostgresErrorCodes.InvalidPassword => ("AuthenticationFailed", ErrorKind.AuthenticationFailed,
                "Check the role and its password: -Credential, the URL, PGPASSWORD, the password file."),
            ['2', '8', ..] => ("AuthenticationFailed", ErrorKind.AuthenticationFailed,
                "Check the role, and the line for it in the server's pg_hba.conf: it depends on the address, the database, TLS and GSS encryption."),
            PostgresErrorCodes.InvalidCatalogName => ("DatabaseNotFound", ErrorKind.NotFound, "Check the database's name."),
            PostgresErrorCodes.InsufficientPrivilege => ("ConnectDenied", ErrorKind.PermissionDenied, "Grant the role CONNECT on the database."),
            ['5', '3', ..] => ("TooManyConnections", ErrorKind.Busy, "Wait, use fewer jobs, or raise max_connections or the role's or database's connection limit."),
            PostgresErrorCodes.CannotConnectNow => ("ServerStarting", ErrorKind.Busy, "Wait until the server has started or recovered, then try again."),
            _ => ("ConnectionRefused", ErrorKind.ConnectionFailed, "See the server's log for the reason."),
        };
        return new(id, kind, $"The server {server} refused the connection to database \"{settings.Database}\" as role \"{settings.User}\": {e.MessageText} ({e.SqlState})",
            remedy, settings.Describe(), e);
    }

    /// <summary>Npgsql itself refuses to go on: require_auth, channel binding, a server that can't prove it knows the password.</summary>
    private static bool IsRefusedByUs(Exception e) =>
        e is NpgsqlException and not PostgresException
        && (e.Message.Contains("authentication method is not allowed", StringComparison.Ordinal)
            || e.Message.Contains("ChannelBinding", StringComparison.Ordinal)
            || e.Message.Contains("SCRAM", StringComparison.Ordinal)
            || e.Message.Contains("SASL", StringComparison.Ordinal)
            || e.Message.Contains("No password has been provided", StringComparison.Ordinal));

    private static Exception Innermost(Exception e)
    {
        while (e.InnerException is { } inner)
            e = inner;
        return e;
    }

    private static T? Find<T>(Exception? e) where T : Exception
    {
        while (e is not null and not T)
            e = e.InnerException;
        return e as T;
    }
}
