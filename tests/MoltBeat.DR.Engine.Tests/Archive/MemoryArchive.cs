using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Tests.Archive;

/// <summary>An archive in memory: to write, and to read.</summary>
internal sealed class MemoryArchive : IArchiveOutput, IArchiveInput
{
    private readonly MemoryStream _bytes = new();

    public MemoryArchive(byte[]? content = null) => _bytes.Write(content ?? []);

    public byte[] Bytes => _bytes.ToArray();

    public bool Committed { get; private set; }

    public long Position => _bytes.Length;

    public string Location => "memory.tar";

    public long Length => _bytes.Length;

    public ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        _bytes.Position = _bytes.Length;
        _bytes.Write(bytes.Span);
        return ValueTask.CompletedTask;
    }

    public ValueTask AppendOpenAsync(ReadOnlyMemory<byte> header, CancellationToken cancellationToken) => AppendAsync(header, cancellationToken);

    public ValueTask PatchAsync(long offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        _bytes.Position = offset;
        _bytes.Write(bytes.Span);
        return ValueTask.CompletedTask;
    }

    public Task CommitAsync(CancellationToken cancellationToken)
    {
        Committed = true;
        return Task.CompletedTask;
    }

    public ValueTask<int> ReadAtAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var count = (int)Math.Clamp(_bytes.Length - offset, 0, buffer.Length);
        _bytes.GetBuffer().AsSpan((int)offset, count).CopyTo(buffer.Span);
        return ValueTask.FromResult(count);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>A store that holds one archive, in memory, and takes no records.</summary>
internal class MemoryStore(byte[] archive) : IBackupStore
{
    public StoreSettings Settings { get; } = new() { Name = "memory", Folder = "/memory" };

    public void Dispose()
    {
    }

    public Task<string?> CheckWritableAsync(CancellationToken cancellationToken) => Task.FromResult<string?>(null);

    public async IAsyncEnumerable<StoredFile> ListAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        yield return new StoredFile("memory.tar", "memory.tar", archive.Length);
    }

    public Task<StoredFile> FindAsync(string name, CancellationToken cancellationToken) => Task.FromResult(new StoredFile(name, "memory.tar", archive.Length));

    public Task<IArchiveInput> OpenAsync(StoredFile file, bool manifestOnly, CancellationToken cancellationToken) => Task.FromResult<IArchiveInput>(new MemoryArchive(archive));

    public Task<IArchiveOutput> CreateAsync(string name, NewArchive plan, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<IArchiveOutput> ResumeAsync(string name, NewArchive plan, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task PutRecordAsync(string archive, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => Task.CompletedTask;

    public async IAsyncEnumerable<(string Name, byte[] Content)> RecordsAsync(StoredFile file, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        yield break;
    }

    public Task DeleteRecordAsync(string archive, string name, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task DeleteAsync(string name, CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<DateTimeOffset?> LockedUntilAsync(string name, CancellationToken cancellationToken) => Task.FromResult<DateTimeOffset?>(null);

    public Task<IReadOnlyList<string>> SweepAsync(string prefix, CancellationToken cancellationToken) => Task.FromResult<IReadOnlyList<string>>([]);
}
