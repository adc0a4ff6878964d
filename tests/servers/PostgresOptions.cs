namespace MoltBeat.TestServers;

/// <summary>What kind of connections over TCP a server takes.</summary>
public enum TlsMode
{
    /// <summary>No TLS: a client that requires it fails.</summary>
    Off,

    /// <summary>Both; see <see cref="PostgresTls"/> for the roles that may use one kind only.</summary>
    Allowed,

    /// <summary>TLS only: a client that does without it fails.</summary>
    Required,
}

/// <summary>How a throwaway server is made.</summary>
public sealed record PostgresOptions
{
    /// <summary>The server's programs; the machine's own by default.</summary>
    public PostgresBinaries? Binaries { get; init; }

    /// <summary>Encoding of the cluster's templates.</summary>
    public string Encoding { get; init; } = "UTF8";

    /// <summary>Locale of the cluster's templates.</summary>
    public string Locale { get; init; } = "C.UTF-8";

    /// <summary>TLS over TCP.</summary>
    public TlsMode Tls { get; init; }

    /// <summary>Lines for <c>postgresql.conf</c>, after our own.</summary>
    public IReadOnlyList<string> Configuration { get; init; } = [];

    /// <summary>Lines for <c>pg_hba.conf</c>, before our own.</summary>
    public IReadOnlyList<string> HostBasedAuthentication { get; init; } = [];
}
