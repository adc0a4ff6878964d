using System.Globalization;
using System.Net;
using System.Net.Mail;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>What has to hold in a plan's alerts.</summary>
internal static class PlanAlerts
{
    private const string Check = PlanCheckNames.Alerts;
    private const string WriteReference = "Write env:NAME, file:/absolute/path or secret:NAME.";

    /// <summary>What a route of each kind must have, and what it may have.</summary>
    private static readonly Dictionary<string, (string[] Must, string[] May)> s_kinds = new(StringComparer.Ordinal)
    {
        [PlannedRoute.PagerDuty] = (["routingKey"], ["url"]),
        [PlannedRoute.Slack] = (["url"], []),
        [PlannedRoute.Webhook] = (["url"], ["authorization"]),
        [PlannedRoute.Email] = (["server", "from", "to"], ["user", "password", "tls"]),
    };

    public static IEnumerable<PlanProblem> Of(PlannedAlerts alerts)
    {
        foreach (var problem in PlanRules.Names(Check, "$.alerts.routes", [.. alerts.Routes.Select(r => r.Name)])
            .Concat(alerts.Routes.Index().SelectMany(r => Route(r.Item, At("$.alerts.routes", r.Index))))
            .Concat(alerts.Rules.Index().SelectMany(r => Rule(r.Item, At("$.alerts.rules", r.Index), alerts))))
        {
            yield return problem;
        }

        foreach (var twice in alerts.Rules.GroupBy(r => r.Problem, StringComparer.Ordinal).Where(g => g.Count() > 1))
        {
            yield return new(Check, "$.alerts.rules", $"there are two rules for {Shown(twice.Key)}", "Make one of them.");
        }

        if (alerts.Spool is { } spool && !PlanRules.IsAbsolute(spool))
        {
            yield return new(Check, "$.alerts.spool", "it is no absolute path", "Write the folder's full path: a job runs in another folder than you do.");
        }

        if (alerts.Source is { } source && (source.Length is 0 or > 200 || source.Any(char.IsControl)))
        {
            yield return new(Check, "$.alerts.source", "this is no name of a machine", "Write a short name, or leave it out.");
        }
    }

    private static IEnumerable<PlanProblem> Route(PlannedRoute route, string path)
    {
        if (!s_kinds.TryGetValue(route.Kind, out var kind))
        {
            yield return new(Check, path + ".kind", "there is no such kind of route", $"Write one of: {string.Join(", ", s_kinds.Keys)}.");
            yield break;
        }

        var given = route.Options.ToList();
        foreach (var missing in kind.Must.Except(given.Select(g => g.Name)))
        {
            yield return new(Check, $"{path}.{missing}", $"a route of kind {route.Kind} needs it", $"Add \"{missing}\". docs/alerts.md tells what it means.");
        }

        foreach (var (name, _) in given.Where(g => !kind.Must.Contains(g.Name) && !kind.May.Contains(g.Name)))
        {
            yield return new(Check, $"{path}.{name}", $"a route of kind {route.Kind} has no such property", $"It has: {string.Join(", ", kind.Must.Concat(kind.May))}, mostPerHour.");
        }

        foreach (var (name, text) in route.Secrets)
        {
            if (SecretReference.From(text) is not { } reference)
            {
                yield return new(PlanCheckNames.Secrets, $"{path}.{name}", "it is a secret, and stands in the plan", "Take it out, and consider it known to all who could read the file. " + WriteReference);
            }
            else if (reference.Flaw is { } flaw)
            {
                yield return new(PlanCheckNames.References, $"{path}.{name}", $"the reference {flaw}", WriteReference);
            }
        }

        if (route.MostPerHour is < 1 or > 10_000)
        {
            yield return new(Check, path + ".mostPerHour", "this is no number of alerts", "Write a number from 1 to 10000.");
        }

        if (route is { Kind: PlannedRoute.PagerDuty, Url: { } url } && !IsSafe(url))
        {
            yield return new(Check, path + ".url", "it is no https:// address", "Write https://events.eu.pagerduty.com/v2/enqueue, or leave it out.");
        }

        foreach (var problem in route.Kind == PlannedRoute.Email ? Mail(route, path) : [])
        {
            yield return problem;
        }
    }

    private static IEnumerable<PlanProblem> Mail(PlannedRoute route, string path)
    {
        var place = route.HostAndPort();
        if (route.Server is not null && place is null)
        {
            yield return new(Check, path + ".server", "it is no host and port", "Write \"smtp.example.org:587\".");
        }

        foreach (var (name, address) in route.To.Select(t => ("to", t)).Concat(route.From is { } from ? [("from", from)] : []))
        {
            if (!MailAddress.TryCreate(address, out _) || address.Any(char.IsControl))
            {
                yield return new(Check, $"{path}.{name}", "it holds something that is no e-mail address", "Write addresses such as ops@example.org.");
            }
        }

        if (route.To.Count > 100)
        {
            yield return new(Check, path + ".to", "there are more than 100", "Write to a list.");
        }

        if (route.Tls is { } tls)
        {
            if (tls is not (PlannedRoute.StartTls or PlannedRoute.ImplicitTls or PlannedRoute.NoTls))
            {
                yield return new(Check, path + ".tls", "there is no such way of encryption", "Write startTls, implicit, or, for this machine's own server, none.");
            }
            else if (tls == PlannedRoute.NoTls && place is { } server && !IsLoopback(server.Host))
            {
                yield return new(Check, path + ".tls", "mail would cross the network readable", "Write startTls or implicit; only this machine's own server may do without.");
            }
        }

        if (route.Password is null != route.User is null)
        {
            yield return new(Check, path + (route.User is null ? ".user" : ".password"), "a user and a password go together", "Write both, or neither.");
        }
    }

    private static IEnumerable<PlanProblem> Rule(PlannedAlertRule rule, string path, PlannedAlerts alerts)
    {
        if (!AlertProblems.Names.Contains(rule.Problem))
        {
            yield return new(Check, path + ".problem", "there is no such problem", $"Write one of: {string.Join(", ", AlertProblems.Names)}.");
        }

        if (rule.Severity is { } severity && !Enum.GetNames<Priority>().Contains(severity))
        {
            yield return new(Check, path + ".severity", "there is no such severity", "Write P0, P1, P2 or P3.");
        }

        if (rule.Routes?.FirstOrDefault(n => !alerts.Routes.Any(r => r.Name.Equals(n, StringComparison.OrdinalIgnoreCase))) is { } unknown)
        {
            yield return new(Check, path + ".routes", $"there is no route {Shown(unknown)}", "Write the names of routes of this plan.");
        }
    }

    /// <summary>Whether what is sent there can be read by nobody on the way.</summary>
    internal static bool IsSafe(string url)
        => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.UserInfo.Length == 0 && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && IsLoopback(uri.IdnHost)));

    /// <summary>Whether the name is this machine's own; names that somebody's resolver answers for are not asked for.</summary>
    internal static bool IsLoopback(string host)
        => host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));

    private static string Shown(string text) => new([.. text.Take(60).Select(c => char.IsControl(c) ? '?' : c)]);

    private static string At(string list, int index) => list + "[" + index.ToString(CultureInfo.InvariantCulture) + "]";
}
