using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Copying;

/// <summary>Keeps nothing of an archive that is made only to know what would be in it.</summary>
internal sealed class NoOutput : IArchiveOutput
{
    public long Position { get; private set; }

    public ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Position += bytes.Length;
        return ValueTask.CompletedTask;
    }

    public ValueTask AppendOpenAsync(ReadOnlyMemory<byte> header, CancellationToken cancellationToken) => AppendAsync(header, cancellationToken);

    public ValueTask PatchAsync(long offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public Task CommitAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
