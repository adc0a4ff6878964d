using System.Globalization;
using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>A way to reach people. What is secret in it stands elsewhere: <see cref="SecretReference"/>.</summary>
/// <param name="Name">What rules and messages call it.</param>
/// <param name="Kind"><see cref="PagerDuty"/>, <see cref="Slack"/>, <see cref="Webhook"/> or <see cref="Email"/>.</param>
public sealed record PlannedRoute(string Name, string Kind)
{
    public const string PagerDuty = "pagerDuty";
    public const string Slack = "slack";
    public const string Webhook = "webhook";
    public const string Email = "email";

    /// <summary>Of <see cref="Tls"/>: encrypted after a greeting in the open (STARTTLS); from the first byte on; not at all, which only this machine's own server may.</summary>
    public const string StartTls = "startTls";
    public const string ImplicitTls = "implicit";
    public const string NoTls = "none";

    /// <summary>Alerts an hour, above which all but P0 wait.</summary>
    public const int DefaultMostPerHour = 60;

    /// <summary>PagerDuty: a reference to the service's integration key.</summary>
    public string? RoutingKey { get; init; }

    /// <summary>Slack and webhook: a reference to the URL, which is a secret. PagerDuty: the address itself, where it is not the usual one.</summary>
    public string? Url { get; init; }

    /// <summary>Webhook: a reference to the value of an Authorization header.</summary>
    public string? Authorization { get; init; }

    /// <summary>E-mail: <c>host:port</c> of the SMTP server.</summary>
    public string? Server { get; init; }

    /// <summary>E-mail: the user to log in as; null for no login.</summary>
    public string? User { get; init; }

    /// <summary>E-mail: a reference to the user's password.</summary>
    public string? Password { get; init; }

    /// <summary>E-mail: the sender's address.</summary>
    public string? From { get; init; }

    /// <summary>E-mail: the receivers' addresses.</summary>
    public IReadOnlyList<string> To { get => field ?? []; init; }

    /// <summary>E-mail: <see cref="StartTls"/>, <see cref="ImplicitTls"/> or <see cref="NoTls"/>; without it implicit on port 465, else STARTTLS.</summary>
    public string? Tls { get; init; }

    /// <summary>Alerts above so many in an hour wait for the next, all but P0; without it <see cref="DefaultMostPerHour"/>.</summary>
    public int? MostPerHour { get; init; }

    /// <summary>What stands in it beside name, kind and limit, by its name in the plan.</summary>
    [JsonIgnore]
    internal IEnumerable<(string Name, string Value)> Options
        => new (string Name, string? Value)[]
        {
            ("routingKey", RoutingKey), ("url", Url), ("authorization", Authorization), ("server", Server), ("user", User),
            ("password", Password), ("from", From), ("to", To.Count > 0 ? string.Join(", ", To) : null), ("tls", Tls),
        }.Where(o => o.Value is not null).Select(o => (o.Name, o.Value!));

    /// <summary>The secrets that it refers to, by their properties' names.</summary>
    [JsonIgnore]
    internal IEnumerable<(string Name, string Text)> Secrets
        => Options.Where(o => o.Name is "routingKey" or "authorization" or "password" || (o.Name == "url" && Kind != PagerDuty));

    /// <summary>The server's name and port; null when it is not <c>host:port</c>.</summary>
    internal (string Host, int Port)? HostAndPort()
    {
        var colon = Server?.LastIndexOf(':') ?? -1;
        return colon > 0 && int.TryParse(Server.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536
            && Uri.CheckHostName(Server![..colon].Trim('[', ']')) != UriHostNameType.Unknown ? (Server[..colon].Trim('[', ']'), port) : null;
    }

    public override string ToString() => Name;
}
