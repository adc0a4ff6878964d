using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace MoltBeat.DR.Bench;

/// <summary>A PostgreSQL cluster of its own, on TCP loopback and a unix socket, stopped and removed when disposed.</summary>
internal sealed class ThrowawayCluster : IAsyncDisposable
{
    /// <summary>All that differs from PostgreSQL's defaults and could change a figure; fsync stays on.</summary>
    public static readonly IReadOnlyDictionary<string, string> Settings = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["shared_buffers"] = "512MB",
        ["max_wal_size"] = "4GB",
        ["checkpoint_timeout"] = "30min",
    };

    private static readonly Dictionary<string, string?> NoEnvironment = new(StringComparer.Ordinal);

    private readonly string _bin;
    private readonly string _folder;

    private bool _started;

    private ThrowawayCluster(string bin, string folder) => (_bin, _folder) = (bin, folder);

    public Server Server { get; private set; } = null!;

    public string StopCommand => AsOwner("pg_ctl", "stop", "-m", "immediate", "-D", Data).ToString();

    private string Data => Path.Combine(_folder, "data");

    /// <summary>The newest server programs under /usr/lib/postgresql, else the folder of the first <c>initdb</c> on the PATH.</summary>
    public static string? FindBin()
    {
        const string Debian = "/usr/lib/postgresql";
        var candidates = Directory.Exists(Debian)
            ? Directory.GetDirectories(Debian)
                .OrderByDescending(folder => int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var major) ? major : 0)
                .Select(folder => Path.Combine(folder, "bin"))
            : [];
        return candidates.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'))
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "initdb")));
    }

    public static async Task<ThrowawayCluster> StartAsync(string folder, CancellationToken cancellationToken)
    {
        var bin = FindBin() ?? throw new BenchException("No PostgreSQL server programs found: install the package postgresql.");
        var cluster = new ThrowawayCluster(bin, folder);
        try
        {
            await cluster.CreateAsync(cancellationToken);
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }

        return cluster;
    }

    public async ValueTask DisposeAsync()
    {
        // initdb has such a file for a while too.
        if (_started && File.Exists(Path.Combine(Data, "postmaster.pid")))
        {
            try
            {
                await Tool.RunAsync(AsOwner("pg_ctl", "stop", "-w", "-m", "immediate", "-D", Data), CancellationToken.None);
            }
            catch (BenchException e)
            {
                // A postmaster ends by itself when its folder has gone.
                Console.Error.WriteLine($"bench: {e.Message}");
            }
        }

        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        // PostgreSQL refuses to run as root; then its own account runs it, and this folder is the account's.
        Directory.CreateDirectory(_folder);
        if (Environment.IsPrivilegedProcess)
        {
            await Tool.RunAsync(new Command("chown", ["postgres:postgres", _folder], NoEnvironment), cancellationToken);
        }

        var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var passwordFile = Path.Combine(_folder, "password");
        await Tool.RunAsync(
            AsOwner("sh", "-c", "umask 077; cat > \"$1\"", "sh", passwordFile),
            cancellationToken,
            async (input, token) => await input.WriteAsync(System.Text.Encoding.ASCII.GetBytes(password), token));
        await Tool.RunAsync(
            AsOwner("initdb", "-D", Data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A", "scram-sha-256", $"--pwfile={passwordFile}"),
            cancellationToken);
        File.Delete(passwordFile);

        var port = FreePort();
        var options = Settings.Append(new("listen_addresses", "127.0.0.1"))
            .Append(new("port", port.ToString(CultureInfo.InvariantCulture)))
            .Append(new("unix_socket_directories", _folder))
            .Select(setting => $"-c {setting.Key}={setting.Value}");
        _started = true;
        await Tool.RunAsync(
            AsOwner("pg_ctl", "start", "-w", "-D", Data, "-l", Path.Combine(_folder, "log"), "-o", string.Join(' ', options)),
            cancellationToken);
        var pid = (await File.ReadAllLinesAsync(Path.Combine(Data, "postmaster.pid"), cancellationToken))[0];
        Server = new Server("127.0.0.1", port, "postgres", password, _bin)
        {
            Pid = int.Parse(pid, CultureInfo.InvariantCulture),
        };
    }

    private Command AsOwner(string program, params string[] arguments)
    {
        var path = Path.Combine(_bin, program);
        path = File.Exists(path) ? path : program;
        return Environment.IsPrivilegedProcess
            ? new("setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", path, .. arguments], NoEnvironment)
            : new(path, arguments, NoEnvironment);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
