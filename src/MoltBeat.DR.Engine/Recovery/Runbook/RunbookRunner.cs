using System.Globalization;
using System.Runtime.CompilerServices;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>
/// Does a scenario's steps one after the other: each is written down when it is done, so that a recovery that broke off can be
/// taken up again, and each is given out as it ends.
/// </summary>
public static class RunbookRunner
{
    /// <summary>Recovers, or with <see cref="RunbookOptions.Preview"/> says how it would.</summary>
    /// <param name="options">What, from where.</param>
    /// <param name="approve">Is asked before each step that asks.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="cancellationToken">Stops it within a step; -Resume goes on with that one.</param>
    /// <returns>Each step when it has ended; those of before a resumption first.</returns>
    /// <exception cref="MoltException">That of the step that failed, after the step; and <c>RecoveryNotRecorded</c>, <c>RecoveryBusy</c>, <c>RecoveryNothingToResume</c>, <c>RecoveryChanged</c>.</exception>
    public static async IAsyncEnumerable<RunbookStep> RunAsync(RunbookOptions options, Func<RunbookStep, Task<bool>> approve, IOperationObserver observer, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Preview)
        {
            foreach (var (index, action) in new DatabaseCorruption(options, null, observer).Steps().Index())
            {
                yield return new RunbookStep(index + 1, action.Name, RunbookStatus.Planned, await action.Describe(cancellationToken).ConfigureAwait(false)) { Asks = action.Asks };
            }

            yield break;
        }

        using var incident = Incident.Open(options.IncidentFolder, NewRecord(options), options.Resume, observer, options.Clock);
        incident.Note($"{(options.Resume ? "Taken up again" : "Begun")} by {Environment.UserName} on {Environment.MachineName}");
        observer.Verbose($"The incident is recorded in {incident.Folder}.");
        var clock = EscalationClock.Start(options, incident);
        await using (clock.ConfigureAwait(false))
        {
            foreach (var (index, action) in new DatabaseCorruption(options, incident, observer).Steps().Index())
            {
                if (incident.Record.Steps.FirstOrDefault(s => s.Number == index + 1) is { Status: RunbookStatus.Done or RunbookStatus.Skipped } before)
                {
                    yield return before;
                    continue;
                }

                options.BeforeStep?.Invoke(action.Name);
                var (step, failure) = await OneAsync(action, index + 1, options, incident, approve, cancellationToken).ConfigureAwait(false);
                if (step.Status is RunbookStatus.Done or RunbookStatus.Skipped && action.Name == "Report")
                {
                    step = await FinishAsync(step, options, incident, clock).ConfigureAwait(false);
                }

                yield return step;
                if (step.Status is RunbookStatus.Failed)
                {
                    await clock.StoppedAsync(step).ConfigureAwait(false);
                    throw failure!.And($"The recovery stands still at step {step.Number}, {step.Name}; -Resume goes on with it. It is recorded in {incident.Folder}.");
                }

                if (step.Status is RunbookStatus.Declined)
                {
                    yield break;
                }
            }
        }
    }

    private static async Task<(RunbookStep Step, MoltException? Failure)> OneAsync(RunbookAction action, int number, RunbookOptions options, Incident incident, Func<RunbookStep, Task<bool>> approve, CancellationToken cancellationToken)
    {
        var planned = new RunbookStep(number, action.Name, RunbookStatus.Planned, await action.Describe(cancellationToken).ConfigureAwait(false)) { Asks = action.Asks };
        if (action.Asks && !await approve(planned).ConfigureAwait(false))
        {
            return (Written(incident, planned with { Status = RunbookStatus.Declined }, options), null);
        }

        var started = options.Clock.GetUtcNow();
        incident.Note($"Step {number}, {action.Name}: begun. {planned.Detail}");
        try
        {
            var done = await action.RunAsync(cancellationToken).ConfigureAwait(false);
            return (Written(incident, planned with { Status = done is null && action.Name != "Report" ? RunbookStatus.Skipped : RunbookStatus.Done, Detail = done ?? planned.Detail, Started = started }, options), null);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            incident.Note($"Step {number}, {action.Name}: somebody stopped it");
            throw;
        }
        catch (MoltException e)
        {
            return (Written(incident, planned with { Status = RunbookStatus.Failed, Detail = e.Message, ErrorId = e.Id, Started = started }, options), e);
        }
    }

    private static RunbookStep Written(Incident incident, RunbookStep step, RunbookOptions options)
    {
        var now = options.Clock.GetUtcNow();
        var written = step with { Ended = step.Started is null ? null : now, Remaining = incident.Record.Due - now };
        incident.Checkpoint(written);
        return written;
    }

    private static async Task<RunbookStep> FinishAsync(RunbookStep step, RunbookOptions options, Incident incident, EscalationClock clock)
    {
        var record = incident.Record;
        var now = options.Clock.GetUtcNow();
        var taken = now - record.Started;
        var text = string.Create(CultureInfo.InvariantCulture, $"{record.Database} is recovered ({record.Scenario}) after {taken.TotalMinutes:0.0} min, {(now <= record.Due ? "within" : "later than")} its RTO of {record.RtoMinutes:0.#} min. It has the state of {record.Backup!.StateOf.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC.");

        // No more is told once it is over.
        await clock.DisposeAsync().ConfigureAwait(false);
        await clock.DoneAsync(text).ConfigureAwait(false);
        var finished = step with { Detail = $"{text} The report is {Path.Combine(incident.Folder, "incident.md")}", Ended = now, Remaining = record.Due - now };
        incident.Checkpoint(finished, r => r with { Finished = now });
        return finished;
    }

    private static IncidentRecord NewRecord(RunbookOptions options)
    {
        var now = options.Clock.GetUtcNow();
        var safe = string.Concat(options.Connection.Database.Take(40).Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' ? c : '_'));
        var id = string.Create(CultureInfo.InvariantCulture, $"{now.UtcDateTime:yyyyMMdd'T'HHmmss'Z'}-{options.Scenario}-{safe}-{Guid.NewGuid().ToString("N")[..6]}");
        return new IncidentRecord(id, options.Scenario, options.Connection.Database, options.Connection.Describe(), now, options.Plan.Objectives.PriorityOf(options.Scenario), options.Plan.Objectives.RtoOf(options.Scenario).TotalMinutes);
    }
}
