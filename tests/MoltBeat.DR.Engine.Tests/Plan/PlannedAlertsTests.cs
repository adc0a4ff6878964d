using System.Text;
using System.Text.Json;
using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Plan;

/// <summary>The plan's alerts.</summary>
public class PlannedAlertsTests
{
    [Fact]
    public void Everything_that_alerts_may_say_is_read()
    {
        var alerts = Read("""
            { "source": "web-1", "spool": "/var/spool/other", "routes": [
              { "name": "pager", "kind": "pagerDuty", "routingKey": "env:PD", "url": "https://events.eu.pagerduty.com/v2/enqueue", "mostPerHour": 10 },
              { "name": "chat", "kind": "slack", "url": "file:/etc/moltbeat/slack" },
              { "name": "hook", "kind": "webhook", "url": "secret:hook", "authorization": "env:AUTH" },
              { "name": "mail", "kind": "email", "server": "smtp.example.org:587", "user": "u", "password": "env:MAIL", "from": "a@example.org", "to": ["b@example.org"], "tls": "startTls" } ],
              "rules": [{ "problem": "SizeAnomaly", "severity": "P1", "routes": ["pager"] }] }
            """).Alerts;
        Assert.Equal(["pager", "chat", "hook", "mail"], alerts.Routes.Select(r => r.Name));
        Assert.Equal(Priority.P1, alerts.SeverityOf(AlertProblems.SizeAnomaly));
        Assert.Equal(["pager"], alerts.RoutesOf(AlertProblems.SizeAnomaly).Select(r => r.Name));
        Assert.Equal(["pager", "hook", "mail"], alerts.RoutesOf(AlertProblems.UploadFailed).Select(r => r.Name));
        Assert.Equal(("smtp.example.org", 587), alerts.Routes[3].HostAndPort());
    }

    [Theory]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "fax" }] }""", "$.alerts.routes[0].kind")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "slack" }] }""", "$.alerts.routes[0].url")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "slack", "url": "env:A", "routingKey": "env:B" }] }""", "$.alerts.routes[0].routingKey")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "slack", "url": "env:A" }, { "name": "A", "kind": "slack", "url": "env:A" }] }""", "$.alerts.routes[1].name")]
    [InlineData("""{ "routes": [{ "name": "../a", "kind": "slack", "url": "env:A" }] }""", "$.alerts.routes[0].name")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "slack", "url": "env:" }] }""", "$.alerts.routes[0].url")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "slack", "url": "env:A", "mostPerHour": 0 }] }""", "$.alerts.routes[0].mostPerHour")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "pagerDuty", "routingKey": "env:A", "url": "http://pagerduty.example.org" }] }""", "$.alerts.routes[0].url")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "email", "server": "smtp", "from": "a@b.c", "to": ["a@b.c"] }] }""", "$.alerts.routes[0].server")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "email", "server": "smtp:25", "from": "a", "to": ["a@b.c"] }] }""", "$.alerts.routes[0].from")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "email", "server": "smtp:25", "from": "a@b.c", "to": [] }] }""", "$.alerts.routes[0].to")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "email", "server": "smtp:25", "from": "a@b.c", "to": ["a@b.c"], "tls": "none" }] }""", "$.alerts.routes[0].tls")]
    [InlineData("""{ "routes": [{ "name": "a", "kind": "email", "server": "smtp:25", "from": "a@b.c", "to": ["a@b.c"], "user": "u" }] }""", "$.alerts.routes[0].password")]
    [InlineData("""{ "rules": [{ "problem": "Rain" }] }""", "$.alerts.rules[0].problem")]
    [InlineData("""{ "rules": [{ "problem": "Custom", "severity": "P9" }] }""", "$.alerts.rules[0].severity")]
    [InlineData("""{ "rules": [{ "problem": "Custom", "routes": ["a"] }] }""", "$.alerts.rules[0].routes")]
    [InlineData("""{ "rules": [{ "problem": "Custom" }, { "problem": "Custom" }] }""", "$.alerts.rules")]
    [InlineData("""{ "spool": "here" }""", "$.alerts.spool")]
    [InlineData("""{ "source": "" }""", "$.alerts.source")]
    [InlineData("""{ "anything": 1 }""", "$.alerts.anything")]
    public void What_makes_no_sense_is_named_by_its_path(string alerts, string path)
    {
        var (_, problems) = PlanReader.Examine(Encoding.UTF8.GetBytes($$"""{ "version": 1, "alerts": {{alerts}} }"""));
        Assert.Equal(path, Assert.Single(problems).Path);
        Assert.NotEmpty(problems[0].Remedy);
    }

    [Theory]
    [InlineData("""{ "name": "a", "kind": "slack", "url": "https://hooks.slack.com/services/s3cret" }""")]
    [InlineData("""{ "name": "a", "kind": "webhook", "url": "https://example.org/s3cret" }""")]
    [InlineData("""{ "name": "a", "kind": "webhook", "url": "env:A", "authorization": "Bearer s3cret" }""")]
    [InlineData("""{ "name": "a", "kind": "pagerDuty", "routingKey": "s3cret" }""")]
    [InlineData("""{ "name": "a", "kind": "email", "server": "h:25", "from": "a@b.c", "to": ["a@b.c"], "user": "u", "password": "s3cret" }""")]
    public void A_secret_is_only_referred_to(string route)
    {
        var error = Assert.Throws<MoltException>(() => Read($$"""{ "routes": [{{route}}] }"""));
        Assert.Equal("SecretInPlan", error.Id);
        Assert.DoesNotContain("s3cret", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_schema_knows_every_problem()
    {
        var source = typeof(PlannedAlertsTests).Assembly.GetCustomAttributes(typeof(System.Reflection.AssemblyMetadataAttribute), false).Cast<System.Reflection.AssemblyMetadataAttribute>().Single(a => a.Key == "EngineSource").Value!;
        var schema = JsonElement.Parse(File.ReadAllText(Path.Combine(source, "Plan", "plan.schema.json")));
        Assert.Equal(AlertProblems.Names, schema.GetProperty("$defs").GetProperty("alertRule").GetProperty("properties").GetProperty("problem").GetProperty("enum").EnumerateArray().Select(p => p.GetString()!));
    }

    private static BackupPlan Read(string alerts) => PlanReader.Read(Encoding.UTF8.GetBytes($$"""{ "version": 1, "alerts": {{alerts}} }"""), "The plan");
}
