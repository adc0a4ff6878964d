using System.Text.Json;
using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Alerting;

/// <summary>What PagerDuty, Slack and a webhook are sent, and what is made of their answers.</summary>
public sealed class AlertChannelTests : IAsyncDisposable
{
    private readonly AlertBench _bench = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task PagerDuty_opens_acknowledges_and_closes_one_incident()
    {
        var sender = _bench.Sender(_bench.Only("pager"));
        foreach (var kind in new[] { AlertKind.Trigger, AlertKind.Trigger, AlertKind.Acknowledge, AlertKind.Resolve })
        {
            var sent = Assert.Single(await sender.SendAsync(AlertBench.Failure() with { Kind = kind }, null, Cancel));
            Assert.Equal((AlertStatus.Sent, 1, 0), (sent.Status, sent.Attempts, sent.Waiting));
        }

        var received = _bench.Receiver.Received;
        Assert.Equal(["trigger", "trigger", "acknowledge", "resolve"], received.Select(r => r.Text("event_action")));
        Assert.Equal("moltbeat-dr/web-1/BackupFailed/moltbeat", Assert.Single(received.Select(r => r.Text("dedup_key")).Distinct()));
        var payload = received[0].Body.GetProperty("payload");
        Assert.Equal("The backup of moltbeat failed: the disk is full.", payload.GetProperty("summary").GetString());
        Assert.Equal(("web-1", "error", "moltbeat", "BackupFailed"), (payload.GetProperty("source").GetString(), payload.GetProperty("severity").GetString(), payload.GetProperty("component").GetString(), payload.GetProperty("class").GetString()));
        Assert.Equal("StoreFull", payload.GetProperty("custom_details").GetProperty("errorId").GetString());
        Assert.False(received[3].Body.TryGetProperty("payload", out _));
    }

    [Fact]
    public async Task Slack_gets_blocks_in_which_nothing_of_ours_is_markup()
    {
        var alert = new Alert(AlertProblems.SizeAnomaly, "a<b>&c", "<!channel> " + new string('x', 4000)) { Details = Enumerable.Range(0, 30).ToDictionary(i => $"n{i}", _ => new string('<', 3000)) };
        Assert.Equal(AlertStatus.Sent, Assert.Single(await _bench.Sender(_bench.Only("chat")).SendAsync(alert, null, Cancel)).Status);
        var body = Assert.Single(_bench.Receiver.Received).Body;
        Assert.Contains("P2 SizeAnomaly: a<b>&c", body.GetProperty("blocks")[0].GetProperty("text").GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("&lt;!channel&gt; xxx", body.GetProperty("blocks")[1].GetProperty("text").GetProperty("text").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("<", body.GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_webhook_gets_all_there_is_and_what_authorizes_it()
    {
        await _bench.Sender(_bench.Only("hook")).SendAsync(AlertBench.Failure(), null, Cancel);
        var received = Assert.Single(_bench.Receiver.Received);
        Assert.Equal("Bearer s3cretToken", received.Headers["authorization"]);
        Assert.Equal(received.Text("id"), received.Headers["idempotency-key"]);
        Assert.Equal(("trigger", "P1", "web-1", "12.5 s"), (received.Text("event"), received.Text("severity"), received.Text("source"), received.Text("details", "duration")));
        Assert.False(received.Body.GetProperty("test").GetBoolean());
    }

    [Fact]
    public async Task What_the_service_will_never_take_is_put_aside_and_told()
    {
        _bench.Secrets["PD"] = "wrong-key";
        var failed = Assert.Single(await _bench.Sender(_bench.Only("pager")).SendAsync(AlertBench.Failure(), null, Cancel));
        Assert.Equal((AlertStatus.Failed, 1, 0), (failed.Status, failed.Attempts, failed.Waiting));
        Assert.Contains("routing_key is invalid", failed.Detail, StringComparison.Ordinal);
        Assert.Single(_bench.Refused("pager"));
        Assert.Contains(_bench.Refused("pager")[0], Assert.Single(failed.Notes), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(408)]
    [InlineData(0)]
    [InlineData(-1)]
    public async Task What_goes_wrong_for_now_is_tried_again(int status)
    {
        _bench.Receiver.Next(new AlertAnswer(status), new AlertAnswer(status));
        var sent = Assert.Single(await _bench.Sender(_bench.Only("chat")).SendAsync(AlertBench.Failure(), null, Cancel));
        Assert.Equal(AlertStatus.Sent, sent.Status);
        Assert.True(sent.Attempts >= 3, $"{sent.Attempts} attempts");
        Assert.Empty(_bench.Waiting("chat"));
    }

    [Fact]
    public async Task A_service_that_wants_to_be_left_alone_is_left_alone()
    {
        _bench.Receiver.Next(new AlertAnswer(429, "slow", "Retry-After: 1\r\n"));
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var sent = Assert.Single(await _bench.Sender(_bench.Only("pager")).SendAsync(AlertBench.Failure(), null, Cancel));
        Assert.Equal((AlertStatus.Sent, 2), (sent.Status, sent.Attempts));
        Assert.True(clock.Elapsed >= TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task A_service_that_wants_more_rest_than_there_is_time_is_not_asked_by_anybody_meanwhile()
    {
        _bench.Receiver.Next(new AlertAnswer(429, "slow", "Retry-After: 600\r\n"));
        var sender = _bench.Sender(_bench.Only("pager"));
        Assert.Equal(AlertStatus.Waiting, Assert.Single(await sender.SendAsync(AlertBench.Failure("a"), null, Cancel)).Status);
        var second = Assert.Single(await _bench.Sender(_bench.Only("pager")).SendAsync(AlertBench.Failure("b"), null, Cancel));
        Assert.Equal((AlertStatus.Waiting, 0, 2), (second.Status, second.Attempts, second.Waiting));
        Assert.Single(_bench.Receiver.Received);
        _bench.Time.Ahead = TimeSpan.FromSeconds(601);
        Assert.Equal(AlertStatus.Sent, Assert.Single(await sender.SendWaitingAsync(null, Cancel)).Status);
        Assert.Equal(["a", "a", "b"], _bench.Receiver.Received.Select(r => r.Text("payload", "component")));
    }

    [Theory]
    [InlineData(200, "<html>Log in to the hotel's network</html>", "")]
    [InlineData(302, "", "Location: http://127.0.0.1:1/stolen\r\n")]
    [InlineData(407, "", "")]
    public async Task An_answer_that_is_not_the_services_does_not_count(int status, string body, string headers)
    {
        _bench.Receiver.Always = new AlertAnswer(status, body, headers);
        var results = await _bench.Sender(_bench.Only("pager", "chat")).SendAsync(AlertBench.Failure(), null, Cancel);
        Assert.Equal([AlertStatus.Waiting, AlertStatus.Waiting], results.Select(r => r.Status));
        _bench.Receiver.Always = null;
        Assert.Equal([AlertStatus.Sent, AlertStatus.Sent], (await _bench.Sender(_bench.Only("pager", "chat")).SendWaitingAsync(null, Cancel)).Select(r => r.Status));
    }

    [Fact]
    public async Task A_certificate_that_nobody_trusts_is_not_trusted()
    {
        using var certificate = AlertReceiver.MakeCertificate();
        await using var other = AlertReceiver.Start(certificate);
        _bench.Secrets["SLACK"] = other.Address + AlertBench.SlackPath;
        var waiting = Assert.Single(await _bench.Sender(_bench.Only("chat")).SendAsync(AlertBench.Failure(), null, Cancel));
        Assert.Equal(AlertStatus.Waiting, waiting.Status);
        Assert.Contains("certificate", waiting.Detail, StringComparison.Ordinal);
        Assert.Empty(other.Received);
    }

    [Theory]
    [InlineData("http://hooks.example.org/s3cret")]
    [InlineData("https://u:s3cret@hooks.example.org/")]
    [InlineData("s3cret")]
    [InlineData("file:///etc/s3cret")]
    public async Task An_address_that_is_not_safe_is_not_used_and_not_repeated(string url)
    {
        _bench.Secrets["SLACK"] = url;
        var sender = _bench.Sender(_bench.Only("chat"));
        Assert.Equal("AlertUrlInvalid", Assert.Single(sender.Routes).Fault!.Id);
        var waiting = Assert.Single(await sender.SendAsync(AlertBench.Failure(), null, Cancel));
        Assert.Equal(AlertStatus.Waiting, waiting.Status);
        Assert.DoesNotContain("s3cret", waiting.Detail + sender.Routes[0].Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(500)]
    public async Task No_secret_is_in_results_or_in_the_spool_even_if_the_service_repeats_it(int status)
    {
        _bench.Receiver.Always = new AlertAnswer(status, AlertAnswer.Echo);
        var results = await _bench.Sender().SendAsync(AlertBench.Failure() with { Details = new Dictionary<string, string> { ["password"] = "s3cretPassword", ["url"] = "postgresql://u:s3cretPassword@h/d" } }, null, Cancel);
        Assert.Equal(3, results.Count);
        Assert.All(results, r => Assert.Contains("***", r.Detail, StringComparison.Ordinal));
        var all = JsonSerializer.Serialize(results) + string.Concat(Directory.GetFiles(_bench.Spool, "*", SearchOption.AllDirectories).Select(f => f + File.ReadAllText(f)))
            + string.Concat(_bench.Receiver.Received.Select(r => r.Body.GetRawText()).Select(b => b.Replace(AlertBench.Key, "", StringComparison.Ordinal)));
        foreach (var secret in new[] { AlertBench.Key, "s3cretXyz", "T0S3CRET", "s3cretHook", "s3cretToken", "s3cretPassword" })
        {
            Assert.DoesNotContain(secret, all, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task A_test_goes_through_every_route_says_so_and_leaves_nothing_open()
    {
        var results = await _bench.Sender().TestAsync(null, Cancel);
        Assert.Equal(["pager", "chat", "hook"], results.Select(r => r.Route));
        Assert.All(results, r => Assert.Equal(AlertStatus.Sent, r.Status));
        Assert.Equal("triggered and resolved", results[0].Detail);
        var pager = _bench.Receiver.Received.Where(r => r.Target == "/v2/enqueue").ToList();
        Assert.Equal(["trigger", "resolve"], pager.Select(r => r.Text("event_action")));
        Assert.Single(pager.Select(r => r.Text("dedup_key")).Distinct());
        Assert.StartsWith("TEST: ", pager[0].Text("payload", "summary"), StringComparison.Ordinal);
        Assert.Equal("info", pager[0].Text("payload", "severity"));
        Assert.True(_bench.Receiver.Received.Single(r => r.Target == AlertBench.HookPath).Body.GetProperty("test").GetBoolean());
        _bench.Receiver.Always = new AlertAnswer(500);
        Assert.All(await _bench.Sender().TestAsync(null, Cancel), r => Assert.Equal(AlertStatus.Failed, r.Status));
        Assert.All(new[] { "pager", "chat", "hook" }, r => Assert.Empty(_bench.Waiting(r)));
    }
}
