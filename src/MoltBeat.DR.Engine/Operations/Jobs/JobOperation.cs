using System.Diagnostics;
using System.Globalization;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Verification;

namespace MoltBeat.DR.Engine.Operations.Jobs;

/// <summary>
/// What a scheduler calls: for each database a backup and the verification of all its copies; then, for those databases only
/// that have a verified backup now, the removal of what the rules let go. What goes wrong with one database stops no other.
/// </summary>
public sealed class JobOperation
{
    private readonly JobOptions options;
    private readonly Func<string, string, Task<bool>> approve;
    private readonly IOperationObserver observer;
    private readonly TimeProvider time;
    private readonly CancellationToken stopped;
    private readonly List<JobProblem> problems = [];
    private readonly List<JobRemoval> removed = [];
    private JobLock? running;

    private JobOperation(JobOptions options, Func<string, string, Task<bool>> approve, IOperationObserver observer, TimeProvider time, CancellationToken stopped)
        => (this.options, this.approve, this.observer, this.time, this.stopped) = (options, approve, observer, time, stopped);

    /// <param name="options">What to do.</param>
    /// <param name="approve">Is asked before anything is changed: target and action, for people. With no for all nothing is changed anywhere.</param>
    /// <param name="observer">Is told of the progress.</param>
    /// <param name="time">The clock of the limits.</param>
    /// <param name="cancellationToken">Stops the whole job; nothing half-made is left.</param>
    /// <returns>What became of it, also when all of it failed.</returns>
    /// <exception cref="MoltException"><c>JobRunning</c>, <c>JobLockNotWritable</c>.</exception>
    public static async Task<JobResult> RunAsync(JobOptions options, Func<string, string, Task<bool>> approve, IOperationObserver observer, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        var (started, clock) = (DateTimeOffset.UtcNow, Stopwatch.StartNew());
        var job = new JobOperation(options, approve, observer, time, cancellationToken);
        using var limit = options.TimeLimit is { } most ? new CancellationTokenSource(most, time) : new CancellationTokenSource();
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            var backups = new List<JobBackup>();
            foreach (var database in options.Databases)
            {
                backups.Add(await job.RunAsync(database, both.Token).ConfigureAwait(false));
            }

            await job.LookBackAsync(backups, both.Token).ConfigureAwait(false);
            return new JobResult(options.Kind, started, clock.Elapsed, backups, job.removed, job.problems);
        }
        finally
        {
            job.running?.Dispose();
        }
    }

    private async Task<JobBackup> RunAsync(JobDatabase database, CancellationToken cancellationToken)
    {
        if (database.Backup is null)
        {
            problems.Add(new JobProblem(JobArea.Backup, database.Name, database.Problem!));
            return new JobBackup(database.Name, null, []);
        }

        var backup = await WatchedAsync(JobArea.Backup, database.Name, $"The backup of {database.Name}", (watch, token) => BackUpAsync(database, watch, token), cancellationToken).ConfigureAwait(false);
        var verifications = new List<VerificationResult>();
        foreach (var copy in backup?.Locations ?? [])
        {
            var store = database.Backup.Destinations.First(d => d.Name == copy.Store);
            if (await WatchedAsync(JobArea.Verification, database.Name, $"The verification of {copy.Path}", (watch, token) => VerifyAsync(database.Name, store, backup!.Name, watch, token), cancellationToken).ConfigureAwait(false) is { } verification)
            {
                verifications.Add(verification);
            }
        }

        return new JobBackup(database.Name, backup, verifications);
    }

    private async Task<BackupInfo?> BackUpAsync(JobDatabase database, IOperationObserver watch, CancellationToken cancellationToken)
    {
        var options = database.Backup!;

        async Task<bool> ApproveAsync(BackupPreview preview)
        {
            if (!await approve($"database {options.Connection.Database} ({options.Connection.Describe()})", $"{this.options.Kind} job: back up {preview}, and verify ({this.options.Verify})").ConfigureAwait(false))
            {
                return false;
            }

            running ??= JobLock.Take(this.options.LockFile, $"{this.options.Kind} job");
            return true;
        }

        return await BackupOperation.RunAsync(options, ApproveAsync, watch, e => problems.Add(new JobProblem(e.Id == "ClockBackwards" ? JobArea.Clock : JobArea.Copy, database.Name, e)), cancellationToken).ConfigureAwait(false);
    }

    private async Task<VerificationResult?> VerifyAsync(string database, StoreSettings settings, string name, IOperationObserver watch, CancellationToken cancellationToken)
    {
        using var store = BackupStores.Open(settings, watch);
        var wanted = new VerificationOptions { Level = options.Verify, Access = options.Access };
        VerificationResult result;
        try
        {
            result = await VerificationOperation.RunAsync(store, name, wanted, watch, cancellationToken).ConfigureAwait(false);
        }
        catch (MoltException e) when (options.Verify == VerificationLevel.Full && e.Id is "PrivateKeyMissing" or "GpgMissing" or "PassphraseMissing")
        {
            // As it should be on a host that only backs up. That less was proven than the plan wants is said all the same.
            problems.Add(new JobProblem(JobArea.Verification, database, new MoltException("VerifiedLess", ErrorKind.NotFound, $"{settings.ItemLocation(name)} could be verified {VerificationLevel.Quick} only, because no private key opens it here.",
                "Run Test-MoltBackup -Level Full where the private key is, and write Quick for this host's jobs in the plan.", settings.ItemLocation(name), e)));
            result = await VerificationOperation.RunAsync(store, name, wanted with { Level = VerificationLevel.Quick }, watch, cancellationToken).ConfigureAwait(false);
        }

        if (!result.Passed)
        {
            problems.Add(new JobProblem(JobArea.Verification, database, new MoltException("VerificationFailed", ErrorKind.InvalidData, $"{result.Path} did not pass: {string.Join("; ", result.Failed.Select(c => $"{c.Name}: {c.Detail}"))}.",
                "Do not rely on this backup. Use another copy or another backup, and make a new one.", result.Path)));
        }

        return result;
    }

    /// <summary>Sizes against those of before, and retention; a job that has run out of time leaves both to the next.</summary>
    private async Task LookBackAsync(IReadOnlyList<JobBackup> backups, CancellationToken cancellationToken)
    {
        if (!backups.Any(b => b.Backup is not null || !problems.Exists(p => p.Database == b.Database)))
        {
            // Nothing new to compare, and nothing that may go: a store that is down was told with the backup.
            return;
        }

        var retention = new JobRetention(options, approve, observer, removed, problems);
        await WatchedAsync(JobArea.Retention, null, "Looking through the stores", async (_, token) =>
        {
            await retention.RunAsync(backups, () => running ??= JobLock.Take(options.LockFile, $"{options.Kind} job"), token).ConfigureAwait(false);
            return true;
        }, cancellationToken, isWatched: false).ConfigureAwait(false);
    }

    /// <summary>Runs one step under the limits; what goes wrong becomes a problem.</summary>
    private async Task<T?> WatchedAsync<T>(JobArea area, string? database, string what, Func<IOperationObserver, CancellationToken, Task<T>> step, CancellationToken cancellationToken, bool isWatched = true)
    {
        using var watch = new StallWatch(observer, isWatched ? options.Stall : null, time, cancellationToken);
        try
        {
            watch.Token.ThrowIfCancellationRequested();
            return await step(watch, watch.Token).ConfigureAwait(false);
        }
        catch (MoltException e) when (e.Id is "JobRunning" or "JobLockNotWritable")
        {
            throw;
        }
        catch (Exception e) when (watch.Token.IsCancellationRequested && !stopped.IsCancellationRequested)
        {
            // Whatever the step says of its being ended, this is why.
            problems.Add(new JobProblem(area, database, watch.HasStalled
                ? new MoltException("JobStalled", ErrorKind.Timeout, string.Create(CultureInfo.InvariantCulture, $"{what} was ended, as nothing had moved for {options.Stall!.Value.TotalMinutes:0.##} minutes; the last that was heard: {watch.LastStatus}."),
                    "Look at the server and the stores: something waits for a lock, a disk or a line. stallMinutes in the plan's jobs gives it more time.", database, e)
                : new MoltException("JobTimedOut", ErrorKind.Timeout, string.Create(CultureInfo.InvariantCulture, $"{what} was ended, or not begun, as the job had used up its {options.TimeLimit!.Value.TotalMinutes:0.##} minutes."),
                    "Find out what took so long (-Verbose tells each step), or set timeLimitMinutes in the plan's jobs.", database, e)));
        }
        catch (MoltException e)
        {
            problems.Add(new JobProblem(area, database, e));
        }

        return default;
    }
}
