using System.Buffers;
using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>
/// One connection to one Redis server. Not a general client: it never reconnects by itself, so that nothing is sent twice, and
/// lets values of any size pass through in pieces. Used by one task at a time.
/// </summary>
internal sealed class RedisSession : IAsyncDisposable
{
    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(15);

    /// <summary>A server that works on one huge value says nothing meanwhile.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly Socket socket;
    private readonly RedisUrl url;
    private Stream stream;
    private int database;

    private RedisSession(RedisUrl url, Socket socket)
    {
        this.url = url;
        this.socket = socket;
        stream = new NetworkStream(socket, ownsSocket: true);
        Reader = new RespReader(FillAsync);
    }

    /// <summary>Commands gathered for <see cref="FlushAsync"/>.</summary>
    public ArrayBufferWriter<byte> Out { get; } = new(1 << 16);

    public RespReader Reader { get; }

    /// <summary>Connects and logs in.</summary>
    /// <exception cref="MoltException"><c>RedisUnreachable</c>, <c>RedisTlsFailed</c>, <c>RedisAuthenticationFailed</c>, <c>RedisBusy</c>.</exception>
    public static async Task<RedisSession> OpenAsync(RedisUrl url, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(ConnectTime);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            await socket.ConnectAsync(url.Host, url.Port, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            socket.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            throw Unreachable(url, e is SocketException { SocketErrorCode: var code } ? code switch
            {
                SocketError.ConnectionRefused => "connection refused",
                SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain or SocketError.NoRecovery => "the name isn't known",
                SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown => "no route to it",
                SocketError.TimedOut => "no answer",
                _ => e.Message,
            }
            : "no answer within 15 s", e);
        }

        var session = new RedisSession(url, socket);
        try
        {
            if (url.Tls)
            {
                await session.SecureAsync(limit.Token).ConfigureAwait(false);
            }

            await session.LogInAsync(limit.Token).ConfigureAwait(false);
            return session;
        }
        catch (Exception e)
        {
            var secure = session.stream is SslStream { IsAuthenticated: true };
            await session.DisposeAsync().ConfigureAwait(false);
            cancellationToken.ThrowIfCancellationRequested();
            throw e switch
            {
                OperationCanceledException when url.Tls && !secure => TlsFailed(url, "it does not answer in TLS", e),
                OperationCanceledException => Unreachable(url, "no answer within 15 s: it may be no Redis server, or one with TLS (rediss://)", e),
                MoltException { Id: "RedisConnectionLost" } => Unreachable(url, "it closed the connection: it may want TLS (rediss://)", e),
                _ => e,
            };
        }
    }

    /// <summary>Sends what has been gathered.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        await WriteAsync(Out.WrittenMemory, cancellationToken).ConfigureAwait(false);
        Out.ResetWrittenCount();
    }

    /// <summary>Sends bytes at once; what was gathered must have been flushed.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            var sent = stream.WriteAsync(bytes, cancellationToken);
            if (!sent.IsCompletedSuccessfully)
            {
                await sent.AsTask().WaitAsync(Patience, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or TimeoutException or ObjectDisposedException)
        {
            throw Lost(e);
        }
    }

    /// <summary>Sends one command behind what was gathered, and reads its answer, when nothing else is under way.</summary>
    /// <exception cref="MoltException">The server refuses it: see <see cref="Refusal"/>.</exception>
    public async Task<RespValue> CallAsync(CancellationToken cancellationToken, params string[] words)
    {
        Out.Command(words);
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        return await AnswerAsync(words[0], cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Reads one answer.</summary>
    /// <exception cref="MoltException">The server refuses the command.</exception>
    public async Task<RespValue> AnswerAsync(string command, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await Reader.ValueAsync(cancellationToken).ConfigureAwait(false);
            return answer.Head.IsError ? throw Refusal(answer.Text, command) : answer;
        }
        catch (InvalidDataException e)
        {
            throw Nonsense(e);
        }
    }

    /// <summary>Turns to another database.</summary>
    /// <exception cref="MoltException"><c>RedisDatabaseMissing</c> when the server has none of that number.</exception>
    public async Task SelectAsync(int number, CancellationToken cancellationToken)
    {
        if (number == database)
        {
            return;
        }

        Out.Command("SELECT", number.ToString(CultureInfo.InvariantCulture));
        await FlushAsync(cancellationToken).ConfigureAwait(false);
        var answer = await Reader.ValueAsync(cancellationToken).ConfigureAwait(false);
        if (answer.Head.IsError)
        {
            throw answer.Text.Contains("out of range", StringComparison.Ordinal) || answer.Text.Contains("invalid DB index", StringComparison.Ordinal)
                ? new MoltException("RedisDatabaseMissing", ErrorKind.NotFound, string.Create(CultureInfo.InvariantCulture, $"The Redis server {url} has no database {number}."),
                    "Choose others, or raise the setting databases of that server.", url.ToString())
                : Refusal(answer.Text, "SELECT");
        }

        database = number;
    }

    /// <summary>What the server's error means.</summary>
    public MoltException Refusal(string error, string command)
    {
        // Some errors repeat a command's arguments.
        var text = error.Split(", with args", 2)[0];
        text = text.Length > 200 ? text[..200] + "…" : text;
        var code = text.Split(' ')[0];
        MoltException Make(string id, ErrorKind kind, string message, string remedy) => new(id, kind, message, remedy, url.ToString());
        return code switch
        {
            "NOAUTH" => AuthenticationFailed("it wants a password, and the URL has none"),
            "NOPERM" => Make("RedisDenied", ErrorKind.PermissionDenied, $"The Redis server {url} does not allow this user what is needed: {text}",
                "Let an administrator grant it; docs/plan.md lists the commands. Or use another user."),
            "LOADING" or "MASTERDOWN" or "BUSY" => Make("RedisBusy", ErrorKind.Busy, $"The Redis server {url} cannot answer now: {text}", "Try again when it has loaded its data, or its script has ended."),
            "READONLY" => Make("RedisIsReplica", ErrorKind.NotSupported, $"The Redis server {url} is a replica and takes no writes.", "Name its master."),
            "OOM" => Make("RedisFull", ErrorKind.ResourceFull, $"The Redis server {url} has reached its maxmemory.", "Raise maxmemory, or free memory there."),
            "MOVED" or "ASK" or "CLUSTERDOWN" or "CROSSSLOT" => IsCluster(),
            _ => Make("RedisRefused", ErrorKind.Failed, $"The Redis server {url} refuses {command}: {text}", "See the message, and the server's log."),
        };
    }

    public MoltException IsCluster() => new("RedisIsCluster", ErrorKind.NotSupported, $"The Redis server {url} is part of a cluster, which is not supported: one node has only some of the keys.",
        "Back up each node with redis-cli --rdb, or use a Redis that is no cluster.", url.ToString());

    public MoltException Nonsense(Exception e) => new("RedisRefused", ErrorKind.Failed, $"What {url} answers is not Redis' protocol.", "Check host and port.", url.ToString(), e);

    public async ValueTask DisposeAsync()
    {
        // Not politely: a TLS goodbye can wait for a peer that is gone.
        socket.Dispose();
        try
        {
            await stream.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // It is closed, which is all that was wanted.
        }
    }

    private static MoltException Unreachable(RedisUrl url, string why, Exception inner)
        => new("RedisUnreachable", ErrorKind.ConnectionFailed, $"The Redis server {url} cannot be reached: {why}.", "Check host and port, and whether it runs.", url.ToString(), inner);

    private static MoltException TlsFailed(RedisUrl url, string why, Exception inner)
        => new("RedisTlsFailed", ErrorKind.ConnectionFailed, $"No TLS session with the Redis server {url}: {why}.",
            "Give the authority that signed its certificate as rediss://…?cacert=/absolute/path.pem, use the host name in the certificate, or redis:// for a server without TLS.", url.ToString(), inner);

    private MoltException AuthenticationFailed(string why)
        => new("RedisAuthenticationFailed", ErrorKind.AuthenticationFailed, $"The Redis server {url} does not let us in: {why}.", "Correct user and password in what the URL is taken from.", url.ToString());

    private MoltException Lost(Exception? inner)
        => new("RedisConnectionLost", ErrorKind.ConnectionFailed, $"The connection to the Redis server {url} broke{(inner is TimeoutException ? ": it said nothing for 5 minutes" : "")}.", "Check network and server, and try again.", url.ToString(), inner);

    private async ValueTask<int> FillAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            var read = stream.ReadAsync(buffer, cancellationToken);
            var n = read.IsCompletedSuccessfully ? read.Result : await read.AsTask().WaitAsync(Patience, cancellationToken).ConfigureAwait(false);
            return n > 0 ? n : throw Lost(null);
        }
        catch (Exception e) when (e is IOException or SocketException or TimeoutException or ObjectDisposedException)
        {
            throw Lost(e);
        }
    }

    private async Task LogInAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (url.Password is not null)
            {
                Out.Command(url.User is null ? ["AUTH", url.Password] : ["AUTH", url.User, url.Password]);
                await FlushAsync(cancellationToken).ConfigureAwait(false);
                Out.Clear();

                // What it says is not repeated: whatever answers there has just been told the password.
                var answer = await Reader.ValueAsync(cancellationToken).ConfigureAwait(false);
                if (answer.Head.IsError)
                {
                    throw answer.Text.Contains("without any password", StringComparison.Ordinal) ? AuthenticationFailed("it has no password for the default user, and the URL has one")
                        : answer.Text.StartsWith("WRONGPASS", StringComparison.Ordinal) || answer.Text.Contains("invalid", StringComparison.OrdinalIgnoreCase) ? AuthenticationFailed("user or password is wrong")
                        : answer.Text.StartsWith("LOADING", StringComparison.Ordinal) ? Refusal("LOADING it loads its data", "AUTH")
                        : AuthenticationFailed("it refuses to take user and password");
                }
            }

            // For those who look at its list of clients; where it may not be said it is not.
            Out.Command("CLIENT", "SETNAME", "moltbeat");
            await FlushAsync(cancellationToken).ConfigureAwait(false);
            var named = await Reader.ValueAsync(cancellationToken).ConfigureAwait(false);
            if (named.Head.IsError && named.Text.Split(' ')[0] is "NOAUTH" or "LOADING" or "MASTERDOWN")
            {
                throw Refusal(named.Text, "CLIENT");
            }
        }
        catch (InvalidDataException e)
        {
            throw Nonsense(e);
        }
    }

    private async Task SecureAsync(CancellationToken cancellationToken)
    {
        string? rejection = null;
        var secure = new SslStream(stream, leaveInnerStreamOpen: false);
        stream = secure;
        try
        {
            await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = url.Host,
                RemoteCertificateValidationCallback = (_, certificate, chain, errors) => (rejection = Objection(certificate, chain, errors)) is null,
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            throw TlsFailed(url, rejection ?? (e is IOException ? "it does not answer in TLS" : e.Message), e);
        }
    }

    private string? Objection(X509Certificate? presented, X509Chain? sent, SslPolicyErrors errors)
    {
        if (presented is null)
        {
            return "it showed no certificate";
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            return $"its certificate is not for the host {url.Host}";
        }

        if (url.AuthorityFile is null)
        {
            return errors == SslPolicyErrors.None ? null : $"its certificate leads to no authority that this machine trusts ({string.Join(", ", sent?.ChainStatus.Select(s => s.Status) ?? [])})";
        }

        using X509Certificate2 certificate = new(presented);
        using X509Chain chain = new();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1")); // server authentication
        if (sent is not null)
        {
            chain.ChainPolicy.ExtraStore.AddRange(sent.ChainPolicy.ExtraStore);
        }

        try
        {
            chain.ChainPolicy.CustomTrustStore.ImportFromPemFile(url.AuthorityFile);
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            return $"the authorities in {url.AuthorityFile} can't be read";
        }

        return chain.Build(certificate) ? null : $"its certificate does not lead to an authority in {url.AuthorityFile} ({string.Join(", ", chain.ChainStatus.Select(s => s.Status))})";
    }
}
