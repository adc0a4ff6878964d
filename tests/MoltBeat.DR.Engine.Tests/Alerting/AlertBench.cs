using MoltBeat.DR.Engine.Alerting;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.TestServers;

namespace MoltBeat.DR.Engine.Tests.Alerting;

/// <summary>A service on loopback, a spool of the test's own, and a plan with a route of each kind.</summary>
public sealed class AlertBench : IAsyncDisposable
{
    public const string Key = "0123456789abcdef0123456789abcdef";
    public const string SlackPath = "/services/T0S3CRET/B0S3CRET/s3cretXyz";
    public const string HookPath = "/hook/s3cretHook";

    public AlertReceiver Receiver { get; } = AlertReceiver.Start();

    public string Root { get; } = Directory.CreateTempSubdirectory("molt-alerts-").FullName;

    public string Spool => Path.Combine(Root, "spool");

    public Dictionary<string, string> Secrets { get; } = [];

    public Clock Time { get; } = new();

    public PlannedAlerts Plan => new()
    {
        Source = "web-1",
        Routes =
        [
            new("pager", PlannedRoute.PagerDuty) { RoutingKey = "env:PD", Url = Receiver.Address + "/v2/enqueue" },
            new("chat", PlannedRoute.Slack) { Url = "env:SLACK" },
            new("hook", PlannedRoute.Webhook) { Url = "env:HOOK", Authorization = "env:AUTH" },
        ],
    };

    internal AlertSettings Settings => new(Spool)
    {
        Patience = TimeSpan.FromSeconds(2),
        AttemptLimit = TimeSpan.FromSeconds(0.5),
        FirstBackoff = TimeSpan.FromMilliseconds(20),
        Clock = Time,
    };

    public AlertBench()
    {
        Secrets["PD"] = Key;
        Secrets["SLACK"] = Receiver.Address + SlackPath;
        Secrets["HOOK"] = Receiver.Address + HookPath;
        Secrets["AUTH"] = "Bearer s3cretToken";
    }

    public static Alert Failure(string subject = "moltbeat") => new(AlertProblems.BackupFailed, subject, "The backup of moltbeat failed: the disk is full.")
    {
        Details = new Dictionary<string, string> { ["errorId"] = "StoreFull", ["duration"] = "12.5 s" },
    };

    public static Alert Success(string subject = "moltbeat") => new(AlertProblems.BackupFailed, subject, "The backup went well.") { Kind = AlertKind.Resolve };

    internal AlertSender Sender(PlannedAlerts? plan = null, AlertSettings? settings = null)
        => new(plan ?? Plan, new SecretResolver { Variable = name => Secrets.GetValueOrDefault(name) }, settings ?? Settings);

    /// <summary>The plan with some of its routes only.</summary>
    public PlannedAlerts Only(params string[] routes) => Plan with { Routes = [.. Plan.Routes.Where(r => routes.Contains(r.Name))] };

    public List<string> Waiting(string route) => Entries(Path.Combine(Spool, "route-" + route));

    public List<string> Refused(string route) => Entries(Path.Combine(Spool, "route-" + route, "refused"));

    public async ValueTask DisposeAsync()
    {
        await Receiver.DisposeAsync();
        Directory.Delete(Root, recursive: true);
    }

    private static List<string> Entries(string folder) => Directory.Exists(folder) ? [.. Directory.GetFiles(folder, "0*.json").Order(StringComparer.Ordinal)] : [];

    public sealed class Clock : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow + Ahead;
    }
}
