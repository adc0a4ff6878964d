namespace MoltBeat.DR.Engine.Postgres;

/// <summary>How far this product can honour a libpq keyword.</summary>
internal enum KeywordSupport
{
    /// <summary>Our sessions and our child programs both honour it.</summary>
    Honoured,

    /// <summary>Without effect here, and harmless to leave out.</summary>
    Ignored,

    /// <summary>Leaving it out would make a different connection than the one asked for, so a value is refused.</summary>
    Refused,
}

/// <summary>A libpq connection keyword and the environment variable that stands in for it.</summary>
internal sealed record ConnectionKeyword(string Name, string? Variable, KeywordSupport Support = KeywordSupport.Honoured);

/// <summary>
/// The keywords of libpq 18 (<see href="https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS"/>),
/// with those of older versions that are still accepted.
/// </summary>
internal static class ConnectionKeywords
{
    public static IReadOnlyDictionary<string, ConnectionKeyword> All { get; } = new ConnectionKeyword[]
    {
        new("service", "PGSERVICE"),
        new("servicefile", "PGSERVICEFILE"),
        new("host", "PGHOST"),
        new("hostaddr", "PGHOSTADDR"),
        new("port", "PGPORT"),
        new("dbname", "PGDATABASE"),
        new("user", "PGUSER"),
        new("password", "PGPASSWORD"),
        new("passfile", "PGPASSFILE"),
        new("connect_timeout", "PGCONNECT_TIMEOUT"),
        new("options", "PGOPTIONS"),
        new("application_name", "PGAPPNAME"),
        new("fallback_application_name", null),
        new("target_session_attrs", "PGTARGETSESSIONATTRS"),
        new("load_balance_hosts", "PGLOADBALANCEHOSTS"),
        new("channel_binding", "PGCHANNELBINDING"),
        new("require_auth", "PGREQUIREAUTH"),
        new("krbsrvname", "PGKRBSRVNAME"),
        new("gssencmode", "PGGSSENCMODE"),
        new("gssdelegation", "PGGSSDELEGATION"),
        new("gsslib", "PGGSSLIB"),
        new("sslmode", "PGSSLMODE"),
        new("requiressl", "PGREQUIRESSL"),
        new("sslnegotiation", "PGSSLNEGOTIATION"),
        new("sslcert", "PGSSLCERT"),
        new("sslkey", "PGSSLKEY"),
        new("sslcertmode", "PGSSLCERTMODE"),
        new("sslrootcert", "PGSSLROOTCERT"),
        new("sslsni", "PGSSLSNI"),
        new("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
        new("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
        // TCP tuning has no variable: it goes to child programs in their --dbname. Npgsql offers no way to set the
        // count and the user timeout of its socket.
        new("keepalives", null),
        new("keepalives_idle", null),
        new("keepalives_interval", null),
        new("keepalives_count", null),
        new("tcp_user_timeout", null),
        // Each session chooses its encoding by what it reads.
        new("client_encoding", "PGCLIENTENCODING", KeywordSupport.Ignored),
        // Compression has been off in every server since 14; protocol 3.0, the one spoken here, is below any maximum.
        new("sslcompression", "PGSSLCOMPRESSION", KeywordSupport.Ignored),
        new("max_protocol_version", "PGMAXPROTOCOLVERSION", KeywordSupport.Ignored),
        new("authtype", "PGAUTHTYPE", KeywordSupport.Ignored),
        new("tty", "PGTTY", KeywordSupport.Ignored),
        new("min_protocol_version", "PGMINPROTOCOLVERSION", KeywordSupport.Refused),
        // libpq gives child programs no way to learn this one but their command line, which everybody can read.
        new("sslpassword", null, KeywordSupport.Refused),
        // .NET checks revocation online or not at all.
        new("sslcrl", "PGSSLCRL", KeywordSupport.Refused),
        new("sslcrldir", "PGSSLCRLDIR", KeywordSupport.Refused),
        new("sslkeylogfile", null, KeywordSupport.Refused),
        new("requirepeer", "PGREQUIREPEER", KeywordSupport.Refused),
        new("replication", null, KeywordSupport.Refused),
        new("scram_client_key", null, KeywordSupport.Refused),
        new("scram_server_key", null, KeywordSupport.Refused),
        new("oauth_issuer", null, KeywordSupport.Refused),
        new("oauth_client_id", null, KeywordSupport.Refused),
        new("oauth_client_secret", null, KeywordSupport.Refused),
        new("oauth_scope", null, KeywordSupport.Refused),
    }.ToDictionary(keyword => keyword.Name, StringComparer.Ordinal);
}
