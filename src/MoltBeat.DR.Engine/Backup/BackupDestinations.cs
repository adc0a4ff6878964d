using System.Globalization;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Backup;

/// <summary>The stores that one backup goes to, and what became of each.</summary>
internal sealed class BackupDestinations : IDisposable
{
    private readonly List<IBackupStore> stores;
    private readonly List<FailedCopy> failed = [];
    private readonly List<MoltException> failures = [];
    private readonly int minimum;
    private FanOutOutput? output;
    private string name = "";

    private BackupDestinations(List<IBackupStore> stores, int minimum)
    {
        this.stores = stores;
        this.minimum = minimum;
    }

    /// <summary>What can be written to.</summary>
    public IReadOnlyList<string> Locations => stores.ConvertAll(s => s.Location);

    /// <summary>Opens the stores, and looks whether enough of them can be written to before any work is done. Changes nothing in them.</summary>
    /// <exception cref="MoltException"><c>TooFewCopies</c>; with one store only, that store's own error.</exception>
    public static async Task<BackupDestinations> OpenAsync(IReadOnlyList<StoreSettings> settings, int minimum, IOperationObserver observer, CancellationToken cancellationToken)
    {
        if (minimum < 1 || minimum > settings.Count)
        {
            throw new MoltException("MinimumCopiesInvalid", ErrorKind.InvalidArgument, string.Create(CultureInfo.InvariantCulture, $"{minimum} copies cannot be had of {settings.Count} destinations."),
                "Let -MinimumCopies be between 1 and the number of destinations.", minimum);
        }

        if (settings.GroupBy(s => s.Place, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new MoltException("DestinationTwice", ErrorKind.InvalidArgument, $"{twice.Key} is named twice.", "Name each destination once: two copies in one place are one.", twice.Key);
        }

        var destinations = new BackupDestinations([], minimum);
        try
        {
            destinations.stores.AddRange(settings.Select(s => BackupStores.Open(s, observer)));

            // All at once, so that the wait for one that does not answer is the only one.
            async Task<string?> AskAsync(IBackupStore store) => await store.CheckWritableAsync(cancellationToken).ConfigureAwait(false);
            var asked = destinations.stores.ConvertAll(s => (Store: s, Answer: AskAsync(s)));
            await ((Task)Task.WhenAll(asked.Select(a => a.Answer))).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var (store, answer) in asked)
            {
                try
                {
                    if (await answer.ConfigureAwait(false) is { } warning)
                    {
                        observer.Warning(warning);
                    }
                }
                catch (MoltException e)
                {
                    destinations.Fail(store, e);
                }
            }

            destinations.CheckEnough(settings.Count - destinations.failures.Count, "can be made");
            return destinations;
        }
        catch
        {
            destinations.Dispose();
            throw;
        }
    }

    /// <summary>Removes what earlier backups that were cut short have left. A folder into which one cannot even look is given up; a bucket may forbid that alone.</summary>
    /// <exception cref="MoltException">As of <see cref="OpenAsync"/>.</exception>
    public async Task SweepAsync(string prefix, IOperationObserver observer, CancellationToken cancellationToken)
    {
        foreach (var store in stores.ToList())
        {
            try
            {
                foreach (var swept in await store.SweepAsync(prefix, cancellationToken).ConfigureAwait(false))
                {
                    observer.Warning($"Removed {swept}, which a backup that was cut short had left.");
                }
            }
            catch (MoltException e) when (store is LocalStore)
            {
                Fail(store, e);
            }
            catch (MoltException e)
            {
                observer.Verbose($"{store.Location} was not searched for leftovers: {e.Message}");
            }
        }

        CheckEnough(stores.Count, "can be made");
    }

    /// <summary>Begins the archive in all stores.</summary>
    public async Task<FanOutOutput> CreateAsync(string archive, NewArchive plan, CancellationToken cancellationToken)
    {
        name = archive;
        output = await FanOutOutput.CreateAsync(stores, archive, plan, cancellationToken).ConfigureAwait(false);
        return output;
    }

    /// <summary>Waits for the copies that are still on their way, and reads back what each store has.</summary>
    /// <exception cref="MoltException"><c>TooFewCopies</c>; with one store only, that store's own error.</exception>
    public async Task<BackupInfo> FinishAsync(string activity, IOperationObserver observer, Action<MoltException> onProblem, CancellationToken cancellationToken)
    {
        var total = output!.Position;
        IReadOnlyList<CopyOutcome> outcomes;
        try
        {
            outcomes = await output.FinishAsync(left => observer.Progress(new OperationProgress(activity,
                string.Create(CultureInfo.InvariantCulture, $"copying to other stores: {(total - left) / 1e6:N0} of {total / 1e6:N0} MB"), total > 0 ? (double)(total - left) / total : null, null)), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            await output.GiveUpAsync().ConfigureAwait(false);
        }

        BackupInfo? first = null;
        var locations = new List<BackupLocation>();
        foreach (var outcome in outcomes)
        {
            try
            {
                if (outcome.Failure is not null)
                {
                    throw outcome.Failure;
                }

                var info = await new BackupCatalog(outcome.Store).ReadAsync(name, CancellationToken.None).ConfigureAwait(false);
                first ??= info;
                locations.AddRange(info.Locations);
            }
            catch (MoltException e)
            {
                Fail(outcome.Store, e);
            }
        }

        ReportFailures(onProblem);
        CheckEnough(locations.Count, locations.Count == 0 ? "were made" : $"were made ({string.Join(", ", locations)})");
        await CheckClockAsync(first!, onProblem, cancellationToken).ConfigureAwait(false);
        return first!.With(locations, failed);
    }

    /// <summary>Tells of each store that has failed although there are enough others.</summary>
    public void ReportFailures(Action<MoltException> onProblem)
    {
        if (!OnlyStoreFailed)
        {
            failures.ForEach(onProblem);
        }
    }

    /// <summary>Looks in the nearest store for a backup that claims to be newer than the one just made.</summary>
    private async Task CheckClockAsync(BackupInfo made, Action<MoltException> onProblem, CancellationToken cancellationToken)
    {
        try
        {
            var all = await new BackupCatalog(stores[0]).ListAsync(_ => { }, cancellationToken).ConfigureAwait(false);
            if (all.Find(b => b.Database == made.Database && b.Id != made.Id) is { } other && other.Created >= made.Created)
            {
                onProblem(new MoltException("ClockBackwards", ErrorKind.InvalidData,
                    string.Create(CultureInfo.InvariantCulture, $"The backup {made.Name} was made, but {other.Name} claims to be newer ({other.Created.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC): a clock has gone backwards, or was wrong then. \"Latest\" would pick the other one."),
                    "Set the clock; if that other backup's time is wrong, move it to another folder.", other.Path));
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The backup is there: that is what is to be told.
        }
    }

    public void Dispose() => stores.ForEach(s => s.Dispose());

    /// <summary>Then its own error says more than that there are too few copies.</summary>
    private bool OnlyStoreFailed => failures.Count == 1 && stores.Count == 0;

    private void Fail(IBackupStore store, MoltException e)
    {
        stores.Remove(store);
        failures.Add(e);
        failed.Add(new FailedCopy(store.Settings.Name, e.Id, e.Message));
        store.Dispose();
    }

    private void CheckEnough(int copies, string what)
    {
        if (copies >= minimum)
        {
            return;
        }

        throw OnlyStoreFailed ? failures[0]
            : new MoltException("TooFewCopies", ErrorKind.Failed, string.Create(CultureInfo.InvariantCulture, $"Only {copies} of at least {minimum} copies {what}. {string.Join(" ", failures.Select(f => f.Message))}"),
                "Mend the stores named, and back up again; copies that were made stay and are listed by Get-MoltBackup.", failures.Select(f => f.TargetObject).FirstOrDefault(), failures.FirstOrDefault());
    }
}
