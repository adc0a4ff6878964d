using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Alerting;

/// <summary>What is not lost, not told twice and not told too often.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class AlertSpoolTests : IAsyncDisposable
{
    private readonly AlertBench _bench = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IEnumerable<string> Told => _bench.Receiver.Received.Select(r => r.Body.TryGetProperty("subject", out var subject) ? subject.GetString()! : r.Text("payload", "component"));

    public ValueTask DisposeAsync() => _bench.DisposeAsync();

    [Fact]
    public async Task What_cannot_be_sent_waits_and_goes_out_in_order_with_the_next()
    {
        _bench.Receiver.Always = AlertAnswer.Cut;
        var sender = _bench.Sender(_bench.Only("hook"), _bench.Settings with { Patience = TimeSpan.FromSeconds(0.2) });
        foreach (var (index, subject) in new[] { "a", "b", "c" }.Index())
        {
            var result = Assert.Single(await sender.SendAsync(AlertBench.Failure(subject), null, Cancel));
            Assert.Equal((AlertStatus.Waiting, index + 1), (result.Status, result.Waiting));
        }

        Assert.All(Directory.GetFiles(_bench.Spool, "*", SearchOption.AllDirectories), f => Assert.Equal("600", Convert.ToString((int)File.GetUnixFileMode(f), 8)));
        Assert.All(Directory.GetDirectories(_bench.Spool, "*", SearchOption.AllDirectories).Append(_bench.Spool), f => Assert.Equal("700", Convert.ToString((int)File.GetUnixFileMode(f), 8)));
        var state = Assert.Single(sender.Spools());
        Assert.Equal((3, 0, null), (state.Waiting, state.Refused, state.LastSent));
        Assert.Contains("broke off", state.LastTrouble, StringComparison.Ordinal);
        _bench.Receiver.Always = null;
        var before = _bench.Receiver.Received.Count;
        var last = Assert.Single(await sender.SendAsync(AlertBench.Failure("d"), null, Cancel));
        Assert.Equal((AlertStatus.Sent, 0), (last.Status, last.Waiting));
        Assert.Equal(["a", "b", "c", "d"], Told.Skip(before));
        Assert.Null(Assert.Single(sender.Spools()).LastTrouble);
    }

    [Fact]
    public async Task A_second_failure_is_told_once_where_the_service_cannot_fold_and_a_success_ends_it()
    {
        var sender = _bench.Sender(_bench.Only("chat"));
        async Task<AlertStatus> SendAsync(Alert alert) => Assert.Single(await sender.SendAsync(alert, null, Cancel)).Status;
        Assert.Equal(AlertStatus.Unneeded, await SendAsync(AlertBench.Success()));
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Failure()));
        Assert.Equal(AlertStatus.Unneeded, await SendAsync(AlertBench.Failure()));
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Failure("shop")));
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Failure() with { Severity = Priority.P0 }));
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Success()));
        Assert.Equal(AlertStatus.Unneeded, await SendAsync(AlertBench.Success()));
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Failure()));
        _bench.Time.Ahead = TimeSpan.FromHours(13);
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Failure()));
        Assert.Equal(6, _bench.Receiver.Received.Count);
    }

    [Fact]
    public async Task Many_senders_at_once_lose_nothing_and_tell_nothing_twice()
    {
        var results = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => _bench.Sender(_bench.Only("hook"), _bench.Settings with { Patience = TimeSpan.FromSeconds(20) }).SendAsync(AlertBench.Failure($"s{i}"), null, Cancel)));
        Assert.All(results, r => Assert.Equal(AlertStatus.Sent, Assert.Single(r).Status));
        Assert.Equal(Enumerable.Range(0, 40).Select(i => $"s{i}").Order(), Told.Order());
        Assert.Empty(_bench.Waiting("hook"));
    }

    [Fact]
    public async Task More_than_an_hour_allows_waits_but_what_is_P0_does_not()
    {
        var plan = _bench.Only("hook");
        var sender = _bench.Sender(plan with { Routes = [plan.Routes[0] with { MostPerHour = 2 }] });
        async Task<AlertStatus> SendAsync(Alert alert) => Assert.Single(await sender.SendAsync(alert, null, Cancel)).Status;
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Failure("a")));
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Failure("b")));
        Assert.Equal(AlertStatus.Waiting, await SendAsync(AlertBench.Failure("c")));
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Failure("d") with { Severity = Priority.P0 }));
        _bench.Time.Ahead = TimeSpan.FromMinutes(61);
        Assert.Equal(AlertStatus.Sent, await SendAsync(AlertBench.Failure("e")));
        Assert.Equal(["a", "b", "d", "c", "e"], Told);
    }

    [Fact]
    public async Task An_entry_that_cannot_be_read_is_put_aside_and_told_and_holds_nobody_up()
    {
        _bench.Receiver.Always = AlertAnswer.Cut;
        var sender = _bench.Sender(_bench.Only("hook"), _bench.Settings with { Patience = TimeSpan.FromSeconds(0.2) });
        foreach (var subject in new[] { "a", "b", "c" })
        {
            await sender.SendAsync(AlertBench.Failure(subject), null, Cancel);
        }

        await File.WriteAllTextAsync(_bench.Waiting("hook")[0], "{ \"problem\": \"Bac", Cancel);
        await File.WriteAllTextAsync(_bench.Waiting("hook")[1], "{}", Cancel);
        _bench.Receiver.Always = null;
        var before = _bench.Receiver.Received.Count;
        var result = Assert.Single(await sender.SendWaitingAsync(null, Cancel));
        Assert.Equal(AlertStatus.Sent, result.Status);
        Assert.Equal(2, result.Notes.Count);
        Assert.Equal(2, _bench.Refused("hook").Count);
        Assert.Equal(["c"], Told.Skip(before));
    }

    [Fact]
    public async Task A_spool_that_cannot_be_written_does_not_keep_the_alert_back()
    {
        await File.WriteAllTextAsync(_bench.Spool, "no folder", Cancel);
        var result = Assert.Single(await _bench.Sender(_bench.Only("hook")).SendAsync(AlertBench.Failure(), null, Cancel));
        Assert.Equal(AlertStatus.Sent, result.Status);
        Assert.NotEmpty(result.Notes);
        _bench.Receiver.Always = AlertAnswer.Cut;
        result = Assert.Single(await _bench.Sender(_bench.Only("hook")).SendAsync(AlertBench.Failure(), null, Cancel));
        Assert.Equal(AlertStatus.Failed, result.Status);
        Assert.NotEmpty(result.Notes);
    }

    [Fact]
    public async Task A_full_spool_drops_only_what_a_later_message_says_too()
    {
        _bench.Receiver.Always = AlertAnswer.Cut;
        var sender = _bench.Sender(_bench.Only("hook"), _bench.Settings with { Patience = TimeSpan.FromSeconds(0.1), MostWaiting = 3 });
        foreach (var subject in new[] { "a", "b", "a" })
        {
            Assert.Equal(AlertStatus.Waiting, Assert.Single(await sender.SendAsync(AlertBench.Failure(subject), null, Cancel)).Status);
        }

        Assert.Equal(AlertStatus.Waiting, Assert.Single(await sender.SendAsync(AlertBench.Failure("c"), null, Cancel)).Status);
        var full = Assert.Single(await sender.SendAsync(AlertBench.Failure("d"), null, Cancel));
        Assert.Equal((AlertStatus.Failed, 3), (full.Status, full.Waiting));
        Assert.Contains("3 alerts wait there already", Assert.Single(full.Notes), StringComparison.Ordinal);
        _bench.Receiver.Always = null;
        var before = _bench.Receiver.Received.Count;
        await _bench.Sender(_bench.Only("hook")).SendWaitingAsync(null, Cancel);
        Assert.Equal(["b", "a", "c"], Told.Skip(before));
    }

    [Fact]
    public async Task A_sender_that_is_stopped_leaves_the_alert_for_the_next()
    {
        _bench.Receiver.Always = AlertAnswer.Silence;
        using var stop = new CancellationTokenSource(200);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _bench.Sender(_bench.Only("hook"), _bench.Settings with { AttemptLimit = TimeSpan.FromSeconds(30), Patience = TimeSpan.FromSeconds(30) }).SendAsync(AlertBench.Failure(), null, stop.Token));
        Assert.Single(_bench.Waiting("hook"));
        _bench.Receiver.Always = null;
        Assert.Equal(AlertStatus.Sent, Assert.Single(await _bench.Sender(_bench.Only("hook")).SendWaitingAsync(null, Cancel)).Status);
    }

    [Fact]
    public async Task What_a_writer_that_died_has_left_is_swept_and_the_lock_is_free()
    {
        var folder = Path.Combine(_bench.Spool, "route-hook");
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "000000000001-x.json.partial"), "{", Cancel);
        await File.WriteAllTextAsync(Path.Combine(folder, "send.lock"), "", Cancel);
        await File.WriteAllTextAsync(Path.Combine(folder, "memory.json"), "{ nonsense", Cancel);
        Assert.Equal(AlertStatus.Sent, Assert.Single(await _bench.Sender(_bench.Only("hook")).SendAsync(AlertBench.Failure(), null, Cancel)).Status);
        Assert.Empty(Directory.GetFiles(folder, "*.partial"));
    }

    [Fact]
    public async Task A_secret_that_is_missing_makes_only_its_route_wait()
    {
        _bench.Secrets.Remove("SLACK");
        var results = await _bench.Sender().SendAsync(AlertBench.Failure(), null, Cancel);
        Assert.Equal([("pager", AlertStatus.Sent), ("chat", AlertStatus.Waiting), ("hook", AlertStatus.Sent)], results.Select(r => (r.Route, r.Status)));
        Assert.Contains("env:SLACK", results[1].Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(AlertProblems.BackupFailed, "pager,chat,hook")]
    [InlineData(AlertProblems.UploadFailed, "pager,hook")]
    [InlineData(AlertProblems.VerificationFailed, "pager,hook")]
    [InlineData(AlertProblems.SizeAnomaly, "chat,hook")]
    public async Task Who_is_told_when_the_plan_says_nothing(string problem, string routes)
    {
        Assert.Equal(routes.Split(','), _bench.Sender().RoutesOf(problem));
        Assert.Equal(problem == AlertProblems.SizeAnomaly ? Priority.P2 : Priority.P1, _bench.Plan.SeverityOf(problem));
        Assert.Equal(["pager"], _bench.Only("pager").RoutesOf(problem).Select(r => r.Name));
        var ruled = _bench.Plan with { Rules = [new(problem) { Severity = "P3", Routes = ["HOOK"] }] };
        Assert.Equal("hook", Assert.Single(await _bench.Sender(ruled).SendAsync(AlertBench.Failure() with { Problem = problem }, null, Cancel)).Route);
        Assert.Equal("P3", Assert.Single(_bench.Receiver.Received).Text("severity"));
        Assert.Empty(await _bench.Sender(_bench.Plan with { Rules = [new(problem) { Routes = [] }] }).SendAsync(AlertBench.Failure() with { Problem = problem }, null, Cancel));
    }

    [Fact]
    public async Task A_route_that_there_is_not_is_the_callers_error()
        => Assert.Equal("AlertRouteUnknown", (await Assert.ThrowsAsync<MoltException>(() => _bench.Sender().SendAsync(AlertBench.Failure(), ["pager", "nobody"], Cancel))).Id);

    [Fact]
    public void A_key_is_no_longer_than_PagerDuty_takes_and_still_tells_problems_apart()
    {
        var (one, other) = (AlertBench.Failure(new string('x', 400) + "1"), AlertBench.Failure(new string('x', 400) + "2"));
        Assert.Equal(255, one.Key.Length);
        Assert.NotEqual(one.Key, other.Key);
    }
}
