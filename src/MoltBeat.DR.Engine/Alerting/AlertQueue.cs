using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>
/// Sends the alerts of one route, in the order in which they came: each is written to the spool, then all that wait are sent.
/// Never throws but for the caller's own cancellation; an alert whose sending is cancelled stays in the spool.
/// </summary>
internal sealed class AlertQueue(AlertRoute route, AlertSettings settings)
{
    private readonly AlertSpool spool = new(settings.Folder, route.Name, settings.MostWaiting);
    private readonly List<string> notes = [];
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private int attempts;

    private TimeSpan Left => settings.Patience - clock.Elapsed;

    /// <summary>Sends an alert, after those that wait.</summary>
    public async Task<AlertDelivery> SendAsync(Alert alert, CancellationToken cancellationToken)
    {
        string? name = null;
        try
        {
            name = spool.Add(alert);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            notes.Add($"the alert could not be written to the spool {spool.Folder}: {e.Message}");
        }

        if (name is null)
        {
            // The disk may be full, which may be the very thing to tell.
            var direct = await TryAsync(alert, cancellationToken).ConfigureAwait(false);
            return Result(alert, direct.Outcome == ChannelOutcome.Delivered ? AlertStatus.Sent : AlertStatus.Failed, direct.Detail);
        }

        var (status, detail) = await GuardedAsync(name, cancellationToken).ConfigureAwait(false);
        return Result(alert, status, detail);
    }

    /// <summary>Sends an alert past the spool and past what was told.</summary>
    public async Task<AlertDelivery> SendAtOnceAsync(Alert alert, CancellationToken cancellationToken)
    {
        var answer = await TryAsync(alert, cancellationToken).ConfigureAwait(false);
        return Result(alert, answer.Outcome == ChannelOutcome.Delivered ? AlertStatus.Sent : AlertStatus.Failed, answer.Detail);
    }

    /// <summary>Sends those that wait; null when there are none.</summary>
    public async Task<AlertDelivery?> SendWaitingAsync(CancellationToken cancellationToken)
    {
        List<string> waiting;
        try
        {
            waiting = spool.List();
        }
        catch (Exception e) when (IsTrouble(e))
        {
            return new AlertDelivery(route.Name, route.Planned.Kind, AlertStatus.Failed, $"the spool {spool.Folder} cannot be read: {e.Message}");
        }

        if (waiting.Count == 0)
        {
            return null;
        }

        var (status, detail) = await GuardedAsync(waiting[^1], cancellationToken).ConfigureAwait(false);
        return Result(null, status, detail);
    }

    private async Task<(AlertStatus Status, string Detail)> GuardedAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await DrainAsync(name, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (IsTrouble(e))
        {
            notes.Add($"the spool {spool.Folder} cannot be used: {e.Message}");
            return (AlertStatus.Waiting, "it lies in the spool");
        }
    }

    /// <summary>Sends all that wait, and says what has become of one of them.</summary>
    private async Task<(AlertStatus Status, string Detail)> DrainAsync(string wanted, CancellationToken cancellationToken)
    {
        using var held = await LockAsync(wanted, cancellationToken).ConfigureAwait(false);
        if (!spool.Has(wanted))
        {
            return spool.HasRefused(wanted) ? (AlertStatus.Failed, "the service refused it; another process has sent it there") : (AlertStatus.Sent, "another process has sent it along");
        }

        if (held is null)
        {
            return (AlertStatus.Waiting, "another process is sending on this route");
        }

        if (PrivateFiles.IsOpen(spool.Folder))
        {
            notes.Add($"others may write to the spool {spool.Folder}: chmod 0700 '{spool.Folder}'");
        }

        var memory = AlertMemory.Read(spool.Folder, settings);
        (AlertStatus Status, string Detail)? outcome = null;
        foreach (var name in spool.List())
        {
            if (!spool.TryRead(name, out var alert))
            {
                spool.SetAside(name);
                notes.Add($"an alert in the spool could not be read, and was put aside: {Path.Combine(spool.Refused, name)}");
                continue;
            }

            var (done, status, detail) = await OneAsync(alert, memory, cancellationToken).ConfigureAwait(false);
            switch (status)
            {
                case AlertStatus.Sent or AlertStatus.Unneeded:
                    spool.Remove(name);
                    break;
                case AlertStatus.Failed:
                    spool.SetAside(name);
                    notes.Add($"refused, and put aside as {Path.Combine(spool.Refused, name)}: {alert}");
                    break;
            }

            if (name == wanted)
            {
                outcome = (status, detail);
            }

            if (!done)
            {
                return outcome ?? (AlertStatus.Waiting, detail);
            }
        }

        return outcome ?? (AlertStatus.Failed, "it could not be read in the spool, and was put aside");
    }

    /// <returns>Whether the next one may be tried; what has become of this one.</returns>
    private async Task<(bool GoOn, AlertStatus Status, string Detail)> OneAsync(Alert alert, AlertMemory memory, CancellationToken cancellationToken)
    {
        if (route.Channel is { } channel && memory.Unneeded(alert, channel.FoldsByKey) is { } reason)
        {
            return (true, AlertStatus.Unneeded, reason);
        }

        if (memory.Rest() is { } rest)
        {
            return (false, AlertStatus.Waiting, string.Create(CultureInfo.InvariantCulture, $"the service wants to be left alone for {Math.Ceiling(rest.TotalSeconds)} s more"));
        }

        var most = route.Planned.MostPerHour ?? PlannedRoute.DefaultMostPerHour;
        if (alert.Severity != Priority.P0 && memory.IsFull(most))
        {
            // Those behind it that must not wait are not held up.
            return (true, AlertStatus.Waiting, string.Create(CultureInfo.InvariantCulture, $"{most} alerts were sent within the hour, which is what the plan allows"));
        }

        var answer = await TryAsync(alert, cancellationToken).ConfigureAwait(false);
        switch (answer.Outcome)
        {
            case ChannelOutcome.Delivered:
                memory.Sent(alert);
                return (true, AlertStatus.Sent, answer.Detail);
            case ChannelOutcome.Refused:
                memory.Failed(answer.Detail, null);
                return (true, AlertStatus.Failed, answer.Detail);
            default:
                memory.Failed(answer.Detail, answer.After);
                return (false, AlertStatus.Waiting, answer.Detail);
        }
    }

    /// <summary>Tries until it is taken or refused, or the time is over.</summary>
    private async Task<ChannelAnswer> TryAsync(Alert alert, CancellationToken cancellationToken)
    {
        if (route.Channel is not { } channel)
        {
            return new(ChannelOutcome.Again, route.Fault!.Message);
        }

        var backoff = settings.FirstBackoff;
        ChannelAnswer? last = null;
        while (true)
        {
            var limit = Left < settings.AttemptLimit ? Left : settings.AttemptLimit;
            if (limit <= TimeSpan.Zero)
            {
                return last ?? new(ChannelOutcome.Again, "there was no time left to send it");
            }

            attempts++;
            var answer = await AttemptAsync(channel, alert, limit, cancellationToken).ConfigureAwait(false);
            if (answer.Outcome != ChannelOutcome.Again)
            {
                return answer;
            }

            last = answer;

            // Some more or less, so that many senders do not come back at the same moment.
            var wait = answer.After ?? backoff * (0.75 + (Random.Shared.NextDouble() / 2));
            if (wait >= Left)
            {
                return answer;
            }

            await Task.Delay(wait, cancellationToken).ConfigureAwait(false);
            backoff *= 2;
        }
    }

    private static async Task<ChannelAnswer> AttemptAsync(IAlertChannel channel, Alert alert, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        stop.CancelAfter(limit);
        try
        {
            return await channel.SendAsync(alert, stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new(ChannelOutcome.Again, string.Create(CultureInfo.InvariantCulture, $"no answer within {limit.TotalSeconds:0.#} s"));
        }
    }

    private async Task<FileStream?> LockAsync(string wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (spool.TryLock() is { } held)
            {
                return held;
            }

            if (Left <= TimeSpan.Zero || !spool.Has(wanted))
            {
                return null;
            }

            await Task.Delay(Random.Shared.Next(20, 60), cancellationToken).ConfigureAwait(false);
        }
    }

    private AlertDelivery Result(Alert? alert, AlertStatus status, string detail)
    {
        var waiting = 0;
        try
        {
            waiting = spool.List().Count;
        }
        catch (Exception e) when (IsTrouble(e))
        {
            notes.Add($"the spool {spool.Folder} cannot be read: {e.Message}");
        }

        return new AlertDelivery(route.Name, route.Planned.Kind, status, detail)
        {
            Key = alert?.Key ?? "",
            Kind = alert?.Kind ?? AlertKind.Trigger,
            Attempts = attempts,
            Duration = clock.Elapsed,
            Waiting = waiting,
            Notes = [.. notes],
        };
    }

    private static bool IsTrouble(Exception e) => e is IOException or UnauthorizedAccessException or NotSupportedException;
}
