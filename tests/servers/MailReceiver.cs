using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace MoltBeat.TestServers;

/// <summary>A mail as the server has taken it.</summary>
/// <param name="From">Of the envelope.</param>
/// <param name="To">Of the envelope; only those that the server knows.</param>
/// <param name="User">Who had logged in; null for nobody.</param>
/// <param name="Text">Head and body.</param>
/// <param name="Encrypted">Whether it came through TLS.</param>
public sealed record ReceivedMail(string From, IReadOnlyList<string> To, string? User, string Text, bool Encrypted);

/// <summary>An SMTP server (RFC 5321, STARTTLS of RFC 3207, AUTH PLAIN of RFC 4954) on this machine's own loopback that keeps what it is sent.</summary>
public sealed class MailReceiver : IAsyncDisposable
{
    /// <summary>The password of every user.</summary>
    public const string Password = "letters+only";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _lock = new();
    private readonly List<ReceivedMail> _mails = [];
    private readonly X509Certificate2? _certificate;
    private readonly Task _accepting;

    private MailReceiver(X509Certificate2? certificate)
    {
        _certificate = certificate;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public IReadOnlyList<ReceivedMail> Mails
    {
        get
        {
            lock (_lock)
                return [.. _mails];
        }
    }

    /// <summary>Receivers that it does not know.</summary>
    public HashSet<string> Unknown { get; } = [];

    /// <summary>Its answer to a mail's end in place of taking it, such as <c>451 later</c>; empty to close the connection.</summary>
    public string? Refusal { get; set; }

    /// <summary>Closes the connection in place of answering QUIT.</summary>
    public bool LeavesRudely { get; set; }

    /// <summary>Starts one.</summary>
    /// <param name="certificate">With it, STARTTLS is offered.</param>
    public static MailReceiver Start(X509Certificate2? certificate = null) => new(certificate);

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
                await TalkAsync(client.GetStream()).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or System.Security.Authentication.AuthenticationException or ObjectDisposedException)
            {
                // The client has gone, or did not trust us.
            }
        }
    }

    private async Task TalkAsync(Stream stream)
    {
        var reader = new StreamReader(stream, Encoding.UTF8);
        string? user = null;
        var from = "";
        var to = new List<string>();
        Task Say(string text) => stream.WriteAsync(Encoding.UTF8.GetBytes(text + "\r\n"), _stop.Token).AsTask();
        await Say("220 localhost").ConfigureAwait(false);
        while (await reader.ReadLineAsync(_stop.Token).ConfigureAwait(false) is { } line)
        {
            switch (line.Split(' ', ':')[0].ToUpperInvariant())
            {
                case "EHLO":
                    await Say("250-localhost").ConfigureAwait(false);
                    if (_certificate is not null && stream is not SslStream)
                        await Say("250-STARTTLS").ConfigureAwait(false);
                    await Say("250-AUTH PLAIN").ConfigureAwait(false);
                    await Say("250 8BITMIME").ConfigureAwait(false);
                    break;
                case "STARTTLS" when _certificate is not null:
                    await Say("220 go ahead").ConfigureAwait(false);
                    var tls = new SslStream(stream);
                    await tls.AuthenticateAsServerAsync(_certificate).ConfigureAwait(false);
                    (stream, reader) = (tls, new StreamReader(tls, Encoding.UTF8));
                    break;
                case "AUTH":
                    var parts = Encoding.UTF8.GetString(Convert.FromBase64String(line.Split(' ')[2])).Split('\0');
                    user = parts[2] == Password ? parts[1] : null;
                    await Say(user is null ? $"535 wrong: {parts[2]}" : "235 welcome").ConfigureAwait(false);
                    break;
                case "MAIL":
                    from = Address(line);
                    to.Clear();
                    await Say("250 ok").ConfigureAwait(false);
                    break;
                case "RCPT":
                    var isKnown = !Unknown.Contains(Address(line));
                    if (isKnown)
                        to.Add(Address(line));
                    await Say(isKnown ? "250 ok" : "550 nobody of that name").ConfigureAwait(false);
                    break;
                case "DATA" when to.Count == 0:
                    await Say("554 for whom?").ConfigureAwait(false);
                    break;
                case "DATA":
                    await Say("354 go ahead").ConfigureAwait(false);
                    var text = new StringBuilder();
                    while (await reader.ReadLineAsync(_stop.Token).ConfigureAwait(false) is { } next && next != ".")
                        text.Append(next.StartsWith('.') ? next[1..] : next).Append('\n');
                    if (Refusal is { } refusal)
                    {
                        if (refusal.Length == 0)
                            return;
                        await Say(refusal).ConfigureAwait(false);
                        break;
                    }

                    lock (_lock)
                        _mails.Add(new ReceivedMail(from, [.. to], user, text.ToString(), stream is SslStream));
                    await Say("250 taken").ConfigureAwait(false);
                    break;
                case "QUIT" when LeavesRudely:
                    return;
                case "QUIT":
                    await Say("221 bye").ConfigureAwait(false);
                    return;
                case "RSET" or "NOOP":
                    await Say("250 ok").ConfigureAwait(false);
                    break;
                default:
                    await Say("502 what?").ConfigureAwait(false);
                    break;
            }
        }
    }

    private static string Address(string line) => line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('>', StringComparison.Ordinal)];
}
