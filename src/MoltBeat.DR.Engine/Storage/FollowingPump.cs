using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Copies a file to another store while it grows, up to where it will not change any more.</summary>
internal sealed class FollowingPump
{
    private const int Chunk = 1 << 20;
    private readonly Lock gate = new();
    private long reached;
    private long? end;
    private TaskCompletionSource changed = New();

    /// <param name="source">The growing file.</param>
    /// <param name="target">Where to; used by this pump alone until it has ended.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public FollowingPump(LocalOutput source, IArchiveOutput target, CancellationToken cancellationToken)
    {
        Completion = Task.Run(() => RunAsync(source, target, cancellationToken), CancellationToken.None);
    }

    /// <summary>Ends when everything up to the end is copied, or with what failed.</summary>
    public Task Completion { get; }

    /// <summary>The file will not change any more before this position.</summary>
    public void Reach(long position) => Change(() => reached = Math.Max(reached, position));

    /// <summary>Nothing is to be copied from this position on.</summary>
    public void End(long position) => Change(() => (reached, end) = (position, position));

    /// <summary>Copies from the target's end to a position.</summary>
    /// <param name="source">The growing file.</param>
    /// <param name="target">Where to.</param>
    /// <param name="to">The position.</param>
    /// <param name="buffer">Of any size; one for all calls, as a new megabyte for each would be hundreds of them.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task CopyAsync(LocalOutput source, IArchiveOutput target, long to, byte[] buffer, CancellationToken cancellationToken)
    {
        while (target.Position < to)
        {
            var piece = buffer.AsMemory(0, (int)Math.Min(buffer.Length, to - target.Position));
            await source.ReadBackAsync(target.Position, piece, cancellationToken).ConfigureAwait(false);
            await target.AppendAsync(piece, cancellationToken).ConfigureAwait(false);
        }
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task RunAsync(LocalOutput source, IArchiveOutput target, CancellationToken cancellationToken)
    {
        var buffer = new byte[Chunk];
        while (true)
        {
            Task wait;
            long to;
            bool last;
            lock (gate)
            {
                wait = changed.Task;
                (to, last) = (reached, end is not null);
            }

            if (last || to - target.Position >= Chunk)
            {
                await CopyAsync(source, target, to, buffer, cancellationToken).ConfigureAwait(false);
            }

            if (last)
            {
                return;
            }

            await wait.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    private void Change(Action change)
    {
        lock (gate)
        {
            change();
            changed.TrySetResult();
            changed = New();
        }
    }
}
