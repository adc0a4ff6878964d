using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Alerting;

/// <summary>Alerts by SMTP.</summary>
public sealed class EmailTests : IAsyncDisposable
{
    private readonly AlertBench _bench = new();
    private readonly MailReceiver _mail = MailReceiver.Start();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private PlannedRoute Route => new("mail", PlannedRoute.Email)
    {
        Server = $"127.0.0.1:{_mail.Port}",
        From = "backups@example.org",
        To = ["ops@example.org", "lead@example.org"],
        User = "backups",
        Password = "env:MAIL",
        Tls = PlannedRoute.NoTls,
    };

    public async ValueTask DisposeAsync()
    {
        await _mail.DisposeAsync();
        await _bench.DisposeAsync();
    }

    [Fact]
    public async Task A_mail_is_one_thread_for_one_problem()
    {
        foreach (var alert in new[] { AlertBench.Failure() with { Summary = "Ein Fehler\r\nBcc: evil@example.org: größer" }, AlertBench.Success() })
        {
            Assert.Equal(AlertStatus.Sent, (await SendAsync(alert)).Status);
        }

        Assert.Equal(2, _mail.Mails.Count);
        var (first, second) = (_mail.Mails[0], _mail.Mails[1]);
        Assert.Equal(("backups@example.org", "backups"), (first.From, first.User));
        Assert.Equal(["ops@example.org", "lead@example.org"], first.To);
        Assert.DoesNotContain("\nBcc:", first.Text, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("Importance: high", first.Text, StringComparison.Ordinal);
        Assert.Contains("Auto-Submitted: auto-generated", first.Text, StringComparison.Ordinal);
        Assert.Contains("errorId: StoreFull", first.Text, StringComparison.Ordinal);
        Assert.Contains("Subject: [resolved] BackupFailed moltbeat: The backup went well.", second.Text, StringComparison.Ordinal);
        static string Header(string mail, string name) => mail.Split('\n').Single(l => l.StartsWith(name + ":", StringComparison.Ordinal));
        Assert.Equal(Header(first.Text, "References"), Header(second.Text, "References"));
        Assert.NotEqual(Header(first.Text, "Message-Id"), Header(second.Text, "Message-Id"));
    }

    [Fact]
    public async Task A_receiver_that_is_not_known_does_not_keep_the_mail_from_the_others()
    {
        _mail.Unknown.Add("ops@example.org");
        var sent = await SendAsync(AlertBench.Failure());
        Assert.Equal(AlertStatus.Sent, sent.Status);
        Assert.Contains("not for ops@example.org", sent.Detail, StringComparison.Ordinal);
        Assert.Equal(["lead@example.org"], Assert.Single(_mail.Mails).To);
        _mail.Unknown.Add("lead@example.org");
        Assert.Equal(AlertStatus.Failed, (await SendAsync(AlertBench.Failure("other"))).Status);
    }

    [Theory]
    [InlineData("451 later", AlertStatus.Waiting)]
    [InlineData("", AlertStatus.Waiting)]
    [InlineData("554 never", AlertStatus.Failed)]
    public async Task What_the_server_says_decides(string refusal, AlertStatus status)
    {
        _mail.Refusal = refusal;
        Assert.Equal(status, (await SendAsync(AlertBench.Failure())).Status);
        Assert.Empty(_mail.Mails);
        _mail.Refusal = null;
        Assert.Equal(AlertStatus.Sent, (await SendAsync(AlertBench.Failure("next"))).Status);
        Assert.Equal(status == AlertStatus.Waiting ? 2 : 1, _mail.Mails.Count);
    }

    [Fact]
    public async Task A_server_that_hangs_up_after_it_took_the_mail_gets_it_once()
    {
        _mail.LeavesRudely = true;
        var sent = await SendAsync(AlertBench.Failure());
        Assert.Equal((AlertStatus.Sent, 1), (sent.Status, sent.Attempts));
        Assert.Single(_mail.Mails);
    }

    [Fact]
    public async Task A_wrong_password_makes_the_mail_wait_and_is_not_repeated()
    {
        var waiting = await SendAsync(AlertBench.Failure(), password: "s3cretWrong");
        Assert.Equal(AlertStatus.Waiting, waiting.Status);
        Assert.DoesNotContain("s3cret", waiting.ToString(), StringComparison.Ordinal);
        Assert.Equal(AlertStatus.Sent, (await SendAsync(AlertBench.Failure("next"))).Status);
        Assert.Equal(2, _mail.Mails.Count);
    }

    [Fact]
    public async Task Without_STARTTLS_or_with_a_certificate_that_nobody_trusts_neither_password_nor_mail_is_sent()
    {
        var route = Route with { Tls = null };
        Assert.Equal(AlertStatus.Waiting, (await SendAsync(AlertBench.Failure(), route)).Status);
        using var certificate = AlertReceiver.MakeCertificate();
        await using var other = MailReceiver.Start(certificate);
        var waiting = await SendAsync(AlertBench.Failure(), route with { Server = $"localhost:{other.Port}" });
        Assert.Equal(AlertStatus.Waiting, waiting.Status);
        Assert.Contains("certificate", waiting.Detail, StringComparison.Ordinal);
        Assert.Empty(_mail.Mails.Concat(other.Mails));
    }

    private async Task<AlertDelivery> SendAsync(Alert alert, PlannedRoute? route = null, string password = MailReceiver.Password)
    {
        _bench.Secrets["MAIL"] = password;
        return Assert.Single(await _bench.Sender(new PlannedAlerts { Source = "web-1", Routes = [route ?? Route] }).SendAsync(alert, null, Cancel));
    }
}
