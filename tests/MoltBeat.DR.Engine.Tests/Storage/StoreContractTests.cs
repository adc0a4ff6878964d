using System.Security.Cryptography;
using MoltBeat.DR.Engine.Storage;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Storage;

/// <summary>What every store does alike; run against a folder and against a bucket.</summary>
public abstract class StoreContractTests
{
    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected static NewArchive Some => new(DateTimeOffset.UtcNow, 0);

    [Fact]
    public async Task An_archive_appears_only_when_it_is_committed()
    {
        using var store = await OpenStoreAsync();
        await store.CheckWritableAsync(Cancel);
        var content = Random(300_000);
        await using (var output = await store.CreateAsync("x.tar", Some, Cancel))
        {
            await output.AppendAsync(content, Cancel);
            Assert.Empty(await NamesAsync(store));
            await output.CommitAsync(Cancel);
        }

        Assert.Equal(["x.tar"], await NamesAsync(store));
        Assert.Equal(content, await ReadAsync(store, "x.tar"));
    }

    [Fact]
    public async Task An_archive_that_is_given_up_leaves_nothing()
    {
        using var store = await OpenStoreAsync();
        await store.CheckWritableAsync(Cancel);
        await using (var output = await store.CreateAsync("x.tar", Some, Cancel))
        {
            for (var i = 0; i < 20; i++)
            {
                await output.AppendAsync(Random(1 << 20), Cancel);
            }
        }

        Assert.Empty(await NamesAsync(store));
        Assert.Empty(await LeftoversAsync(store));
    }

    [Fact]
    public async Task A_name_that_is_taken_is_never_overwritten()
    {
        using var store = await OpenStoreAsync();
        await store.CheckWritableAsync(Cancel);
        await WriteAsync(store, "x.tar", [1]);
        Assert.Equal(("BackupExists", ErrorKind.AlreadyExists), await FailureAsync(() => store.CreateAsync("x.tar", Some, Cancel)));
        Assert.Equal(("BackupExists", ErrorKind.AlreadyExists), await FailureAsync(() => store.ResumeAsync("x.tar", Some, Cancel)));
        Assert.Equal([1], await ReadAsync(store, "x.tar"));
    }

    // Parts of an upload are 8 MB: the header before, in, across and behind the border of two.
    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    [InlineData((8 << 20) - 512)]
    [InlineData((8 << 20) - 100)]
    [InlineData(8 << 20)]
    [InlineData((16 << 20) - 1)]
    public async Task A_header_that_was_left_open_is_patched_wherever_it_lies(int before)
    {
        using var store = await OpenStoreAsync();
        await store.CheckWritableAsync(Cancel);
        var (head, patch, tail) = (Random(before), Random(512), Random(17 << 20));
        await using (var output = await store.CreateAsync("x.tar", Some, Cancel))
        {
            await output.AppendAsync(head, Cancel);
            await output.AppendOpenAsync(new byte[512], Cancel);
            await output.AppendAsync(tail, Cancel);
            await output.PatchAsync(before, patch, Cancel);
            await output.CommitAsync(Cancel);
        }

        Assert.Equal(Hash([.. head, .. patch, .. tail]), Hash(await ReadAsync(store, "x.tar")));
    }

    [Fact]
    public async Task Ranges_are_read_by_position_and_as_a_stream()
    {
        using var store = await OpenStoreAsync();
        await store.CheckWritableAsync(Cancel);
        var content = Random(700_000);
        await WriteAsync(store, "x.tar", content);
        await using var input = await store.OpenAsync(await store.FindAsync("x.tar", Cancel), manifestOnly: false, Cancel);
        Assert.Equal(content.Length, input.Length);
        var piece = new byte[1000];
        Assert.Equal(1000, await input.ReadAtAsync(5, piece, Cancel));
        Assert.Equal(content[5..1005], piece);
        Assert.Equal(10, await input.ReadAtAsync(content.Length - 10, piece, Cancel));
        Assert.Equal(content[^10..], piece[..10]);
        Assert.Equal(0, await input.ReadAtAsync(content.Length, piece, Cancel));

        await using var range = input.OpenRange(123_456, 400_000);
        using var read = new MemoryStream();
        await range.CopyToAsync(read, Cancel);
        Assert.Equal(content[123_456..523_456], read.ToArray());
    }

    [Fact]
    public async Task Records_lie_beside_their_archive_and_only_there()
    {
        using var store = await OpenStoreAsync();
        await store.CheckWritableAsync(Cancel);
        await WriteAsync(store, "x.tar", [1]);
        await WriteAsync(store, "x.tar.tar", [1]);
        await store.PutRecordAsync("x.tar", "1.json", "one"u8.ToArray(), Cancel);
        await store.PutRecordAsync("x.tar", "2.json", "two"u8.ToArray(), Cancel);
        await store.PutRecordAsync("x.tar.tar", "3.json", "three"u8.ToArray(), Cancel);

        var found = new List<string>();
        await foreach (var (name, content) in store.RecordsAsync(await store.FindAsync("x.tar", Cancel), Cancel))
        {
            found.Add($"{name} {System.Text.Encoding.UTF8.GetString(content)}");
        }

        Assert.Equal(["1.json one", "2.json two"], found.Order(StringComparer.Ordinal));
        Assert.Equal(["x.tar", "x.tar.tar"], await NamesAsync(store));
    }

    [Theory]
    [InlineData("a b+c%20d.tar")]
    [InlineData("äöü-日本-🐘.tar")]
    [InlineData("it's (1) = \"2\" & <3>.tar")]
    public async Task Odd_names_are_names_like_others(string name)
    {
        using var store = await OpenStoreAsync();
        await store.CheckWritableAsync(Cancel);
        await WriteAsync(store, name, [1, 2]);
        Assert.Equal([name], await NamesAsync(store));
        Assert.Equal([1, 2], await ReadAsync(store, name));
        var location = (await store.FindAsync(name, Cancel)).Location;
        Assert.Equal(name, Engine.Plan.StoreSettings.ParseItem(location).Name);
        using var again = BackupStores.Open(Engine.Plan.StoreSettings.ParseItem(location).Store, new Failures.Listener());
        Assert.Equal([1, 2], await ReadAsync(again, name));
    }

    [Fact]
    public async Task What_is_not_there_is_not_found()
    {
        using var store = await OpenStoreAsync();
        await store.CheckWritableAsync(Cancel);
        await WriteAsync(store, "xy.tar", [1]);
        Assert.Equal(("BackupNotFound", ErrorKind.NotFound), await FailureAsync(() => store.FindAsync("x.tar", Cancel)));
    }

    [Fact]
    public async Task An_attempt_that_was_cut_short_is_taken_up_again()
    {
        using var store = await OpenStoreAsync();
        await store.CheckWritableAsync(Cancel);
        var content = Random(20 << 20);
        await using (var cut = await store.ResumeAsync("x.tar", new NewArchive(DateTimeOffset.UtcNow, content.Length), Cancel))
        {
            await cut.AppendAsync(content.AsMemory(0, 17 << 20), Cancel);
        }

        Assert.Empty(await NamesAsync(store));
        await using (var output = await store.ResumeAsync("x.tar", new NewArchive(DateTimeOffset.UtcNow, content.Length), Cancel))
        {
            await output.AppendAsync(content.AsMemory((int)output.Position), Cancel);
            await output.CommitAsync(Cancel);
        }

        Assert.Equal(Hash(content), Hash(await ReadAsync(store, "x.tar")));
        Assert.Empty(await LeftoversAsync(store));
    }

    /// <summary>A store of the test's own, empty.</summary>
    protected abstract Task<IBackupStore> OpenStoreAsync();

    /// <summary>What an unfinished archive has left in the store.</summary>
    protected abstract Task<List<string>> LeftoversAsync(IBackupStore store);

    protected static async Task WriteAsync(IBackupStore store, string name, byte[] content)
    {
        await using var output = await store.CreateAsync(name, Some, Cancel);
        await output.AppendAsync(content, Cancel);
        await output.CommitAsync(Cancel);
    }

    protected static async Task<byte[]> ReadAsync(IBackupStore store, string name)
    {
        await using var input = await store.OpenAsync(await store.FindAsync(name, Cancel), manifestOnly: false, Cancel);
        await using var whole = input.OpenRange(0, input.Length);
        using var read = new MemoryStream();
        await whole.CopyToAsync(read, Cancel);
        return read.ToArray();
    }

    protected static async Task<List<string>> NamesAsync(IBackupStore store)
    {
        var names = new List<string>();
        await foreach (var file in store.ListAsync(Cancel))
        {
            names.Add(file.Name);
        }

        names.Sort(StringComparer.Ordinal);
        return names;
    }

    protected static async Task<(string Id, ErrorKind Kind)> FailureAsync(Func<Task> action)
    {
        var e = await Assert.ThrowsAsync<MoltException>(action);
        return (e.Id, e.Kind);
    }

    protected static byte[] Random(int length) => RandomNumberGenerator.GetBytes(length);

    protected static string Hash(byte[] content) => Convert.ToHexString(SHA256.HashData(content));
}
