using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>What became of one copy.</summary>
/// <param name="Store">Where to.</param>
/// <param name="Failure">Why there is none; null when it is there, whole.</param>
public sealed record CopyOutcome(IBackupStore Store, MoltException? Failure);

/// <summary>
/// Writes one archive to several stores in one pass. With a local folder among them, that file comes first and the others
/// are copied from it while it grows, each at its own pace: a slow line holds up neither the database nor another store.
/// Without one, all get the same bytes at once. A store that fails is given up alone.
/// </summary>
internal sealed class FanOutOutput : IArchiveOutput
{
    private readonly List<Copy> copies = [];
    private readonly CancellationTokenSource stop = new();
    private LocalOutput? leader;
    private long openAt = -1;
    private bool committed;
    private bool givenUp;

    /// <summary>Bytes appended so far.</summary>
    public long Position { get; private set; }

    /// <summary>Begins the archive in every store; one in which it cannot begin has failed.</summary>
    /// <param name="stores">The stores, in the order in which they were asked for.</param>
    /// <param name="name">The archive's file name.</param>
    /// <param name="plan">What is known of it.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<FanOutOutput> CreateAsync(IReadOnlyList<IBackupStore> stores, string name, NewArchive plan, CancellationToken cancellationToken)
    {
        var all = new FanOutOutput();
        try
        {
            foreach (var store in stores)
            {
                var copy = new Copy(store);
                all.copies.Add(copy);
                try
                {
                    copy.Output = await store.CreateAsync(name, plan, cancellationToken).ConfigureAwait(false);
                }
                catch (MoltException e)
                {
                    copy.Failure = e;
                }
            }

            var leading = all.copies.Find(c => c.Output is LocalOutput);
            all.leader = leading?.Output as LocalOutput;
            foreach (var copy in all.Alive)
            {
                copy.Direct = all.leader is null || copy == leading;
                if (!copy.Direct)
                {
                    copy.Pump = new FollowingPump(all.leader!, copy.Output!, all.stop.Token);
                }
            }

            all.ThrowWhenNoneIsLeft();
            return all;
        }
        catch
        {
            await all.GiveUpAsync().ConfigureAwait(false);
            throw;
        }
    }

    private IEnumerable<Copy> Alive => copies.Where(c => c.Output is not null && c.Failure is null);

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await DirectAsync(o => o.AppendAsync(bytes, cancellationToken), cancellationToken).ConfigureAwait(false);
        Position += bytes.Length;
        LetFollow();
    }

    public async ValueTask AppendOpenAsync(ReadOnlyMemory<byte> header, CancellationToken cancellationToken)
    {
        await DirectAsync(o => o.AppendOpenAsync(header, cancellationToken), cancellationToken).ConfigureAwait(false);
        openAt = Position;
        Position += header.Length;
    }

    public async ValueTask PatchAsync(long offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await DirectAsync(o => o.PatchAsync(offset, bytes, cancellationToken), cancellationToken).ConfigureAwait(false);
        openAt = -1;
        LetFollow();
    }

    /// <summary>Commits what is written directly; what follows goes on until <see cref="FinishAsync"/>.</summary>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        await DirectAsync(async o => await o.CommitAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        committed = true;
        foreach (var copy in Alive.Where(c => c.Pump is not null))
        {
            copy.Pump!.End(Position);
        }
    }

    /// <summary>Waits for those that follow, and commits them.</summary>
    /// <param name="progress">Is told, about once a second, how many bytes the slowest still lacks.</param>
    /// <param name="cancellationToken">Stops it; committed copies stay.</param>
    public async Task<IReadOnlyList<CopyOutcome>> FinishAsync(Action<long> progress, CancellationToken cancellationToken)
    {
        using var registration = cancellationToken.Register(stop.Cancel);
        var following = Alive.Where(c => c.Pump is not null).Select(c => CommitFollowerAsync(c, cancellationToken)).ToList();
        var all = Task.WhenAll(following);
        while (await Task.WhenAny(all, Task.Delay(TimeSpan.FromSeconds(1), CancellationToken.None)).ConfigureAwait(false) != all)
        {
            progress(copies.Where(c => c.Pump is not null && c.Failure is null).Select(c => Position - c.Output!.Position).DefaultIfEmpty().Max());
        }

        await all.ConfigureAwait(false);
        await GiveUpAsync().ConfigureAwait(false);
        return copies.ConvertAll(c => new CopyOutcome(c.Store, c.Failure));
    }

    /// <summary>The archive's writer ends with this; what follows a committed archive goes on.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!committed)
        {
            await GiveUpAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Ends everything: what is not committed leaves nothing behind.</summary>
    public async Task GiveUpAsync()
    {
        if (givenUp)
        {
            return;
        }

        givenUp = true;
        await stop.CancelAsync().ConfigureAwait(false);

        // Those that follow read the leader's file, so it is closed last.
        foreach (var copy in copies.OrderBy(c => c.Output == leader))
        {
            if (copy.Pump is not null)
            {
                await copy.Pump.Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            if (copy.Output is not null)
            {
                await copy.Output.DisposeAsync().ConfigureAwait(false);
            }
        }

        stop.Dispose();
    }

    private static async Task CommitFollowerAsync(Copy copy, CancellationToken cancellationToken)
    {
        try
        {
            await copy.Pump!.Completion.ConfigureAwait(false);
            await copy.Output!.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (MoltException e)
        {
            copy.Failure = e;
        }
    }

    private void LetFollow()
    {
        foreach (var copy in copies)
        {
            copy.Pump?.Reach(openAt >= 0 ? openAt : Position);
        }
    }

    private async Task DirectAsync(Func<IArchiveOutput, ValueTask> step, CancellationToken cancellationToken)
    {
        foreach (var copy in Alive.Where(c => c.Direct).ToList())
        {
            await TryAsync(copy, step).ConfigureAwait(false);
            if (copy.Failure is not null && copy.Output == leader)
            {
                foreach (var heir in await PromoteAsync(cancellationToken).ConfigureAwait(false))
                {
                    await TryAsync(heir, step).ConfigureAwait(false);
                }
            }
        }

        ThrowWhenNoneIsLeft();
    }

    private static async Task TryAsync(Copy copy, Func<IArchiveOutput, ValueTask> step)
    {
        try
        {
            await step(copy.Output!).ConfigureAwait(false);
        }
        catch (MoltException e)
        {
            copy.Failure = e;
        }
    }

    /// <summary>The leader's disk has failed or is full: those that follow take what it holds, and then their bytes directly.</summary>
    private async Task<List<Copy>> PromoteAsync(CancellationToken cancellationToken)
    {
        var heirs = Alive.Where(c => c.Pump is not null).ToList();
        foreach (var heir in heirs)
        {
            try
            {
                heir.Pump!.End(openAt >= 0 ? openAt : Position);
                await heir.Pump.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
                if (openAt >= 0)
                {
                    var header = new byte[TarHeader.BlockBytes];
                    await leader!.ReadBackAsync(openAt, header, cancellationToken).ConfigureAwait(false);
                    await heir.Output!.AppendOpenAsync(header, cancellationToken).ConfigureAwait(false);
                    await FollowingPump.CopyAsync(leader, heir.Output, Position, new byte[1 << 16], cancellationToken).ConfigureAwait(false);
                }
            }
            catch (MoltException e)
            {
                heir.Failure = e;
            }

            heir.Pump = null;
            heir.Direct = true;
        }

        return heirs.Where(h => h.Failure is null).ToList();
    }

    private void ThrowWhenNoneIsLeft()
    {
        if (!Alive.Any())
        {
            throw copies.Select(c => c.Failure).OfType<MoltException>().First();
        }
    }

    private sealed class Copy(IBackupStore store)
    {
        public IBackupStore Store => store;

        public IArchiveOutput? Output { get; set; }

        public MoltException? Failure { get; set; }

        /// <summary>It gets every byte when it is written.</summary>
        public bool Direct { get; set; }

        /// <summary>Copies the leader's file to it.</summary>
        public FollowingPump? Pump { get; set; }
    }
}
