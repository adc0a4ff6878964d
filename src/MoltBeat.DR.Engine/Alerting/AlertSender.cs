using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>
/// Tells people. What it returns says what has become of an alert; whatever goes wrong on the way is no exception, so that an
/// alert never makes what raised it fail.
/// </summary>
public sealed class AlertSender
{
    private readonly PlannedAlerts plan;
    private readonly AlertSettings settings;
    private readonly List<AlertRoute> routes;

    /// <summary>Fetches the routes' secrets; to be made on the thread that the resolver needs.</summary>
    /// <param name="plan">The plan's alerts.</param>
    /// <param name="secrets">Fetches secrets. One that is missing makes that route's alerts wait.</param>
    /// <param name="settings">Where alerts wait.</param>
    public AlertSender(PlannedAlerts plan, SecretResolver secrets, AlertSettings settings)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(settings);
        this.plan = plan;
        this.settings = settings;
        routes = [.. plan.Routes.Select(r => AlertRoute.Open(r, secrets))];
    }

    /// <summary>What the plan has, in its order.</summary>
    public IReadOnlyList<AlertRoute> Routes => routes;

    /// <summary>The routes that an alert takes when nobody names any.</summary>
    /// <param name="problem">One of <see cref="AlertProblems"/>.</param>
    public IReadOnlyList<string> RoutesOf(string problem) => [.. plan.RoutesOf(problem).Select(r => r.Name)];

    /// <summary>Writes an alert to the spool of each of its routes, and sends what lies there.</summary>
    /// <param name="alert">What to tell.</param>
    /// <param name="routeNames">Which routes; null for those of the plan.</param>
    /// <param name="cancellationToken">Ends the sending; the alert stays in the spool.</param>
    /// <returns>One for each route, in the plan's order; none when the plan names no route.</returns>
    /// <exception cref="MoltException"><c>AlertRouteUnknown</c>: only of routes that the caller names.</exception>
    public async Task<IReadOnlyList<AlertDelivery>> SendAsync(Alert alert, IReadOnlyList<string>? routeNames = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(alert);
        var complete = AlertText.Complete(alert, plan);
        var chosen = Named(routeNames ?? RoutesOf(alert.Problem));
        return await Task.WhenAll(chosen.Select(r => Task.Run(() => new AlertQueue(r, settings).SendAsync(complete, cancellationToken), CancellationToken.None))).ConfigureAwait(false);
    }

    /// <summary>Sends what waits in the spools.</summary>
    /// <param name="routeNames">Which routes; null for all.</param>
    /// <param name="cancellationToken">Ends the sending; what was not sent stays.</param>
    /// <returns>One for each route on which something waited.</returns>
    /// <exception cref="MoltException"><c>AlertRouteUnknown</c>.</exception>
    public async Task<IReadOnlyList<AlertDelivery>> SendWaitingAsync(IReadOnlyList<string>? routeNames = null, CancellationToken cancellationToken = default)
        => [.. (await Task.WhenAll((routeNames is null ? routes : Named(routeNames)).Select(r => Task.Run(() => new AlertQueue(r, settings).SendWaitingAsync(cancellationToken), CancellationToken.None))).ConfigureAwait(false)).OfType<AlertDelivery>()];

    /// <summary>Tries whether messages arrive: one that says that it is a test, on each route, past the spool; what it opens in PagerDuty it closes.</summary>
    /// <param name="routeNames">Which routes; null for all.</param>
    /// <param name="cancellationToken">Ends the test.</param>
    /// <returns>One for each route.</returns>
    /// <exception cref="MoltException"><c>AlertRouteUnknown</c>.</exception>
    public async Task<IReadOnlyList<AlertDelivery>> TestAsync(IReadOnlyList<string>? routeNames = null, CancellationToken cancellationToken = default)
    {
        var chosen = routeNames is null ? routes : Named(routeNames);
        return await Task.WhenAll(chosen.Select(r => Task.Run(() => TestAsync(r, cancellationToken), CancellationToken.None))).ConfigureAwait(false);
    }

    /// <summary>What lies in the spools; for health.</summary>
    /// <exception cref="MoltException"><c>AlertSpoolNotReadable</c>.</exception>
    public IReadOnlyList<AlertSpoolState> Spools()
    {
        try
        {
            return [.. routes.Select(State)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MoltException("AlertSpoolNotReadable", ErrorKind.PermissionDenied, $"The alerts' spool {settings.Folder} cannot be read: {e.Message}", "Look at it as the user that sends alerts.", settings.Folder, e);
        }
    }

    private async Task<AlertDelivery> TestAsync(AlertRoute route, CancellationToken cancellationToken)
    {
        var alert = AlertText.Complete(new Alert(AlertProblems.Custom, "test", $"This is a test of the route {route.Name}. Nothing has happened, and nothing is to be done.")
        {
            IsTest = true,
            Severity = Priority.P3,
            Key = "moltbeat-dr/test/" + Guid.NewGuid().ToString("N"),
        }, plan);
        var queue = new AlertQueue(route, settings);
        var sent = await queue.SendAtOnceAsync(alert, cancellationToken).ConfigureAwait(false);
        if (sent.Status != AlertStatus.Sent || route.Channel is not { FoldsByKey: true })
        {
            return sent;
        }

        var closed = await queue.SendAtOnceAsync(alert with { Kind = AlertKind.Resolve, Id = Guid.NewGuid().ToString("N") }, cancellationToken).ConfigureAwait(false);
        return closed with { Kind = AlertKind.Trigger, Detail = closed.Status == AlertStatus.Sent ? "triggered and resolved" : $"triggered, but not resolved: {closed.Detail}" };
    }

    private AlertSpoolState State(AlertRoute route)
    {
        var spool = new AlertSpool(settings.Folder, route.Name, settings.MostWaiting);
        var waiting = spool.List();
        var memory = AlertMemory.Read(spool.Folder, settings).Content;
        DateTimeOffset? oldest = null;
        if (waiting.Count > 0)
        {
            try
            {
                oldest = spool.TryRead(waiting[0], out var first) ? first.Time : null;
            }
            catch (FileNotFoundException)
            {
                // Another process has just sent it.
            }
        }

        return new AlertSpoolState(route.Name, waiting.Count, oldest, spool.CountRefused(), memory.LastSent, memory.LastTrouble);
    }

    private List<AlertRoute> Named(IReadOnlyList<string> names)
    {
        if (names.FirstOrDefault(n => !routes.Exists(r => r.Name.Equals(n, StringComparison.OrdinalIgnoreCase))) is { } unknown)
        {
            throw new MoltException("AlertRouteUnknown", ErrorKind.InvalidArgument, $"The plan has no route {unknown} for alerts.",
                routes.Count > 0 ? $"Name one of: {string.Join(", ", routes.Select(r => r.Name))}." : "Add routes under alerts.routes in the plan; docs/alerts.md tells how.", unknown);
        }

        return [.. routes.Where(r => names.Contains(r.Name, StringComparer.OrdinalIgnoreCase))];
    }
}
