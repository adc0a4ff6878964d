using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace MoltBeat.TestServers;

/// <summary>A throwaway Redis server on loopback that keeps nothing on disk. It never is Debian's service on port 6379.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private readonly ServerFolder _folder;
    private GuardedProcess? _process;

    private RedisServer(ServerFolder folder) => _folder = folder;

    public int Port { get; private set; }

    /// <summary>With TLS: the authority that signed for <c>localhost</c>, and one that did not.</summary>
    public PostgresTls? Tls { get; private set; }

    /// <summary>What it has logged.</summary>
    public string Log => _process?.Log ?? "";

    /// <summary>Its URL.</summary>
    /// <param name="login">As <c>user:password</c>.</param>
    /// <param name="database">A number.</param>
    public string Url(string? login = null, int? database = null) =>
        string.Create(CultureInfo.InvariantCulture, $"redis://{(login is null ? "" : login + "@")}127.0.0.1:{Port}{(database is { } number ? $"/{number}" : "")}");

    /// <summary>Starts one.</summary>
    /// <param name="settings">Lines for its configuration.</param>
    /// <param name="tls">Whether it speaks TLS only.</param>
    /// <param name="cancel">Ends the attempt.</param>
    /// <exception cref="TestServerMissingException">redis-server is not installed.</exception>
    public static async Task<RedisServer> StartAsync(IReadOnlyList<string>? settings = null, bool tls = false, CancellationToken cancel = default)
    {
        var program = Tool.Find("redis-server")
            ?? throw new TestServerMissingException("redis-server is not installed (Debian: apt-get install redis-server).");
        var server = new RedisServer(ServerFolder.Create());
        try
        {
            server.Tls = tls ? await PostgresTls.CreateAsync(server._folder["tls"], cancel).ConfigureAwait(false) : null;
            for (var attempt = 1; attempt <= FreePort.Attempts; attempt++)
            {
                server.Port = FreePort.Next();
                await server.WriteFilesAsync(settings ?? [], cancel).ConfigureAwait(false);
                if (await server.TryStartAsync(program, cancel).ConfigureAwait(false))
                    return server;
            }

            throw new TestServerException($"redis-server found {FreePort.Attempts} ports taken.");
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Waits until redis-cli gives this answer.</summary>
    public async Task UntilAsync(string answer, CancellationToken cancel, params string[] arguments)
    {
        var clock = Stopwatch.StartNew();
        while (await CliAsync(cancel, arguments).ConfigureAwait(false) is var last && last != answer)
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(60))
                throw new TestServerException($"Redis still answers {last} to {string.Join(' ', arguments)}: {Log}");
            await Task.Delay(50, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Runs redis-cli.</summary>
    /// <returns>Its output, bytes as chars, without the last line end.</returns>
    public async Task<string> CliAsync(CancellationToken cancel, params string[] arguments) =>
        (await Tool.RunAsync("redis-cli", ["-p", Port.ToString(CultureInfo.InvariantCulture), .. arguments], cancel: cancel).ConfigureAwait(false)).TrimEnd('\n');

    /// <summary>Sends commands as they are, and waits for all answers. Without TLS and password only.</summary>
    /// <param name="commands">In Redis' own protocol.</param>
    /// <param name="cancel">Ends it.</param>
    public async Task SendAsync(ReadOnlyMemory<byte> commands, CancellationToken cancel)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", Port, cancel).ConfigureAwait(false);
        var stream = client.GetStream();
        var end = Guid.NewGuid().ToString("N");
        var answers = Task.Run(async () =>
        {
            var buffer = new byte[1 << 16];
            var tail = "";
            while (!tail.Contains(end, StringComparison.Ordinal))
            {
                var n = await stream.ReadAsync(buffer, cancel).ConfigureAwait(false);
                if (n == 0)
                    throw new TestServerException("Redis hung up.");
                tail = tail[Math.Max(0, tail.Length - 100)..] + Encoding.Latin1.GetString(buffer, 0, n);
                if (tail.Contains("\r\n-", StringComparison.Ordinal) || tail.StartsWith('-'))
                    throw new TestServerException($"Redis refused a command: {tail[^Math.Min(tail.Length, 200)..]}");
            }
        }, cancel);
        await stream.WriteAsync(commands, cancel).ConfigureAwait(false);
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"*2\r\n$4\r\nECHO\r\n$32\r\n{end}\r\n"), cancel).ConfigureAwait(false);
        await answers.ConfigureAwait(false);
    }

    /// <summary>Kills it, as an out-of-memory killer would.</summary>
    public async Task KillAsync(CancellationToken cancel)
    {
        await _process!.SignalAsync("KILL", cancel).ConfigureAwait(false);
        await _process.WaitForExitAsync(cancel).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
            await process.DisposeAsync().ConfigureAwait(false);
        _process = null;
        _folder.Dispose();
    }

    private async Task WriteFilesAsync(IReadOnlyList<string> settings, CancellationToken cancel)
    {
        string[] listen = Tls is null
            ? [$"port {Port}"]
            : ["port 0", $"tls-port {Port}", $"tls-cert-file {Tls.ServerCertificate}", $"tls-key-file {Tls.ServerKey}", $"tls-ca-cert-file {Tls.RootCertificate}", "tls-auth-clients no"];
        await File.WriteAllLinesAsync(
            _folder["redis.conf"],
            ["bind 127.0.0.1", .. listen, "save \"\"", "appendonly no", "daemonize no", "enable-debug-command yes", $"dir {_folder["data"]}", .. settings],
            cancel).ConfigureAwait(false);
        await File.WriteAllTextAsync(_folder["log"], "", cancel).ConfigureAwait(false);
        Directory.CreateDirectory(_folder["data"]);
        await ServiceUser.GiveAsync(_folder["data"], cancel).ConfigureAwait(false);
        await ServiceUser.GiveAsync(_folder["redis.conf"], cancel).ConfigureAwait(false);
        await ServiceUser.GiveAsync(_folder["log"], cancel).ConfigureAwait(false);
        if (Tls is not null)
            await ServiceUser.GiveAsync(_folder["tls"], cancel).ConfigureAwait(false);
    }

    private async Task<bool> TryStartAsync(string program, CancellationToken cancel)
    {
        var process = GuardedProcess.Start([program, _folder["redis.conf"]], _folder["log"], lastSignal: "KILL", _folder.Path);
        var clock = Stopwatch.StartNew();
        while (!process.Log.Contains("Ready to accept connections", StringComparison.Ordinal))
        {
            if (!process.HasExited && clock.Elapsed < TimeSpan.FromSeconds(30) && !cancel.IsCancellationRequested)
            {
                await Task.Delay(20, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                continue;
            }

            await process.DisposeAsync().ConfigureAwait(false);
            cancel.ThrowIfCancellationRequested();
            if (process.Log.Contains("Address already in use", StringComparison.OrdinalIgnoreCase))
                return false;
            throw new TestServerException($"redis-server did not start: {process.Log}");
        }

        _process = process;
        return true;
    }
}
