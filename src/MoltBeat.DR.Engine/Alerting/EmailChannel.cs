using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>E-mail by SMTP. What is told of one problem is one thread of messages.</summary>
/// <param name="route">Its server, addresses and user.</param>
/// <param name="password">The user's; null for no login.</param>
internal sealed class EmailChannel(PlannedRoute route, string? password) : IAlertChannel
{
    private const int ImplicitTlsPort = 465;

    public bool FoldsByKey => false;

    public async Task<ChannelAnswer> SendAsync(Alert alert, CancellationToken cancellationToken)
    {
        var (host, port) = route.HostAndPort()!.Value;
        var tls = route.Tls ?? (port == ImplicitTlsPort ? PlannedRoute.ImplicitTls : PlannedRoute.StartTls);
        try
        {
            // As .NET's own HTTP client does: an authority's list of revoked certificates may not be reachable just when it matters.
            using var client = new Client { CheckCertificateRevocation = false };

            // Never "when available": whoever is on the line could say that it is not.
            await client.ConnectAsync(host, port, tls switch
            {
                PlannedRoute.ImplicitTls => SecureSocketOptions.SslOnConnect,
                PlannedRoute.NoTls => SecureSocketOptions.None,
                _ => SecureSocketOptions.StartTls,
            }, cancellationToken).ConfigureAwait(false);
            if (password is not null)
            {
                await client.AuthenticateAsync(route.User!, password, cancellationToken).ConfigureAwait(false);
            }

            using var message = Message(alert);
            await client.SendAsync(message, cancellationToken).ConfigureAwait(false);
            await LeaveAsync(client, cancellationToken).ConfigureAwait(false);
            return new(ChannelOutcome.Delivered, client.NotAccepted.Count == 0 ? "the mail server took it" : $"the mail server took it, but not for {string.Join(", ", client.NotAccepted)}");
        }
        catch (SmtpCommandException e)
        {
            var status = (int)e.StatusCode;
            return new(status >= 500 ? ChannelOutcome.Refused : ChannelOutcome.Again, string.Create(CultureInfo.InvariantCulture, $"the mail server answered {status}: {Redact(e.Message)}"));
        }
        catch (AuthenticationException)
        {
            // Not for good: somebody will correct the password, and then it is to be sent.
            return new(ChannelOutcome.Again, $"the mail server did not accept the password of {route.User}");
        }
        catch (Exception e) when (e is SslHandshakeException or NotSupportedException)
        {
            return new(ChannelOutcome.Again, e is NotSupportedException ? "the mail server does not offer what is asked for, such as STARTTLS or a login" : "no safe connection to the mail server came about: its certificate is not trusted, or it does not speak TLS on that port");
        }
        catch (Exception e) when (e is SocketException or IOException or ProtocolException or ServiceNotConnectedException or TimeoutException)
        {
            return new(ChannelOutcome.Again, e is SocketException ? "the mail server cannot be reached" : "the connection to the mail server broke off");
        }
    }

    /// <summary>The mail is taken by then; what happens when leaving is of no account.</summary>
    private static async Task LeaveAsync(Client client, CancellationToken cancellationToken)
    {
        try
        {
            await client.DisconnectAsync(quit: true, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or SocketException or ProtocolException or CommandException or OperationCanceledException)
        {
            // See above.
        }
    }

    private string Redact(string text) => AlertText.Redact(text, password is null ? [] : [password, Convert.ToBase64String(Encoding.UTF8.GetBytes(password))]);

    private MimeMessage Message(Alert alert)
    {
        var message = new MimeMessage
        {
            Subject = (alert.IsTest ? "TEST: " : "") + alert.Kind switch
            {
                AlertKind.Trigger => $"[{alert.Severity}] ",
                AlertKind.Acknowledge => "[acknowledged] ",
                _ => "[resolved] ",
            } + $"{alert.Problem} {alert.Subject}: {alert.Summary}",
            Date = alert.Time,
            MessageId = $"{alert.Id}@moltbeat-dr.invalid",
            Importance = alert is { Kind: AlertKind.Trigger, Severity: <= Priority.P1 } ? MessageImportance.High : MessageImportance.Normal,
        };
        message.References.Add($"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(alert.Key)).AsSpan(0, 16))}@moltbeat-dr.invalid");
        message.Headers.Add("Auto-Submitted", "auto-generated");
        message.From.Add(MailboxAddress.Parse(route.From!));
        message.To.AddRange(route.To.Select(MailboxAddress.Parse));
        var text = new StringBuilder();
        text.Append(alert.Summary).Append("\n\n");
        foreach (var (name, value) in alert.Details.Prepend(new("Time", AlertJson.Time(alert.Time))).Prepend(new("Machine", alert.Source)))
        {
            text.Append(name).Append(": ").Append(value).Append('\n');
        }

        message.Body = new TextPart("plain") { Text = text.ToString() };
        return message;
    }

    /// <summary>One receiver that the server does not know must not keep the mail from the others.</summary>
    private sealed class Client : SmtpClient
    {
        public List<string> NotAccepted { get; } = [];

        protected override void OnRecipientNotAccepted(MimeMessage message, MailboxAddress mailbox, SmtpResponse response) => NotAccepted.Add(mailbox.Address);

        protected override void OnNoRecipientsAccepted(MimeMessage message)
            => throw new SmtpCommandException(SmtpErrorCode.RecipientNotAccepted, SmtpStatusCode.MailboxUnavailable, "it knows none of the receivers");
    }
}
