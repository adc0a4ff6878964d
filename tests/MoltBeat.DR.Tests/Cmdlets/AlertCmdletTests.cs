using System.Management.Automation;
using System.Text.Json;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>Send- and Test-MoltAlert.</summary>
public sealed class AlertCmdletTests : IAsyncDisposable
{
    private readonly HostedModule _module = new();
    private readonly AlertReceiver _receiver = AlertReceiver.Start();
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-alert-").FullName;
    private readonly string _plan;

    public AlertCmdletTests()
    {
        _plan = Path.Combine(_folder, "plan.json");
        var hook = Path.Combine(_folder, "hook");
        var slack = Path.Combine(_folder, "slack");
        Write(hook, _receiver.Address + "/s3cretHook");
        Write(slack, _receiver.Address + "/services/s3cretSlack");
        Write(_plan, $$"""
            { "version": 1, "alerts": { "source": "web-1", "spool": {{Json(Spool)}}, "routes": [
              { "name": "hook", "kind": "webhook", "url": {{Json("file:" + hook)}} }, { "name": "chat", "kind": "slack", "url": {{Json("file:" + slack)}} } ] } }
            """);
    }

    private string Spool => Path.Combine(_folder, "spool");

    public async ValueTask DisposeAsync()
    {
        _module.Dispose();
        await _receiver.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void An_alert_goes_out_on_every_route_of_its_problem()
    {
        var output = Run("Send-MoltAlert 'The disk is full' -Problem BackupFailed -Subject moltbeat -Severity P0 -Detail @{ free = 1.5; errorId = 'StoreFull' } -PlanPath $Plan").ThrowIfFailed().Output;
        Assert.Equal(["hook", "chat"], output.Select(o => o.Value<string>("Route")));
        Assert.All(output, o => Assert.Equal("Sent", o.Value<object>("Status").ToString()));
        var hook = _receiver.Received.Single(r => r.Target == "/s3cretHook");
        Assert.Equal(("P0", "web-1", "1.5", "moltbeat-dr/web-1/BackupFailed/moltbeat"), (hook.Text("severity"), hook.Text("source"), hook.Text("details", "free"), hook.Text("key")));
    }

    [Fact]
    public void WhatIf_sends_nothing_and_leaves_nothing()
    {
        Assert.Empty(Run("Send-MoltAlert x -PlanPath $Plan -WhatIf; Test-MoltAlert -PlanPath $Plan -WhatIf; Send-MoltAlert -Waiting -PlanPath $Plan -WhatIf").ThrowIfFailed().Output);
        Assert.Empty(_receiver.Received);
        Assert.False(Directory.Exists(Spool));
    }

    [Fact]
    public void A_refusal_is_an_error_and_what_waits_a_warning_and_neither_holds_a_secret()
    {
        _receiver.Always = new AlertAnswer(404, AlertAnswer.Echo);
        var refused = Run("Send-MoltAlert x -Route chat -PlanPath $Plan");
        Assert.Equal("AlertNotDelivered,MoltBeat.DR.SendMoltAlertCommand", refused.Error.FullyQualifiedErrorId);
        Assert.Equal(ErrorCategory.OperationStopped, refused.Error.CategoryInfo.Category);
        Assert.NotEmpty(refused.Error.ErrorDetails.RecommendedAction);
        _receiver.Always = new AlertAnswer(429, AlertAnswer.Echo, "Retry-After: 600\r\n");
        var waiting = Run("Send-MoltAlert x -Route hook -PlanPath $Plan");
        Assert.Empty(waiting.Errors);
        Assert.Contains(waiting.Warnings, w => w.StartsWith("hook: not sent yet", StringComparison.Ordinal));
        Assert.DoesNotContain("s3cret", string.Concat(waiting.Warnings) + string.Concat(refused.Warnings) + refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_test_tells_of_every_route()
    {
        Assert.Equal(["Sent", "Sent"], Run("Test-MoltAlert -PlanPath $Plan").ThrowIfFailed().Output.Select(o => o.Value<object>("Status").ToString()));
        Assert.All(_receiver.Received, r => Assert.Contains("TEST: ", r.Text("text"), StringComparison.Ordinal));
        _receiver.Always = new AlertAnswer(403);
        Assert.Equal("AlertNotDelivered,MoltBeat.DR.TestMoltAlertCommand", Run("Test-MoltAlert -Route hook -PlanPath $Plan").Error.FullyQualifiedErrorId);
    }

    [Theory]
    [InlineData("Send-MoltAlert x -Route nobody -PlanPath $Plan", "AlertRouteUnknown", ErrorCategory.InvalidArgument)]
    [InlineData("Test-MoltAlert -Route nobody -PlanPath $Plan", "AlertRouteUnknown", ErrorCategory.InvalidArgument)]
    [InlineData("Send-MoltAlert x -PlanPath ($Plan + '.none')", "PlanNotFound", ErrorCategory.ObjectNotFound)]
    public void What_cannot_be_done_is_an_error_with_a_remedy(string script, string id, ErrorCategory category)
    {
        var error = Run(script).Error;
        Assert.StartsWith(id + ",", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal(category, error.CategoryInfo.Category);
        Assert.NotEmpty(error.ErrorDetails.RecommendedAction);
        Assert.Empty(_receiver.Received);
    }

    [Fact]
    public void A_plan_without_routes_says_so()
    {
        Write(_plan, """{ "version": 1 }""");
        Assert.Equal("AlertRouteMissing,MoltBeat.DR.TestMoltAlertCommand", Run("Test-MoltAlert -PlanPath $Plan").Error.FullyQualifiedErrorId);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public void The_table_says_what_became_of_it(int columns)
    {
        using var module = new HostedModule(columns);
        var lines = module.Show("param($Plan) Test-MoltAlert -PlanPath $Plan", ("Plan", _plan)).Split('\n').Where(l => l.Length > 0).ToArray();
        Assert.Matches(@"^Route +Kind +Status +Duration +Waiting +Detail$", lines[0]);
        Assert.Matches(@"^hook +webhook +Sent +\d+\.\d s +0 +the webhook took", lines[2]);
        Assert.All(lines, l => Assert.True(l.Length <= columns, l));
    }

    [Fact]
    public async Task A_process_that_is_killed_while_it_sends_loses_nothing()
    {
        _receiver.Always = AlertAnswer.Silence;
        using (var process = MoltProcess.StartInterruptible("-Command", $"Send-MoltAlert 'The disk is full' -Route hook -PlanPath '{_plan}'"))
        {
            await Until(() => _receiver.Received.Count > 0);
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        _receiver.Always = null;
        var sent = Assert.Single(Run("Send-MoltAlert -Waiting -PlanPath $Plan").ThrowIfFailed().Output);
        Assert.Equal(("Sent", 0), (sent.Text("Status"), sent.Value<int>("Waiting")));
        Assert.Single(_receiver.Received.Select(r => r.Headers["idempotency-key"]).Distinct());
        Assert.All(_receiver.Received, r => Assert.Equal("The disk is full", r.Text("summary")));
    }

    // The variables are read once a process: these need one of their own.
    [Fact]
    public async Task TLS_is_trusted_by_the_machines_authorities_and_proxies_are_those_of_the_environment()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "SSL_CERT_FILE is read on Linux.");
        using var certificate = AlertReceiver.MakeCertificate();
        await using var safe = AlertReceiver.Start(certificate);
        Write(Path.Combine(_folder, "slack"), safe.Address + "/services/s3cretSlack");
        var authority = Path.Combine(_folder, "authority.pem");
        Write(authority, certificate.ExportCertificatePem());
        var audit = Path.Combine(_folder, "audit");
        var command = $"(Test-MoltAlert -Route chat -PlanPath '{_plan}').Detail";
        var trusted = await MoltProcess.RunWithAsync(new Dictionary<string, string?> { ["SSL_CERT_FILE"] = authority, ["MOLTBEAT_AUDIT"] = audit }, "-Command", command);
        Assert.Contains("Slack took it", trusted.Output, StringComparison.Ordinal);
        Assert.Single(safe.Received);

        Write(Path.Combine(_folder, "slack"), "https://slack.invalid/services/s3cretSlack");
        _receiver.Always = new AlertAnswer(407);
        var proxied = await MoltProcess.RunWithAsync(new Dictionary<string, string?> { ["HTTPS_PROXY"] = _receiver.Address, ["MOLTBEAT_AUDIT"] = audit }, "-Command", command);
        Assert.StartsWith("CONNECT slack.invalid:443", _receiver.Received[0].Target, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", proxied.Output + proxied.Error + await File.ReadAllTextAsync(Path.Combine(audit, "audit.jsonl"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Contains("TestAlert", await File.ReadAllTextAsync(Path.Combine(audit, "audit.jsonl"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    private static async Task Until(Func<bool> condition)
    {
        for (var tries = 0; !condition(); tries++)
        {
            Assert.True(tries < 600, "It did not come about within half a minute.");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    private HostedResult Run(string script) => _module.Run("param($Plan) " + script, ("Plan", _plan));

    private static string Json(string text) => JsonSerializer.Serialize(text);

    private static void Write(string path, string text)
    {
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
    }
}
