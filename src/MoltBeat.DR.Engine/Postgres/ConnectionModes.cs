namespace MoltBeat.DR.Engine.Postgres;

/// <summary>libpq's sslmode, weakest first.</summary>
public enum TlsMode
{
    /// <summary>No TLS.</summary>
    Disable,

    /// <summary>TLS only when the server refuses to do without.</summary>
    Allow,

    /// <summary>TLS when it can be had.</summary>
    Prefer,

    /// <summary>TLS or nothing; the server's certificate is checked only when a root certificate file exists.</summary>
    Require,

    /// <summary>TLS, with a certificate that leads to a known root.</summary>
    VerifyCa,

    /// <summary>As <see cref="VerifyCa"/>, and the certificate names the host that was asked for.</summary>
    VerifyFull,
}

/// <summary>libpq's target_session_attrs: which of several servers will do.</summary>
public enum TargetSession
{
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}
