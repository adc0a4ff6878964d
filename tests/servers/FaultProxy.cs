using System.Net;
using System.Net.Sockets;

namespace MoltBeat.TestServers;

/// <summary>
/// A proxy before an HTTP/1.1 server, such as a <see cref="CephGateway"/>, that counts requests and does harm to those that a test chooses. What
/// passes it is passed byte for byte, Host included, so that signatures hold.
/// </summary>
public sealed class FaultProxy : IAsyncDisposable
{
    private long _answered;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<Fault> _faults = [];
    private readonly List<ProxiedRequest> _requests = [];
    private readonly HashSet<Task> _connections = [];
    private readonly Uri _server;
    private readonly Task _accepting;

    private FaultProxy(Uri server)
    {
        _server = server;
        _listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    /// <summary>Where clients connect to.</summary>
    public Uri Address { get; }

    /// <summary>All requests since the start or <see cref="Forget"/>, those that were answered here too; in the order in which they came.</summary>
    public IReadOnlyList<ProxiedRequest> Requests
    {
        get
        {
            lock (_lock)
                return [.. _requests];
        }
    }

    /// <summary>Starts one that passes everything on.</summary>
    /// <param name="server">The server's address; plain HTTP.</param>
    public static FaultProxy Start(Uri server) => new(server);

    /// <summary>How many requests there were since the start or <see cref="Forget"/>.</summary>
    /// <param name="method">Only those of this method.</param>
    /// <param name="contains">Only those whose path and query contain this.</param>
    public int Count(string? method = null, string? contains = null) => Requests.Count(
        r => (method is null || r.Method == method) && (contains is null || r.Target.Contains(contains, StringComparison.Ordinal)));

    /// <summary>Bytes that the server has answered since the start or <see cref="Forget"/>, heads included.</summary>
    public long AnsweredBytes => Interlocked.Read(ref _answered);

    /// <summary>Begins to count anew.</summary>
    public void Forget()
    {
        lock (_lock)
            _requests.Clear();
        Interlocked.Exchange(ref _answered, 0);
    }

    internal void Answered(int bytes) => Interlocked.Add(ref _answered, bytes);

    /// <summary>Adds a fault, behind those that are there: the first that takes a request hits it, alone.</summary>
    /// <returns>The same fault, whose <see cref="Fault.Hits"/> tell.</returns>
    public Fault Add(Fault fault)
    {
        lock (_lock)
            _faults.Add(fault);
        return fault;
    }

    /// <summary>Ends all faults for requests to come.</summary>
    public void Clear()
    {
        lock (_lock)
            _faults.Clear();
    }

    /// <summary>Cuts all connections and stops listening: from then on clients are refused.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Stop();
        await _accepting.ConfigureAwait(false);
        Task[] connections;
        lock (_lock)
            connections = [.. _connections];
        await Task.WhenAll(connections).ConfigureAwait(false);
        _listener.Dispose();
        _stop.Dispose();
    }

    /// <summary>Notes a request, and finds what is to be done to it.</summary>
    internal Fault? Take(ProxiedRequest request)
    {
        lock (_lock)
        {
            _requests.Add(request);
            return _faults.Find(f => f.Takes(request));
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await _listener.AcceptSocketAsync(_stop.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            var connection = Task.Run(() => ServeAsync(client), CancellationToken.None);
            lock (_lock)
            {
                _connections.RemoveWhere(c => c.IsCompleted);
                _connections.Add(connection);
            }
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var connection = new ProxiedConnection(this, client);
        using var stopped = _stop.Token.Register(connection.Reset);
        await connection.RunAsync(_server, _stop.Token).ConfigureAwait(false);
    }
}
