using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace MoltBeat.TestServers;

/// <summary>A request that a service was sent.</summary>
/// <param name="Target">Path and query.</param>
/// <param name="Headers">By their names in small letters.</param>
/// <param name="Body">Its JSON; undefined when there is none.</param>
public sealed record ReceivedAlert(string Target, IReadOnlyDictionary<string, string> Headers, JsonElement Body)
{
    public string Text(params string[] path) => path.Aggregate(Body, (at, name) => at.GetProperty(name)).GetString()!;
}

/// <summary>What the service does with a request in place of taking it.</summary>
/// <param name="Status">Its answer; 0 to close the connection without one, -1 never to answer.</param>
/// <param name="Body">The answer's body; <see cref="Echo"/> for what was sent.</param>
/// <param name="Headers">The answer's further headers, each with a line end.</param>
public sealed record AlertAnswer(int Status, string Body = "", string Headers = "")
{
    public const string Echo = "{echo}";

    public static AlertAnswer Cut { get; } = new(0);

    public static AlertAnswer Silence { get; } = new(-1);
}

/// <summary>
/// Stands for PagerDuty (<c>/v2/enqueue</c>), Slack (<c>/services/…</c>) and any webhook (all else) on this machine's own loopback. It holds bodies to what the
/// services document, and answers as they do.
/// </summary>
public sealed class AlertReceiver : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<ReceivedAlert> _received = [];
    private readonly Queue<AlertAnswer> _answers = [];
    private readonly X509Certificate2? _certificate;
    private readonly Task _accepting;

    private AlertReceiver(X509Certificate2? certificate)
    {
        _certificate = certificate;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Address => _certificate is null ? $"http://127.0.0.1:{Port}" : $"https://localhost:{Port}";

    /// <summary>What was sent, in the order in which it came; that which was refused too.</summary>
    public IReadOnlyList<ReceivedAlert> Received
    {
        get
        {
            lock (_lock)
                return [.. _received];
        }
    }

    /// <summary>Answers every request like this while it is set.</summary>
    public AlertAnswer? Always { get; set; }

    public static AlertReceiver Start() => new(null);

    /// <summary>Starts one that speaks TLS.</summary>
    /// <param name="certificate">With its private key.</param>
    public static AlertReceiver Start(X509Certificate2 certificate) => new(certificate);

    /// <summary>A certificate for <c>localhost</c> that its own key signed.</summary>
    public static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
    }

    /// <summary>Says what is done with the next requests, one after the other.</summary>
    public void Next(params AlertAnswer[] answers)
    {
        lock (_lock)
        {
            foreach (var answer in answers)
                _answers.Enqueue(answer);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        _listener.Stop();
        await _accepting.ConfigureAwait(false);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token).ConfigureAwait(false));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                Stream stream = client.GetStream();
                if (_certificate is not null)
                {
                    var tls = new SslStream(stream);
                    await tls.AuthenticateAsServerAsync(_certificate).ConfigureAwait(false);
                    stream = tls;
                }

                var reader = new HttpRequestReader(stream);
                while (await reader.ReadHeadAsync(_stop.Token).ConfigureAwait(false) is { } head)
                {
                    using var body = new MemoryStream();
                    await reader.CopyBodyAsync(head, async bytes => await body.WriteAsync(bytes, _stop.Token).ConfigureAwait(false), _stop.Token).ConfigureAwait(false);
                    if (!await AnswerAsync(stream, Note(head, body.ToArray())).ConfigureAwait(false))
                        return;
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or System.Security.Authentication.AuthenticationException or ObjectDisposedException)
            {
                // The client has gone, or did not trust us.
            }
        }
    }

    private AlertAnswer Note(HttpRequestHead head, byte[] body)
    {
        var headers = Encoding.Latin1.GetString(head.Bytes).Split("\r\n").Skip(1).Where(l => l.Contains(':', StringComparison.Ordinal))
            .ToDictionary(l => l[..l.IndexOf(':', StringComparison.Ordinal)].ToLowerInvariant(), l => l[(l.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim());
        var received = new ReceivedAlert($"{(head.Request.Method == "POST" ? "" : head.Request.Method + " ")}{head.Request.Target}", headers, body.Length > 0 ? JsonElement.Parse(body) : default);
        lock (_lock)
        {
            _received.Add(received);
            var chosen = Always ?? (_answers.TryDequeue(out var answer) ? answer : AlertRules.Judge(received));
            return chosen.Body == AlertAnswer.Echo
                ? chosen with { Body = $"{received.Headers.GetValueOrDefault("authorization")} {received.Target} {(received.Body.TryGetProperty("routing_key", out var key) ? key : default)} {Address}{received.Target}" }
                : chosen;
        }
    }

    /// <returns>Whether the connection goes on.</returns>
    private async Task<bool> AnswerAsync(Stream stream, AlertAnswer answer)
    {
        if (answer.Status <= 0)
        {
            if (answer.Status < 0)
                await Task.Delay(Timeout.Infinite, _stop.Token).ConfigureAwait(false);
            return false;
        }

        var text = string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {answer.Status} X\r\nContent-Length: {Encoding.UTF8.GetByteCount(answer.Body)}\r\n{answer.Headers}\r\n{answer.Body}");
        await stream.WriteAsync(Encoding.UTF8.GetBytes(text), _stop.Token).ConfigureAwait(false);
        return true;
    }
}
