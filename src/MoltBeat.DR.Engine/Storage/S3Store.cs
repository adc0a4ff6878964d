using System.Globalization;
using System.Runtime.CompilerServices;
using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;
using ChecksumMode = MoltBeat.DR.Engine.Plan.ChecksumMode;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Backups as objects of a bucket of S3 or of a service that speaks like it. The SDK retries each request.</summary>
public sealed class S3Store : IBackupStore
{
    private const string RecordsFolder = ".records/";
    private const int LargestRecord = 1 << 20;

    /// <summary>Read first of an archive; its manifest is nearly always in it, so that one request is enough.</summary>
    private const int TailBytes = 128 << 10;

    /// <summary>An upload may be under way on another machine; none takes so long.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(1);

    private readonly IOperationObserver observer;
    private readonly TailCache cache;
    private AmazonS3Client? client;

    /// <param name="settings">Of a bucket.</param>
    /// <param name="observer">Is told of what is done for the service's sake.</param>
    public S3Store(StoreSettings settings, IOperationObserver observer)
        : this(settings, observer, new TailCache())
    {
    }

    internal S3Store(StoreSettings settings, IOperationObserver observer, TailCache cache)
    {
        Settings = settings;
        this.observer = observer;
        this.cache = cache;
    }

    public StoreSettings Settings { get; }

    /// <summary>Made when first used, so that a store that nobody asks cannot fail.</summary>
    internal AmazonS3Client Client
    {
        get
        {
            if (client is null)
            {
                client = S3ClientFactory.Create(Settings);
                if (Settings.Checksums == ChecksumMode.Auto && S3ClientFactory.OnlyRequiredChecksums(Settings))
                {
                    observer.Verbose($"{Settings.Location}: checksums are sent only where the protocol wants them, because the endpoint is not Amazon's; checksums=WhenSupported sends them always.");
                }

                cache.Prune();
            }

            return client;
        }
    }

    public void Dispose() => client?.Dispose();

    /// <inheritdoc/>
    public async Task<string?> CheckWritableAsync(CancellationToken cancellationToken)
    {
        await AskAsync(null, (c, t) => c.ListObjectsV2Async(new ListObjectsV2Request { BucketName = Settings.Bucket, Prefix = Settings.Prefix, MaxKeys = 1 }, t), cancellationToken).ConfigureAwait(false);
        return null;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredFile> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var file in await ListAsync(Settings.Prefix, cancellationToken).ConfigureAwait(false))
        {
            yield return file;
        }
    }

    /// <inheritdoc/>
    public async Task<StoredFile> FindAsync(string name, CancellationToken cancellationToken)
        => (await ListAsync(KeyOf(name), cancellationToken).ConfigureAwait(false)).Find(f => f.Name == name)
            ?? throw new MoltException("BackupNotFound", ErrorKind.NotFound, $"There is no backup {Settings.ItemLocation(name)}.", "List what is there with Get-MoltBackup.", Settings.ItemLocation(name));

    /// <inheritdoc/>
    public async Task<IArchiveInput> OpenAsync(StoredFile file, bool manifestOnly, CancellationToken cancellationToken)
    {
        var key = KeyOf(file.Name);
        var version = file.Version ?? "";
        string[] id = [Settings.Endpoint?.ToString() ?? "", Settings.Bucket!, key, version, file.Length.ToString(CultureInfo.InvariantCulture)];
        if (manifestOnly && cache.Get(id) is { } cached && cached.Length <= file.Length)
        {
            return new S3Input(Client, Settings, key, file.Location, version, file.Length, cached);
        }

        var from = Math.Max(0, file.Length - TailBytes);
        var tail = await ReadAsync(key, version, from, file.Length, cancellationToken).ConfigureAwait(false);
        var manifestAt = ManifestAt(tail, file);
        if (manifestAt < from)
        {
            tail = await ReadAsync(key, version, manifestAt, file.Length, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            tail = tail[(int)(manifestAt - from)..];
        }

        cache.Put(tail, id);
        return new S3Input(Client, Settings, key, file.Location, version, file.Length, tail);
    }

    /// <inheritdoc/>
    public async Task<IArchiveOutput> CreateAsync(string name, NewArchive plan, CancellationToken cancellationToken)
    {
        var key = KeyOf(name);
        if ((await ListAsync(key, cancellationToken).ConfigureAwait(false)).Exists(f => f.Name == name))
        {
            throw new MoltException("BackupExists", ErrorKind.AlreadyExists, $"{Settings.ItemLocation(name)} is there already.", "Nothing is overwritten. Try again a second later.", Settings.ItemLocation(name));
        }

        return new S3Output(Client, Settings, key, plan);
    }

    /// <inheritdoc/>
    public async Task<IArchiveOutput> ResumeAsync(string name, NewArchive plan, CancellationToken cancellationToken)
    {
        var output = (S3Output)await CreateAsync(name, plan, cancellationToken).ConfigureAwait(false);
        var key = KeyOf(name);
        var newest = (await AskAsync(key, (c, t) => new S3Uploads(c, Settings).ListAsync(key, t), cancellationToken).ConfigureAwait(false)).Where(u => u.Key == key).MaxBy(u => u.Initiated);
        var parts = newest is null ? [] : await AskAsync(key, (c, t) => new S3Uploads(c, Settings).PartsAsync(key, newest.UploadId, t), cancellationToken).ConfigureAwait(false);
        output.Resume(newest?.UploadId, parts.ToDictionary(p => p.PartNumber ?? 0));
        return output;
    }

    /// <summary>Copies an object within the service, where it can and the credentials of this store may read the other.</summary>
    /// <returns>False when it has to be streamed.</returns>
    public async Task<bool> TryCopyFromAsync(S3Store source, StoredFile file, NewArchive plan, CancellationToken cancellationToken)
    {
        if (source.Settings.Endpoint != Settings.Endpoint || source.Settings.Profile != Settings.Profile || source.Settings.Role != Settings.Role)
        {
            return false;
        }

        var output = (S3Output)await CreateAsync(file.Name, plan, cancellationToken).ConfigureAwait(false);
        await using (output.ConfigureAwait(false))
        {
            try
            {
                await output.CopyFromAsync(source.Settings.Bucket!, source.KeyOf(file.Name), file.Version, file.Length, cancellationToken).ConfigureAwait(false);
                return true;
            }
            catch (MoltException e) when (e.Id is not ("BackupExists" or "StoreFull"))
            {
                observer.Verbose($"The service does not copy from {source.Settings.Location} to {Settings.Location} by itself ({e.Message}); streaming it.");
                return false;
            }
        }
    }

    /// <inheritdoc/>
    public Task PutRecordAsync(string archive, string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var key = KeyOf(archive) + RecordsFolder + name;
        return AskAsync(key, async (c, t) =>
        {
            using var stream = new MemoryStream(content.ToArray(), writable: false);
            return await c.PutObjectAsync(new PutObjectRequest
            {
                BucketName = Settings.Bucket,
                Key = key,
                ContentType = "application/json",
                InputStream = stream,
                ServerSideEncryptionMethod = S3Keeping.Encryption(Settings),
                ServerSideEncryptionKeyManagementServiceKeyId = Settings.KmsKey,
            }, t).ConfigureAwait(false);
        }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task DeleteRecordAsync(string archive, string name, CancellationToken cancellationToken)
        => AskAsync(KeyOf(archive), (c, t) => c.DeleteObjectAsync(new DeleteObjectRequest { BucketName = Settings.Bucket, Key = KeyOf(archive) + RecordsFolder + name }, t), cancellationToken);

    /// <inheritdoc/>
    public async IAsyncEnumerable<(string Name, byte[] Content)> RecordsAsync(StoredFile file, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var name in file.Records ?? (await FindAsync(file.Name, cancellationToken).ConfigureAwait(false)).Records ?? [])
        {
            var key = KeyOf(file.Name) + RecordsFolder + name;
            string[] id = [Settings.Endpoint?.ToString() ?? "", Settings.Bucket!, key];
            var content = cache.Get(id);
            if (content is null)
            {
                try
                {
                    content = await ReadAsync(key, null, 0, LargestRecord, cancellationToken).ConfigureAwait(false);
                }
                catch (MoltException e) when (e.Id == "BackupNotFound")
                {
                    continue;
                }
                catch (MoltException e) when (e.Id == "StoreDenied")
                {
                    content = [];
                }

                if (content.Length > 0)
                {
                    cache.Put(content, id);
                }
            }

            yield return (name, content);
        }
    }

    /// <inheritdoc/>
    public async Task DeleteAsync(string name, CancellationToken cancellationToken)
    {
        // In a bucket with versions a lock does not keep anybody from hiding the object behind a delete marker.
        if (await LockedUntilAsync(name, cancellationToken).ConfigureAwait(false) is { } until && until > DateTimeOffset.UtcNow)
        {
            throw new MoltException("BackupLocked", ErrorKind.PermissionDenied, string.Create(CultureInfo.InvariantCulture, $"{Settings.ItemLocation(name)} is under object lock {(until == DateTimeOffset.MaxValue ? "without an end" : $"until {until.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC")}."),
                "It goes when the lock has ended.", Settings.ItemLocation(name));
        }

        var records = (await ListAsync(KeyOf(name), cancellationToken).ConfigureAwait(false)).Find(f => f.Name == name)?.Records ?? [];
        foreach (var key in records.Select(r => KeyOf(name) + RecordsFolder + r).Prepend(KeyOf(name)))
        {
            await AskAsync(key, (c, t) => c.DeleteObjectAsync(new DeleteObjectRequest { BucketName = Settings.Bucket, Key = key }, t), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task<DateTimeOffset?> LockedUntilAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var found = await AskAsync(KeyOf(name), (c, t) => c.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = Settings.Bucket, Key = KeyOf(name) }, t), cancellationToken).ConfigureAwait(false);
            return found.ObjectLockLegalHoldStatus == ObjectLockLegalHoldStatus.On ? DateTimeOffset.MaxValue
                : found.ObjectLockRetainUntilDate is { } until ? new DateTimeOffset(until.ToUniversalTime()) : null;
        }
        catch (MoltException e) when (e.Id == "BackupNotFound")
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> SweepAsync(string prefix, CancellationToken cancellationToken)
    {
        var swept = new List<string>();
        foreach (var upload in await AskAsync(null, (c, t) => new S3Uploads(c, Settings).ListAsync(KeyOf(prefix), t), cancellationToken).ConfigureAwait(false))
        {
            if (upload.Initiated is { } begun && begun.ToUniversalTime() < DateTime.UtcNow - Abandoned)
            {
                await AskAsync(upload.Key, async (c, t) =>
                {
                    await new S3Uploads(c, Settings).AbortAsync(upload.Key, upload.UploadId, t).ConfigureAwait(false);
                    return true;
                }, cancellationToken).ConfigureAwait(false);
                swept.Add($"the unfinished upload of s3://{Settings.Bucket}/{upload.Key}");
            }
        }

        return swept;
    }

    /// <summary>Archives and their records, from one listing of everything whose key starts so.</summary>
    private async Task<List<StoredFile>> ListAsync(string prefix, CancellationToken cancellationToken)
    {
        var files = new List<StoredFile>();
        var records = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        string? next = null;
        do
        {
            var page = await AskAsync(null, (c, t) => c.ListObjectsV2Async(new ListObjectsV2Request { BucketName = Settings.Bucket, Prefix = prefix, ContinuationToken = next }, t), cancellationToken).ConfigureAwait(false);
            foreach (var item in page.S3Objects ?? [])
            {
                var name = item.Key[Settings.Prefix.Length..];
                var slash = name.IndexOf('/', StringComparison.Ordinal);
                if (slash < 0 && name.EndsWith(ArchiveFormat.Extension, StringComparison.Ordinal))
                {
                    files.Add(new StoredFile(name, Settings.ItemLocation(name), item.Size ?? 0) { Version = item.ETag });
                }
                else if (slash > 0 && name[..(slash + 1)].EndsWith(ArchiveFormat.Extension + RecordsFolder, StringComparison.Ordinal) && item.Size <= LargestRecord)
                {
                    var archive = name[..(slash + 1 - RecordsFolder.Length)];
                    (records.TryGetValue(archive, out var list) ? list : records[archive] = []).Add(name[(slash + 1)..]);
                }
            }

            next = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (next is not null);
        return files.ConvertAll(f => f with { Records = records.GetValueOrDefault(f.Name) ?? [] });
    }

    private async Task<byte[]> ReadAsync(string key, string? version, long from, long to, CancellationToken cancellationToken)
    {
        if (to <= from)
        {
            return [];
        }

        return await AskAsync(key, async (c, t) =>
        {
            using var response = await c.GetObjectAsync(new GetObjectRequest
            {
                BucketName = Settings.Bucket,
                Key = key,
                ByteRange = version is null ? null : new ByteRange(string.Create(CultureInfo.InvariantCulture, $"bytes={from}-{to - 1}")),
                EtagToMatch = version,
            }, t).ConfigureAwait(false);
            using var bytes = new MemoryStream();
            await response.ResponseStream.CopyToAsync(bytes, t).ConfigureAwait(false);
            return bytes.ToArray();
        }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Where the manifest starts; for what is no archive, its end: reading it will say so.</summary>
    private static long ManifestAt(ReadOnlySpan<byte> tail, StoredFile file)
    {
        try
        {
            return tail.Length < ArchiveIndex.TailBytes ? file.Length - tail.Length : ArchiveIndex.Parse(tail[^ArchiveIndex.TailBytes..], file.Length, file.Location).ManifestOffset;
        }
        catch (MoltException)
        {
            return Math.Max(0, file.Length - ArchiveIndex.TailBytes);
        }
    }

    /// <summary>A question with a small answer; with all attempts it may take as long as a store may be silent, however slowly bytes trickle.</summary>
    private async Task<T> AskAsync<T>(string? key, Func<AmazonS3Client, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StallLimit.Patience * Settings.Timeout);
        try
        {
            return await ask(Client, limit.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not MoltException && !cancellationToken.IsCancellationRequested && S3Errors.Translate(e, Settings, key) is { } translated)
        {
            throw translated;
        }
    }

    private string KeyOf(string name) => Settings.Prefix + name;
}
