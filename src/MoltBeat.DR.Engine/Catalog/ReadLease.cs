using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Catalog;

/// <summary>
/// Tells others by a record beside an archive that it is being read, and must not be removed, until disposed. A store
/// that cannot be written to is no failure: reading goes on without the protection, and says so verbosely.
/// </summary>
public sealed class ReadLease : IAsyncDisposable
{
    /// <summary>Half of the time that a lease holds: one that could not be put anew in time has another chance.</summary>
    public static readonly TimeSpan RenewEvery = BackupRecords.LeaseTime / 2;

    // A store that does not answer any more must not keep a finished operation from ending: the lease ends by itself.
    private static readonly TimeSpan RemoveWithin = TimeSpan.FromSeconds(30);
    private readonly IBackupStore store;
    private readonly string archive;
    private readonly string backupId;
    private readonly string operation;
    private readonly IOperationObserver observer;
    private readonly TimeProvider time;
    private readonly List<string> written = [];
    private readonly CancellationTokenSource stop = new();
    private Task renewing = Task.CompletedTask;
    private bool disposed;

    private ReadLease(IBackupStore store, string archive, string backupId, string operation, IOperationObserver observer, TimeProvider time)
    {
        this.store = store;
        this.archive = archive;
        this.backupId = backupId;
        this.operation = operation;
        this.observer = observer;
        this.time = time;
    }

    /// <summary>Puts the lease's record, and puts it anew in the background until disposed.</summary>
    /// <param name="store">Where the archive is.</param>
    /// <param name="archive">Its file name.</param>
    /// <param name="backupId">The id in its manifest.</param>
    /// <param name="operation">What reads it, such as <c>Restore-MoltBackup</c>.</param>
    /// <param name="observer">Is told verbosely when the store cannot be written to.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Stops the taking, not a lease that is held.</param>
    public static async Task<ReadLease> TakeAsync(IBackupStore store, string archive, string backupId, string operation, IOperationObserver observer, TimeProvider time, CancellationToken cancellationToken)
    {
        var lease = new ReadLease(store, archive, backupId, operation, observer, time);
        try
        {
            var timer = new PeriodicTimer(RenewEvery, time);
            lease.renewing = lease.RenewAsync(timer);
            await lease.PutAsync(cancellationToken).ConfigureAwait(false);
            return lease;
        }
        catch
        {
            await lease.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Removes what it wrote. Never throws.</summary>
    public async ValueTask DisposeAsync()
    {
        if (disposed)
        {
            return;
        }

        disposed = true;
        await stop.CancelAsync().ConfigureAwait(false);
        await renewing.ConfigureAwait(false);
        stop.Dispose();
        using var limit = new CancellationTokenSource(RemoveWithin, time);
        await RemoveAsync(written.Count, limit.Token).ConfigureAwait(false);
    }

    private async Task RenewAsync(PeriodicTimer timer)
    {
        using (timer)
        {
            try
            {
                while (await timer.WaitForNextTickAsync(stop.Token).ConfigureAwait(false))
                {
                    // The older ones go only when the new one is there: at no time is there none.
                    if (await PutAsync(stop.Token).ConfigureAwait(false))
                    {
                        await RemoveAsync(written.Count - 1, stop.Token).ConfigureAwait(false);
                    }
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // The reading is over.
            }
        }
    }

    private async Task<bool> PutAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var name = RecordFile.NewName(now, RecordFile.Lease);
        // Noted before it is written: one that was, though the store said it failed, is removed as well.
        written.Add(name);
        try
        {
            await store.PutRecordAsync(archive, name,
                RecordFile.Write(new LeaseRecord(backupId, Environment.MachineName, Environment.ProcessId, operation, now, now + BackupRecords.LeaseTime)), cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            observer.Verbose($"That {archive} is being read could not be recorded in {store.Location}; nothing but its pins and its age keeps it from being removed meanwhile: {e.Message}");
            return false;
        }
    }

    /// <summary>Removes the oldest so many of the records.</summary>
    private async Task RemoveAsync(int count, CancellationToken cancellationToken)
    {
        for (var at = 0; count > 0; count--)
        {
            try
            {
                await store.DeleteRecordAsync(archive, written[at], cancellationToken).ConfigureAwait(false);
                written.RemoveAt(at);
            }
            catch (Exception e)
            {
                at++;
                observer.Verbose($"A record that {archive} is being read could not be removed from {store.Location}; it ends by itself within an hour: {e.Message}");
            }
        }
    }
}
