using System.Globalization;

namespace MoltBeat.DR.Bench;

/// <summary>Where the server is and how to get in, for every program the same. Passwords travel in the environment only.</summary>
internal sealed class Server
{
    private static readonly Dictionary<string, string> Parameters = new(StringComparer.Ordinal)
    {
        ["sslmode"] = "PGSSLMODE",
        ["sslrootcert"] = "PGSSLROOTCERT",
        ["sslcert"] = "PGSSLCERT",
        ["sslkey"] = "PGSSLKEY",
    };

    private readonly string _host;
    private readonly int _port;
    private readonly string _user;
    private readonly string? _password;
    private readonly Dictionary<string, string> _parameters = new(StringComparer.Ordinal);
    private readonly string? _bin;

    /// <param name="bin">Folder of the client tools; null when they are on the PATH.</param>
    public Server(string host, int port, string user, string? password, string? bin)
    {
        (_host, _port, _user, _password, _bin) = (host, port, user, password, bin);
    }

    /// <summary>Process id of its postmaster, when it runs on this machine and is ours.</summary>
    public int? Pid { get; init; }

    public string Description => string.Create(CultureInfo.InvariantCulture, $"{_host}:{_port}");

    public static Server FromUrl(string url, string? bin)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("postgresql" or "postgres") || uri.Host.Length == 0)
        {
            throw new BenchException("--database-url wants postgresql://user[:password]@host[:port]/database, with one TCP host.");
        }

        var user = uri.UserInfo.Split(':', 2);
        if (user[0].Length == 0)
        {
            throw new BenchException("--database-url names no user.");
        }

        var server = new Server(
            uri.Host.Trim('[', ']'),
            uri.IsDefaultPort || uri.Port < 0 ? 5432 : uri.Port,
            Uri.UnescapeDataString(user[0]),
            user.Length > 1 ? Uri.UnescapeDataString(user[1]) : null,
            bin);
        foreach (var pair in uri.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2);
            if (parts.Length != 2 || !Parameters.ContainsKey(parts[0]))
            {
                throw new BenchException($"--database-url: the parameter '{parts[0]}' is not one of {string.Join(", ", Parameters.Keys)}.");
            }

            server._parameters[parts[0]] = Uri.UnescapeDataString(parts[1]);
        }

        return server;
    }

    public string Url(string database)
    {
        var password = _password is null ? "" : ":" + Uri.EscapeDataString(_password);
        var query = string.Join("&", _parameters.Select(p => $"{p.Key}={Uri.EscapeDataString(p.Value)}"));
        var host = _host.Contains(':', StringComparison.Ordinal) ? $"[{_host}]" : _host;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"postgresql://{Uri.EscapeDataString(_user)}{password}@{host}:{_port}/{Uri.EscapeDataString(database)}{(query.Length > 0 ? "?" : "")}{query}");
    }

    /// <summary>The connection as libpq's variables, for psql and its kin.</summary>
    public Dictionary<string, string?> ClientEnvironment(string database)
    {
        var environment = BareEnvironment();
        environment["PGHOST"] = _host;
        environment["PGPORT"] = _port.ToString(CultureInfo.InvariantCulture);
        environment["PGUSER"] = _user;
        environment["PGDATABASE"] = database;
        environment["PGAPPNAME"] = "moltbeat-bench";
        if (_password is not null)
        {
            environment["PGPASSWORD"] = _password;
        }

        foreach (var (name, value) in _parameters)
        {
            environment[Parameters[name]] = value;
        }

        return environment;
    }

    /// <summary>The connection as <c>DATABASE_URL</c>, for ours.</summary>
    public Dictionary<string, string?> MoltEnvironment(string database)
    {
        var environment = BareEnvironment();
        environment["DATABASE_URL"] = Url(database);
        return environment;
    }

    /// <summary>Runs SQL and returns the rows, unaligned, without headers, fields divided by tabs.</summary>
    public async Task<string> QueryAsync(string database, string sql, CancellationToken cancellationToken)
    {
        var rows = await Tool.RunAsync(
            new Command(Client("psql"), ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql], ClientEnvironment(database)),
            cancellationToken);
        return rows.TrimEnd('\n');
    }

    /// <summary>The client program itself: what Debian has on the PATH is a Perl wrapper that costs its own time.</summary>
    public string Client(string name) =>
        _bin is not null && File.Exists(Path.Combine(_bin, name)) ? Path.Combine(_bin, name) : name;

    public Task DropAsync(string database, CancellationToken cancellationToken) =>
        QueryAsync("postgres", $"DROP DATABASE IF EXISTS {database} WITH (FORCE)", cancellationToken);

    /// <summary>
    /// Nothing of the caller's libpq settings may reach a measured program, except, for a server that is not ours, the
    /// places a password can come from.
    /// </summary>
    private Dictionary<string, string?> BareEnvironment()
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (string name in System.Environment.GetEnvironmentVariables().Keys)
        {
            if (name.StartsWith("PG", StringComparison.Ordinal) && (_password is not null || name is not ("PGPASSWORD" or "PGPASSFILE")))
            {
                environment[name] = null;
            }
        }

        // Text as the programs give it, whatever the caller speaks.
        environment["LC_ALL"] = "C.UTF-8";
        if (_bin is not null)
        {
            environment["PATH"] = $"{_bin}:{System.Environment.GetEnvironmentVariable("PATH")}";
        }

        return environment;
    }
}
