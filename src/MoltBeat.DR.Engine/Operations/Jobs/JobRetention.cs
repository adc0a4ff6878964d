using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Operations.Jobs;

/// <summary>What a job does with the backups of before: holds the new one's size against theirs, and removes those whose time is up.</summary>
internal sealed class JobRetention(JobOptions options, Func<string, string, Task<bool>> approve, IOperationObserver observer, List<JobRemoval> removed, List<JobProblem> problems)
{
    /// <param name="backups">What the job has made.</param>
    /// <param name="begin">Called before the first removal.</param>
    /// <param name="cancellationToken">Stops it between two removals.</param>
    public async Task RunAsync(IReadOnlyList<JobBackup> backups, Action begin, CancellationToken cancellationToken)
    {
        var open = new List<IBackupStore>();
        try
        {
            open.AddRange(options.Stores.Select(s => BackupStores.Open(s, observer)));

            var all = await new BackupCatalog(open, options.Access).ListAsync(e => problems.Add(new JobProblem(JobArea.Retention, null, e)), cancellationToken).ConfigureAwait(false);
            foreach (var backup in backups.Select(b => b.Backup).OfType<BackupInfo>())
            {
                if (SizeCheck.Compare(backup, all) is { } anomaly)
                {
                    problems.Add(new JobProblem(JobArea.Size, backups.First(b => b.Backup == backup).Database, anomaly));
                }
            }

            // A preview shows what would go if the backups were made and passed.
            var fresh = backups.Where(b => b.IsVerified || (b.Backup is null && !problems.Exists(p => p.Database == b.Database && p.IsFatal))).Select(b => b.Backup?.Database ?? NameOf(b)).ToHashSet(StringComparer.Ordinal);
            foreach (var store in options.RemoveExpired && fresh.Count > 0 ? open : [])
            {
                await RemoveAsync(store, all, fresh, begin, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            open.ForEach(s => s.Dispose());
        }
    }

    private string NameOf(JobBackup backup) => options.Databases.First(d => d.Name == backup.Database).Backup!.Connection.Database;

    private async Task RemoveAsync(IBackupStore store, List<BackupInfo> all, HashSet<string> fresh, Action begin, CancellationToken cancellationToken)
    {
        try
        {
            var removal = new BackupRemoval(store);
            var decisions = await removal.DecideAsync(all, options.Retention, DateTimeOffset.UtcNow, cancellationToken).ConfigureAwait(false);

            // Oldest first: cut short, what is left is what would be left a while ago.
            foreach (var decision in decisions.Reverse().Where(d => d.Goes && fresh.Contains(d.Backup.Database)))
            {
                cancellationToken.ThrowIfCancellationRequested();
                await RemoveAsync(store, removal, decision, all, begin, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (MoltException e) when (e.Id is not ("JobRunning" or "JobLockNotWritable"))
        {
            problems.Add(new JobProblem(JobArea.Retention, null, e));
        }
    }

    private async Task RemoveAsync(IBackupStore store, BackupRemoval removal, RetentionDecision decision, List<BackupInfo> all, Action begin, CancellationToken cancellationToken)
    {
        if (!await approve(store.Settings.ItemLocation(decision.Backup.Name), $"Remove the backup: {decision.Text}").ConfigureAwait(false))
        {
            return;
        }

        begin();
        try
        {
            await removal.RemoveAsync(decision.Backup.Name, all, force: false, cancellationToken).ConfigureAwait(false);
            removed.Add(new JobRemoval(store.Settings.Name, decision.Backup.Name, decision.Text));
        }
        catch (MoltException e)
        {
            // One that is locked or being read stays until the next job; the others go.
            problems.Add(new JobProblem(JobArea.Retention, decision.Backup.Database, e));
        }
    }
}
