using System.Globalization;
using System.Text;
using Npgsql;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// The one server that an operation has settled on. Every further session and every child program goes to the same
/// address, with the same role, the same way.
/// </summary>
public sealed class PinnedServer : IAsyncDisposable
{
    private readonly Dictionary<SessionOptions, SessionSource> _sources = [];
    private readonly Lock _lock = new();

    internal PinnedServer(ConnectionSettings settings, ServerAddress address, bool usesTls, Version version, SessionOptions options, SessionSource? source)
    {
        Settings = settings;
        Address = address;
        UsesTls = usesTls;
        Version = version;
        if (source is not null)
            _sources[options] = source;
    }

    public ConnectionSettings Settings { get; }

    /// <summary>The server's place; a name's chosen address with it.</summary>
    public ServerAddress Address { get; }

    public bool UsesTls { get; }

    public Version Version { get; }

    /// <summary>It is a pooler in session mode that answers in the server's place; see <see cref="Pooler"/>.</summary>
    public bool IsPooler { get; internal set; }

    /// <summary>Opens another session on the same server.</summary>
    /// <exception cref="MoltException">As of <see cref="ServerConnector"/>, without looking for another server.</exception>
    public async Task<NpgsqlConnection> OpenAsync(SessionOptions options, CancellationToken cancellationToken)
    {
        SessionSource? source;
        lock (_lock)
        {
            if (!_sources.TryGetValue(options, out source))
                _sources[options] = source = new(Settings, Address, UsesTls, options);
        }
        try
        {
            return await source.OpenAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            throw ConnectionErrors.Translate(e, Settings, Address, source.Tls);
        }
    }

    /// <summary>The same server and role, another database. The caller disposes of it.</summary>
    public PinnedServer WithDatabase(string database) =>
        new(Settings.WithDatabase(database), Address, UsesTls, Version, SessionOptions.Default, null) { IsPooler = IsPooler };

    /// <summary>
    /// The variables that make a client program of PostgreSQL's connect just so, the password among them: an environment
    /// is private to the account, a command line is not. <see cref="ChildProgram"/> first removes all inherited ones.
    /// </summary>
    public IReadOnlyDictionary<string, string> ChildEnvironment(string purpose = "")
    {
        Dictionary<string, string> variables = new(StringComparer.Ordinal)
        {
            ["PGPORT"] = Address.Port.ToString(CultureInfo.InvariantCulture),
            ["PGUSER"] = Settings.User,
            ["PGDATABASE"] = Settings.Database,
            ["PGAPPNAME"] = new SessionOptions(purpose).ApplicationName(Settings),
            ["PGTARGETSESSIONATTRS"] = "any",
            // As decided when pinning: with "prefer" a child could choose otherwise.
            ["PGSSLMODE"] = !UsesTls ? "disable" : Settings.TlsMode switch
            {
                TlsMode.VerifyCa => "verify-ca",
                TlsMode.VerifyFull => "verify-full",
                _ => "require",
            },
            ["PGGSSENCMODE"] = Address.IsUnixSocket ? "disable" : Settings.Get("gssencmode") ?? "disable",
        };
        if (Address.Host.Length > 0)
            variables["PGHOST"] = Address.Host;
        if (Address.Address is { } address)
            variables["PGHOSTADDR"] = address;
        if (Settings.PasswordFor(Address) is { } password)
            variables["PGPASSWORD"] = password;
        if (Settings.ConnectTimeout is { } wait)
            variables["PGCONNECT_TIMEOUT"] = ((int)wait.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        if (UsesTls)
        {
            // Said even when they are the defaults: libpq up to 15 finds the home folder in passwd, not in HOME.
            ServerTls tls = new(Settings, Address);
            variables["PGSSLROOTCERT"] = tls.RootFile == "system" ? SystemRoots() : tls.RootFile;
            variables["PGSSLCERT"] = tls.CertificateFile;
            variables["PGSSLKEY"] = tls.KeyFile;
        }
        foreach (string keyword in s_passedOn)
        {
            if (Settings.Get(keyword) is { } value)
                variables[ConnectionKeywords.All[keyword].Variable!] = value;
        }
        return variables;
    }

    /// <summary>
    /// What to give a client program as <c>--dbname=</c>: the database, and the options that no variable can carry. Holds
    /// no secret.
    /// </summary>
    public string ChildDatabase()
    {
        StringBuilder text = new("dbname=");
        Quote(text, Settings.Database);
        foreach (string keyword in s_withoutVariable)
        {
            if (Settings.Number(keyword) is { } value)
                text.Append(CultureInfo.InvariantCulture, $" {keyword}={value}");
        }
        return text.ToString();
    }

    /// <summary>As <see cref="ChildEnvironment(string)"/>, with start-up options; without them behind a pooler, which may refuse any.</summary>
    internal Dictionary<string, string> ChildEnvironment(string purpose, string options)
    {
        Dictionary<string, string> variables = new(ChildEnvironment(purpose), StringComparer.Ordinal);
        if (!IsPooler)
            variables["PGOPTIONS"] = $"{variables.GetValueOrDefault("PGOPTIONS")} {options}".Trim();
        return variables;
    }

    public override string ToString() => Settings.Describe();

    public async ValueTask DisposeAsync()
    {
        SessionSource[] sources;
        lock (_lock)
        {
            sources = [.. _sources.Values];
            _sources.Clear();
        }
        foreach (SessionSource source in sources)
            await source.DisposeAsync().ConfigureAwait(false);
    }

    private static readonly string[] s_passedOn =
    [
        "options", "channel_binding", "require_auth", "krbsrvname", "gsslib", "gssdelegation",
        "sslcertmode", "sslsni", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version",
    ];

    private static readonly string[] s_withoutVariable =
        ["keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"];

    private static void Quote(StringBuilder text, string value)
    {
        text.Append('\'');
        foreach (char c in value)
        {
            if (c is '\'' or '\\')
                text.Append('\\');
            text.Append(c);
        }
        text.Append('\'');
    }

    /// <summary>libpq knows "system" from 16 on; the file that it stands for works with all.</summary>
    private static string SystemRoots() =>
        new[] { "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" }
            .FirstOrDefault(File.Exists) ?? "system";
}
