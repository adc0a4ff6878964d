using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>A route with its secrets at hand, or with the reason why they are not.</summary>
public sealed class AlertRoute
{
    private AlertRoute(PlannedRoute planned, IAlertChannel? channel, MoltException? fault)
    {
        Planned = planned;
        Channel = channel;
        Fault = fault;
    }

    public string Name => Planned.Name;

    /// <summary>Why nothing can be sent on it; null when it can. Alerts wait meanwhile.</summary>
    public MoltException? Fault { get; }

    internal PlannedRoute Planned { get; }

    internal IAlertChannel? Channel { get; }

    /// <summary>Fetches a route's secrets. To be called on the thread that the resolver needs; nothing is sent.</summary>
    /// <param name="planned">A route of a plan that was checked.</param>
    /// <param name="secrets">Fetches them.</param>
    public static AlertRoute Open(PlannedRoute planned, SecretResolver secrets)
    {
        ArgumentNullException.ThrowIfNull(planned);
        ArgumentNullException.ThrowIfNull(secrets);
        try
        {
            return new AlertRoute(planned, planned.Kind switch
            {
                PlannedRoute.PagerDuty => new PagerDutyChannel(new Uri(planned.Url ?? PagerDutyChannel.Address), secrets.Resolve(planned.RoutingKey!)),
                PlannedRoute.Slack => new SlackChannel(Address(planned, secrets)),
                PlannedRoute.Webhook => new WebhookChannel(Address(planned, secrets), planned.Authorization is { } text ? secrets.Resolve(text) : null),
                _ => new EmailChannel(planned, planned.Password is { } password ? secrets.Resolve(password) : null),
            }, null);
        }
        catch (MoltException e)
        {
            return new AlertRoute(planned, null, e);
        }
    }

    private static Uri Address(PlannedRoute planned, SecretResolver secrets)
    {
        var text = secrets.Resolve(planned.Url!);

        // Not quoted: whoever knows it may write into the channel.
        return PlanAlerts.IsSafe(text)
            ? new Uri(text)
            : throw new MoltException("AlertUrlInvalid", ErrorKind.InvalidData, $"What {planned.Url} holds for the route {planned.Name} is no https:// address.", "Write the URL as the service gave it; http:// is for this machine's own services only, and a login goes into authorization.", planned.Name);
    }
}
