using System.Security.Cryptography;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Copying;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>A database whose rows make several parts of an upload.</summary>
public sealed class PlacesDatabase(PostgresFixture postgres) : IAsyncLifetime
{
    public TestDatabase Database { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Database = await postgres.CreateDatabaseAsync("places");

        // Some 30 MB that do not compress.
        await Database.ExecuteAsync("""
            CREATE TABLE large (id integer PRIMARY KEY, noise bytea);
            INSERT INTO large SELECT i, decode(md5(i::text) || md5('a' || i) || md5('b' || i) || md5('c' || i), 'hex') FROM generate_series(1, 400000) i;
            CREATE TABLE small (id integer PRIMARY KEY, word text); INSERT INTO small SELECT i, 'word ' || i FROM generate_series(1, 1000) i;
            """);
    }

    public ValueTask DisposeAsync() => Database.DisposeAsync();
}

/// <summary>Tests of one database's backups in several places: a folder, a bucket, a bucket of another region.</summary>
public abstract class PlacesTests(PlacesDatabase places, CephFixture ceph) : IClassFixture<PlacesDatabase>, IAsyncLifetime
{
    private protected readonly List<MoltException> _problems = [];
    private protected readonly string _folder = Directory.CreateTempSubdirectory("molt-places-").FullName;
    private protected readonly Listener _listener = new();
    private protected readonly TestDatabase _database = places.Database;
    private protected TestBucket _near = null!;

    private protected CephFixture Ceph => ceph;

    private protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _near = await ceph.CreateBucketAsync();

    public ValueTask DisposeAsync()
    {
        _near.Dispose();
        Directory.Delete(_folder, recursive: true);
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    private protected StoreSettings Folder => StoreSettings.Parse(_folder);

    private protected Task<BackupInfo> BackupAsync(IReadOnlyList<StoreSettings> destinations, int minimum = 1, CancellationToken? cancel = null)
        => BackupOperation.RunAsync(Options(destinations) with { MinimumCopies = minimum }, _listener, _problems.Add, cancel ?? Cancel);

    private protected BackupOptions Options(IReadOnlyList<StoreSettings> destinations) => new() { Connection = ConnectionSettings.Parse(_database.Uri), Destinations = destinations, Jobs = 2 };

    private protected async Task VerifyAsync(StoreSettings settings, string name)
    {
        using var store = Opened(settings);
        Assert.Empty((await VerificationOperation.RunAsync(store, name, new VerificationOptions(), _listener, Cancel)).Failed);
    }

    private protected async Task RestoreAsync(IReadOnlyList<(IBackupStore, string)> copies, Action<RestoreResult> check, Func<RestoreOptions, RestoreOptions>? with = null)
    {
        var options = new RestoreOptions { Connection = ConnectionSettings.Parse(_database.Uri), TargetDatabase = _database.Name + "_back", Jobs = 2 };
        var result = await RestoreOperation.RunAsync(copies, with?.Invoke(options) ?? options, _ => Task.FromResult(true), _listener, Cancel);
        await _database.Server.ExecuteAsync($"DROP DATABASE \"{result!.Database}\"", cancel: Cancel);
        check(result);
    }

    private protected async Task<CopyResult> CopyAsync(StoreSettings from, string name, StoreSettings to)
    {
        using var source = Opened(from);
        using var target = Opened(to);
        return await CopyOperation.RunAsync([(source, name)], target, readBack: true, null, _listener, Cancel);
    }

    private protected IBackupStore Opened(StoreSettings settings) => settings.IsS3 ? new S3Store(settings, _listener, new TailCache(null)) : BackupStores.Open(settings, _listener);

    private protected OpenStores Stores(params StoreSettings[] settings) => new(settings.Select(Opened).ToList());

    private protected static async Task<byte[]> ObjectAsync(TestBucket bucket, string key)
    {
        using var response = await bucket.Client.GetObjectAsync(bucket.Name, key, Cancel);
        using var content = new MemoryStream();
        await response.ResponseStream.CopyToAsync(content, Cancel);
        return content.ToArray();
    }

    private protected static async Task AssertNothingLeftAsync(TestBucket bucket)
    {
        var uploads = await bucket.Client.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = bucket.Name }, Cancel);
        Assert.Empty(uploads.MultipartUploads ?? []);
    }

    private protected static string Hash(byte[] content) => Convert.ToHexString(SHA256.HashData(content));

    private protected sealed class OpenStores(List<IBackupStore> all) : IDisposable
    {
        public List<IBackupStore> All => all;

        public void Dispose() => all.ForEach(s => s.Dispose());
    }
}
