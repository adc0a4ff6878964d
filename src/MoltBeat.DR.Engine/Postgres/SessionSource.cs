using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// Opens sessions on one server address, each a physical connection of its own. Npgsql reads some of libpq's variables
/// itself, with its own rules; whatever it could find there is therefore given explicitly.
/// </summary>
internal sealed class SessionSource : IAsyncDisposable
{
    private readonly NpgsqlDataSource _source;
    private readonly TimeSpan _wait;

    /// <param name="settings">What the operator asked for.</param>
    /// <param name="server">The one server.</param>
    /// <param name="useTls">With TLS or without; no second try within.</param>
    /// <param name="options">What the sessions are for.</param>
    /// <exception cref="MoltException"><c>TlsFailed</c>, <c>ConnectionStringInvalid</c>, <c>ConnectionOptionNotSupported</c></exception>
    public SessionSource(ConnectionSettings settings, ServerAddress server, bool useTls, SessionOptions options)
    {
        Tls = useTls ? new ServerTls(settings, server) : null;
        NpgsqlDataSourceBuilder builder = new();
        NpgsqlConnectionStringBuilder target = builder.ConnectionStringBuilder;
        GssEncryptionMode gss = server.IsUnixSocket ? GssEncryptionMode.Disable : settings.Choose("gssencmode", GssEncryptionMode.Disable,
            ("disable", GssEncryptionMode.Disable), ("prefer", GssEncryptionMode.Prefer), ("require", GssEncryptionMode.Require));

        // Kerberos names the server by Npgsql's host, everything else is content with the address.
        target.Host = server.Address is { } address && (gss == GssEncryptionMode.Disable || server.Host.Length == 0) ? address : server.Host;
        target.Port = server.Port;
        target.Username = settings.User;
        target.Database = settings.Database;
        target.ApplicationName = options.ApplicationName(settings);
        // A blank says "none" where nothing would let Npgsql take PGOPTIONS. Not sent needlessly: pgbouncer may refuse it.
        target.Options = settings.Get("options") ?? (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("PGOPTIONS")) ? null : " ");
        target.ClientEncoding = options.ByteEncoding ?? "UTF8";
        if (options.ByteEncoding is not null)
            target.Encoding = "ISO-8859-1";
        target.GssEncryptionMode = gss;
        target.KerberosServiceName = settings.Get("krbsrvname") ?? "postgres";
        target.ChannelBinding = settings.Choose("channel_binding", ChannelBinding.Prefer,
            ("disable", ChannelBinding.Disable), ("prefer", ChannelBinding.Prefer), ("require", ChannelBinding.Require));
        target.RequireAuth = RequiredAuthentication(settings, target.ChannelBinding);
        target.SslMode = useTls ? SslMode.Require : SslMode.Disable;
        target.SslNegotiation = useTls
            ? settings.Choose("sslnegotiation", SslNegotiation.Postgres, ("postgres", SslNegotiation.Postgres), ("direct", SslNegotiation.Direct))
            : SslNegotiation.Postgres;
        if (Tls is { HasClientCertificate: true })
        {
            target.SslCertificate = Tls.CertificateFile;
            target.SslKey = Tls.KeyFile;
        }

        _wait = settings.ConnectTimeout ?? Timeout.InfiniteTimeSpan;
        // Npgsql knows no longer wait than 1024 s.
        target.Timeout = settings.ConnectTimeout is { } wait ? Math.Min(1024, (int)wait.TotalSeconds) : 0;
        target.TcpKeepAlive = settings.Number("keepalives") is null or not 0;
        if (target.TcpKeepAlive)
        {
            target.TcpKeepAliveTime = Math.Max(0, settings.Number("keepalives_idle") ?? 0);
            target.TcpKeepAliveInterval = Math.Max(0, settings.Number("keepalives_interval") ?? 0);
        }
        target.ReadBufferSize = options.ReadBufferBytes;
        target.WriteBufferSize = options.WriteBufferBytes;
        // A COPY of a large table takes as long as it takes; cancellation is the caller's.
        target.CommandTimeout = 0;
        target.Pooling = false;
        target.Enlist = false;
        // The detail of a server's error may quote a row.
        target.IncludeErrorDetail = false;
        // Saves each opening a query over the whole type catalog. Built-in types work without.
        builder.ConfigureTypeLoading(types => types.EnableTypeLoading(false));

        // Handed over by a callback, the password is in no connection string at all. An empty one keeps Npgsql from
        // looking for another where libpq's rules have found none.
        string password = settings.PasswordFor(server) ?? "";
        builder.UsePasswordProvider(_ => password, (_, _) => new(password));
        if (Tls is not null)
            builder.UseSslClientAuthenticationOptionsCallback(Tls.Configure);
        _source = builder.Build();
    }

    /// <summary>The certificate check of the sessions; null without TLS.</summary>
    public ServerTls? Tls { get; }

    /// <summary>
    /// Opens a session. Npgsql heeds neither the token while it waits for the answer to its request for TLS, nor its own
    /// timeout during the TLS handshake; so it is also watched from here.
    /// </summary>
    /// <exception cref="TimeoutException">connect_timeout is over.</exception>
    public async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource giveUp = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<NpgsqlConnection> opening = _source.OpenConnectionAsync(giveUp.Token).AsTask();
        try
        {
            return await opening.WaitAsync(_wait, cancellationToken).ConfigureAwait(false);
        }
        catch when (!opening.IsCompleted)
        {
            await giveUp.CancelAsync().ConfigureAwait(false);
            _ = CloseLateAsync(opening);
            throw;
        }
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private static async Task CloseLateAsync(Task<NpgsqlConnection> opening)
    {
        try
        {
            await (await opening.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException or TimeoutException or IOException)
        {
            // It failed later than anyone waited.
        }
    }

    /// <summary>
    /// libpq's require_auth in Npgsql's spelling. channel_binding=require has to allow SCRAM alone: Npgsql would hand the
    /// bare password to a server that asks for it.
    /// </summary>
    private static string? RequiredAuthentication(ConnectionSettings settings, ChannelBinding binding)
    {
        if (binding == ChannelBinding.Require)
            return "ScramSHA256";
        if (settings.Get("require_auth") is not { } list)
            return null;
        List<string> methods = [];
        foreach (string method in list.Split(',', StringSplitOptions.TrimEntries))
        {
            bool not = method.StartsWith('!');
            string? known = method.TrimStart('!') switch
            {
                "password" => "Password",
                "md5" => "MD5",
                "gss" => "GSS",
                "sspi" => "SSPI",
                "scram-sha-256" => "ScramSHA256",
                "none" => "None",
                _ => throw ConnectionStringReader.Invalid("require_auth names a method that isn't known here.", "Use password, md5, gss, sspi, scram-sha-256 and none, or all of them with \"!\" in front."),
            };
            methods.Add(not ? "!" + known : known);
        }
        return methods.Exists(method => method[0] == '!') && !methods.TrueForAll(method => method[0] == '!')
            ? throw ConnectionStringReader.Invalid("require_auth mixes methods with and without \"!\".")
            : string.Join(',', methods);
    }
}
