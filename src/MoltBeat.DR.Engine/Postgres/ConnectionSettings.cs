using System.Globalization;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// Which server and database to connect to, as whom and how: what libpq would make of a connection string and of the
/// process's surroundings. Immutable. Nothing it prints holds a secret.
/// </summary>
public sealed class ConnectionSettings
{
    private readonly Dictionary<string, string> _values;
    private readonly ClientSurroundings _surroundings;

    private ConnectionSettings(Dictionary<string, string> values, ClientSurroundings surroundings)
    {
        _values = values;
        _surroundings = surroundings;
        User = Get("user") ?? surroundings.SystemUser;
        Database = Get("dbname") ?? User;
        Hosts = ReadHosts();
        TlsMode = ReadTlsMode();
        TargetSession = Choose("target_session_attrs", TargetSession.Any,
            ("any", TargetSession.Any), ("read-write", TargetSession.ReadWrite), ("read-only", TargetSession.ReadOnly),
            ("primary", TargetSession.Primary), ("standby", TargetSession.Standby), ("prefer-standby", TargetSession.PreferStandby));
        SpreadLoad = Choose("load_balance_hosts", false, ("disable", false), ("random", true));
        ConnectTimeout = ReadConnectTimeout();
    }

    /// <summary>The servers to try, in order.</summary>
    public IReadOnlyList<ServerAddress> Hosts { get; }

    public string User { get; }

    public string Database { get; }

    /// <summary>What sslmode asks for. Unix sockets go without TLS whatever it says, as in libpq.</summary>
    public TlsMode TlsMode { get; }

    public TargetSession TargetSession { get; }

    /// <summary>Whether the servers are tried in random order (load_balance_hosts=random).</summary>
    public bool SpreadLoad { get; }

    /// <summary>
    /// How long one server may take to answer; null for ever (connect_timeout=0). Without connect_timeout it is 30 s,
    /// where libpq would wait for ever: an unattended backup has to end.
    /// </summary>
    public TimeSpan? ConnectTimeout { get; }

    /// <summary>What the operator should know, as sentences; for example a password file that others may read.</summary>
    public IReadOnlyList<string> Warnings
    {
        get
        {
            string? ignored = Get("password") is null ? PasswordFile.ReasonToIgnore(PasswordFilePath) : null;
            return ignored is null ? [] : [ignored];
        }
    }

    internal ClientSurroundings Surroundings => _surroundings;

    private string PasswordFilePath => Get("passfile") ?? _surroundings.PasswordFile;

    /// <summary>
    /// Takes a connection string (URI or keywords), or the surroundings when there is none: DATABASE_URL, else libpq's own
    /// variables. Values come, as in libpq, from the string, then the service file, then PG* variables, then defaults.
    /// </summary>
    /// <param name="conninfo">The connection string; may hold a password.</param>
    /// <param name="user">The role to connect as, over what the string says.</param>
    /// <param name="password">Its password, over every other source.</param>
    /// <exception cref="MoltException">
    /// <c>ConnectionStringInvalid</c>, <c>ConnectionOptionNotSupported</c>, <c>ServiceNotFound</c>, <c>ServiceFileInvalid</c>
    /// </exception>
    public static ConnectionSettings Parse(string? conninfo, string? user = null, string? password = null) =>
        Parse(conninfo, user, password, ClientSurroundings.OfThisProcess);

    internal static ConnectionSettings Parse(string? conninfo, string? user, string? password, ClientSurroundings surroundings)
    {
        if (string.IsNullOrWhiteSpace(conninfo))
            conninfo = surroundings.Variable("DATABASE_URL");
        Dictionary<string, string> values = string.IsNullOrWhiteSpace(conninfo) ? new(StringComparer.Ordinal) : ConnectionStringReader.Read(conninfo);
        if (!string.IsNullOrEmpty(user))
            values["user"] = user;
        if (!string.IsNullOrEmpty(password))
            values["password"] = password.Contains('\0', StringComparison.Ordinal)
                ? throw ConnectionStringReader.Invalid("the password holds a zero byte.", "PostgreSQL has no such passwords.")
                : password;

        AddService(values, surroundings);
        foreach (ConnectionKeyword keyword in ConnectionKeywords.All.Values)
        {
            // An empty variable counts as set: with it libpq overrides nothing, and neither do we.
            if (keyword.Variable is { } variable && surroundings.Variable(variable) is { Length: > 0 } value)
                values.TryAdd(keyword.Name, value);
        }
        foreach ((string name, string value) in values)
        {
            if (value.Length > 0 && ConnectionKeywords.All[name].Support == KeywordSupport.Refused)
                throw new MoltException("ConnectionOptionNotSupported", ErrorKind.NotSupported, $"The connection option {name} is not supported.",
                    $"Connect without {name}{(ConnectionKeywords.All[name].Variable is { } set ? $" and without the variable {set}" : "")}.", name);
        }
        return new(values, surroundings);
    }

    /// <summary>The same server and role, another database.</summary>
    public ConnectionSettings WithDatabase(string database) =>
        new(new(_values, StringComparer.Ordinal) { ["dbname"] = database }, _surroundings);

    /// <summary>A URI for people: servers, role and database, no secret.</summary>
    public string Describe() =>
        $"postgresql://{Uri.EscapeDataString(User)}@{string.Join(',', Hosts.Select(host => host.InUri()))}/{Uri.EscapeDataString(Database)}";

    public override string ToString() => Describe();

    /// <summary>The value of a keyword, or null where none was given; an empty one counts as none, as in libpq.</summary>
    internal string? Get(string keyword) => _values.TryGetValue(keyword, out string? value) && value.Length > 0 ? value : null;

    /// <summary>The password for one of the servers, or null. Each may have its own in the password file.</summary>
    internal string? PasswordFor(ServerAddress server) =>
        Get("password") ?? PasswordFile.Find(PasswordFilePath, server.Host.Length > 0 ? server.Host : server.Address ?? "", server.Port, Database, User) switch
        {
            "" => null,
            var found => found,
        };

    private static void AddService(Dictionary<string, string> values, ClientSurroundings surroundings)
    {
        string? Either(string keyword, string variable) => values.TryGetValue(keyword, out string? given) ? given : surroundings.Variable(variable);

        if (Either("service", "PGSERVICE") is { Length: > 0 } service)
        {
            foreach ((string keyword, string value) in ServiceFile.Read(service, Either("servicefile", "PGSERVICEFILE"), surroundings))
                values.TryAdd(keyword, value);
        }
    }

    private List<ServerAddress> ReadHosts()
    {
        string[] hosts = Get("host")?.Split(',') ?? [];
        string[] addresses = Get("hostaddr")?.Split(',') ?? [];
        string[] ports = Get("port")?.Split(',') ?? [];
        int count = Math.Max(1, addresses.Length > 0 ? addresses.Length : hosts.Length);
        if (hosts.Length > 0 && hosts.Length != count)
            throw ConnectionStringReader.Invalid("host and hostaddr name different numbers of servers.");
        if (ports.Length > 1 && ports.Length != count)
            throw ConnectionStringReader.Invalid("there are other numbers of ports than of hosts.", "Give one port for all hosts, or one for each.");

        List<ServerAddress> servers = [];
        for (int i = 0; i < count; i++)
        {
            string? address = i < addresses.Length && addresses[i].Trim().Length > 0 ? addresses[i].Trim() : null;
            if (address is not null && !System.Net.IPAddress.TryParse(address, out _))
                throw ConnectionStringReader.Invalid("hostaddr isn't a numeric address.", "Use host for names.");
            string host = i < hosts.Length ? hosts[i].Trim() : "";
            if (host.Length == 0 && address is null)
                host = _surroundings.DefaultHost;
            string port = ports.Length == 0 ? "" : ports[ports.Length == 1 ? 0 : i].Trim();
            int number = 5432;
            if (port.Length > 0 && (!int.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out number) || number is < 1 or > 65535))
                throw ConnectionStringReader.Invalid("a port isn't a number from 1 to 65535.", "If the password holds a \"/\", write it %2F in a URI.");
            servers.Add(new(host, number, address));
        }
        return servers;
    }

    private TlsMode ReadTlsMode()
    {
        bool systemRoots = Get("sslrootcert") == "system";
        TlsMode otherwise = systemRoots ? TlsMode.VerifyFull : Get("requiressl") is ['1', ..] ? TlsMode.Require : TlsMode.Prefer;
        TlsMode mode = Choose("sslmode", otherwise,
            ("disable", TlsMode.Disable), ("allow", TlsMode.Allow), ("prefer", TlsMode.Prefer),
            ("require", TlsMode.Require), ("verify-ca", TlsMode.VerifyCa), ("verify-full", TlsMode.VerifyFull));
        if (systemRoots && mode != TlsMode.VerifyFull)
            throw ConnectionStringReader.Invalid("sslrootcert=system is too weak with any sslmode but verify-full.", "Anyone can get a certificate from a public authority. Use sslmode=verify-full.");
        if (Get("sslnegotiation") == "direct" && mode < TlsMode.Require)
            throw ConnectionStringReader.Invalid("sslnegotiation=direct needs sslmode=require or a stricter one.");
        return mode;
    }

    private TimeSpan? ReadConnectTimeout()
    {
        if (Get("connect_timeout") is not { } text)
            return TimeSpan.FromSeconds(30);
        if (!int.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out int seconds))
            throw ConnectionStringReader.Invalid("connect_timeout isn't a whole number of seconds.");
        // libpq makes one second two: whole-second clocks would otherwise cut it to nothing.
        return seconds <= 0 ? null : TimeSpan.FromSeconds(Math.Max(2, seconds));
    }

    /// <summary>The meaning of a keyword's value among the known ones; the value itself is not quoted in the error.</summary>
    internal T Choose<T>(string keyword, T otherwise, params ReadOnlySpan<(string Text, T Meaning)> choices)
    {
        if (Get(keyword) is not { } value)
            return otherwise;
        List<string> known = [];
        foreach ((string text, T meaning) in choices)
        {
            if (text == value)
                return meaning;
            known.Add(text);
        }
        throw ConnectionStringReader.Invalid($"{keyword} has none of its known values.", $"Use one of: {string.Join(", ", known)}.");
    }

    /// <summary>A whole number, or null where the keyword wasn't given.</summary>
    internal int? Number(string keyword)
    {
        if (Get(keyword) is not { } text)
            return null;
        return int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw ConnectionStringReader.Invalid($"{keyword} isn't a whole number.");
    }
}
