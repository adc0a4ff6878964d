using System.Security.Cryptography;
using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>
/// An object that is uploaded while it grows: parts in parallel, each retried on its own; what is small enough goes in one
/// piece. It appears under its name only at the commit; given up, nothing of it stays.
/// </summary>
internal sealed class S3Output : IArchiveOutput
{
    /// <summary>Uploads at once; with the part that is being filled, so many are in memory.</summary>
    private const int Parallel = 4;

    private static readonly TimeSpan LongestCleanUp = TimeSpan.FromSeconds(30);

    private readonly AmazonS3Client client;
    private readonly StoreSettings settings;
    private readonly string key;
    private readonly NewArchive plan;
    private readonly SemaphoreSlim slots = new(Parallel, Parallel);
    private readonly CancellationTokenSource stop = new();
    private readonly List<Task<PartETag>> uploads = [];
    private readonly List<Part> held = [];
    private readonly Stack<byte[]> spare = [];
    private string? upload;
    private Part? filling;
    private int parts;
    private long openAt = -1;
    private int openLength;
    private IReadOnlyDictionary<int, PartDetail> there = new Dictionary<int, PartDetail>();
    private bool done;
    private bool keep;

    public S3Output(AmazonS3Client client, StoreSettings settings, string key, NewArchive plan)
    {
        this.client = client;
        this.settings = settings;
        this.key = key;
        this.plan = plan;
    }

    public long Position { get; private set; }

    /// <summary>Goes on with an upload that was cut short: parts that are there and equal are not sent again. What is sent is kept.</summary>
    /// <param name="uploadId">The upload; null to begin one.</param>
    /// <param name="parts">Its parts by number.</param>
    public void Resume(string? uploadId, IReadOnlyDictionary<int, PartDetail> parts)
    {
        keep = true;
        upload = uploadId;
        there = parts;
    }

    /// <summary>Has the service copy another object's bytes, and commits.</summary>
    public async Task CopyFromAsync(string bucket, string sourceKey, string? version, long length, CancellationToken cancellationToken)
    {
        try
        {
            upload = await BeginAsync(cancellationToken).ConfigureAwait(false);
            long at = 0;
            while (at < length)
            {
                var (number, from, to) = (++parts, at, Math.Min(length, at + PartSizes.OfServerCopy(length)));
                await slots.WaitAsync(cancellationToken).ConfigureAwait(false);
                uploads.Add(Task.Run(() => CopyPartAsync(bucket, sourceKey, version, number, from, to), CancellationToken.None));
                at = to;
            }

            Position = length;
        }
        catch (Exception e) when (e is not MoltException && !cancellationToken.IsCancellationRequested && S3Errors.Translate(e, settings, key) is { } translated)
        {
            throw Failed(translated);
        }

        await CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            if (filling is null)
            {
                if (++parts > PartSizes.MostParts)
                {
                    throw new MoltException("StoreFull", ErrorKind.ResourceFull, $"An object of {settings.Location} cannot take more than {PartSizes.MostParts} parts, and this archive has more.", "Leave the largest tables out, or back them up apart.", settings.Location);
                }

                var size = PartSizes.Of(parts, plan.Expected);
                filling = new Part(parts, Position, Buffer(size));
            }

            var n = Math.Min(bytes.Length, filling.Buffer.Length - filling.Length);
            bytes.Span[..n].CopyTo(filling.Buffer.AsSpan(filling.Length));
            filling.Length += n;
            Position += n;
            bytes = bytes[n..];
            if (filling.Length == filling.Buffer.Length)
            {
                await SendAsync(filling, cancellationToken).ConfigureAwait(false);
                filling = null;
            }
        }
    }

    public ValueTask AppendOpenAsync(ReadOnlyMemory<byte> header, CancellationToken cancellationToken)
    {
        (openAt, openLength) = (Position, header.Length);
        return AppendAsync(header, cancellationToken);
    }

    public async ValueTask PatchAsync(long offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (offset != openAt || bytes.Length != openLength)
        {
            throw new InvalidOperationException("Only the block that was left open can be patched.");
        }

        foreach (var part in filling is null ? held : held.Append(filling))
        {
            var from = Math.Max(offset, part.Offset);
            var to = Math.Min(offset + bytes.Length, part.Offset + part.Length);
            if (from < to)
            {
                bytes.Span[(int)(from - offset)..(int)(to - offset)].CopyTo(part.Buffer.AsSpan((int)(from - part.Offset)));
            }
        }

        openAt = -1;
        var ready = held.ToList();
        held.Clear();
        foreach (var part in ready)
        {
            await SendAsync(part, cancellationToken).ConfigureAwait(false);
        }
    }

    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        if (openAt >= 0)
        {
            throw new InvalidOperationException("A member is still open.");
        }

        try
        {
            if (upload is null)
            {
                await PutAsync(cancellationToken).ConfigureAwait(false);
            }
            else
            {
                if (filling is not null)
                {
                    await SendAsync(filling, cancellationToken).ConfigureAwait(false);
                    filling = null;
                }

                var tags = await Task.WhenAll(uploads).WaitAsync(cancellationToken).ConfigureAwait(false);
                await CompleteAsync([.. tags], cancellationToken).ConfigureAwait(false);
            }

            done = true;
            await EnsureLockedAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not MoltException && !cancellationToken.IsCancellationRequested && S3Errors.Translate(e, settings, key) is { } translated)
        {
            throw Failed(translated);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!done)
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await ((Task)Task.WhenAll(uploads)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (upload is not null && !keep)
            {
                try
                {
                    using var limit = new CancellationTokenSource(LongestCleanUp);
                    await new S3Uploads(client, settings).AbortAsync(key, upload, limit.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (S3Errors.AreTheStores(e, CancellationToken.None))
                {
                    // What made us give up is the error to tell; the next backup sweeps the upload.
                }
            }
        }

        stop.Dispose();
        slots.Dispose();
    }

    /// <summary>What has arrived of a copy is kept for the next attempt, but not where it is in the way.</summary>
    private MoltException Failed(MoltException failure)
    {
        keep &= failure.Id != "StoreFull";
        return failure;
    }

    private byte[] Buffer(int size)
    {
        lock (spare)
        {
            return spare.TryPop(out var buffer) && buffer.Length == size ? buffer : new byte[size];
        }
    }

    /// <summary>Begins a part's upload; waits while enough of them are under way.</summary>
    private async Task SendAsync(Part part, CancellationToken cancellationToken)
    {
        if (openAt >= 0 && openAt < part.Offset + part.Length && openAt + openLength > part.Offset)
        {
            held.Add(part);
            return;
        }

        try
        {
            upload ??= await BeginAsync(cancellationToken).ConfigureAwait(false);
            await slots.WaitAsync(cancellationToken).ConfigureAwait(false);
            if (uploads.Find(u => u.IsFaulted) is { } failed)
            {
                slots.Release();
                await failed.ConfigureAwait(false);
            }

            uploads.Add(Task.Run(() => UploadAsync(part), CancellationToken.None));
        }
        catch (Exception e) when (e is not MoltException && !cancellationToken.IsCancellationRequested && S3Errors.Translate(e, settings, key) is { } translated)
        {
            throw Failed(translated);
        }
    }

    private async Task<PartETag> UploadAsync(Part part)
    {
        try
        {
            if (there.TryGetValue(part.Number, out var sent) && sent.Size == part.Length && sent.ETag.Trim('"') == Convert.ToHexStringLower(MD5Of(part.Buffer.AsSpan(0, part.Length))))
            {
                return new PartETag(part.Number, sent.ETag);
            }

            using var stream = new MemoryStream(part.Buffer, 0, part.Length, writable: false);
            var response = await client.UploadPartAsync(new UploadPartRequest
            {
                BucketName = settings.Bucket,
                Key = key,
                UploadId = upload,
                PartNumber = part.Number,
                PartSize = part.Length,
                InputStream = stream,

                // The part is in memory: one signature for it costs both sides less than one for every 80 KB.
                UseChunkEncoding = false,
            }, stop.Token).ConfigureAwait(false);
            return new PartETag(response) { PartNumber = part.Number };
        }
        finally
        {
            lock (spare)
            {
                spare.Push(part.Buffer);
            }

            slots.Release();
        }
    }

    private async Task<PartETag> CopyPartAsync(string bucket, string sourceKey, string? version, int number, long from, long to)
    {
        try
        {
            var response = await client.CopyPartAsync(new CopyPartRequest
            {
                SourceBucket = bucket,
                SourceKey = sourceKey,
                ETagToMatch = version is null ? null : [version],
                DestinationBucket = settings.Bucket,
                DestinationKey = key,
                UploadId = upload,
                PartNumber = number,
                FirstByte = from,
                LastByte = to - 1,
            }, stop.Token).ConfigureAwait(false);
            return new PartETag(number, response.ETag);
        }
        finally
        {
            slots.Release();
        }
    }

    private async Task<string> BeginAsync(CancellationToken cancellationToken)
    {
        var request = new InitiateMultipartUploadRequest
        {
            BucketName = settings.Bucket,
            Key = key,
            ContentType = "application/x-tar",
            StorageClass = S3Keeping.Class(settings),
            ServerSideEncryptionMethod = S3Keeping.Encryption(settings),
            ServerSideEncryptionKeyManagementServiceKeyId = settings.KmsKey,
            ObjectLockMode = S3Keeping.Lock(settings),
            ObjectLockRetainUntilDate = S3Keeping.LockedUntil(settings, plan.Created),
        };
        return (await client.InitiateMultipartUploadAsync(request, cancellationToken).ConfigureAwait(false)).UploadId;
    }

    private async Task PutAsync(CancellationToken cancellationToken)
    {
        var content = filling is null ? ReadOnlyMemory<byte>.Empty : filling.Buffer.AsMemory(0, filling.Length);
        using var stream = new MemoryStream(content.ToArray(), writable: false);
        var request = new PutObjectRequest
        {
            BucketName = settings.Bucket,
            Key = key,
            ContentType = "application/x-tar",
            InputStream = stream,
            IfNoneMatch = "*",
            StorageClass = S3Keeping.Class(settings),
            ServerSideEncryptionMethod = S3Keeping.Encryption(settings),
            ServerSideEncryptionKeyManagementServiceKeyId = settings.KmsKey,
            ObjectLockMode = S3Keeping.Lock(settings),
            ObjectLockRetainUntilDate = S3Keeping.LockedUntil(settings, plan.Created),
        };
        try
        {
            await client.PutObjectAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonS3Exception e) when (e.ErrorCode is "PreconditionFailed" or "ConditionalRequestConflict")
        {
            // An answer that got lost makes the SDK ask again, and then the object is there: ours.
            if (!await IsThereAsync(Convert.ToHexStringLower(MD5Of(content.Span)), cancellationToken).ConfigureAwait(false))
            {
                throw;
            }
        }
    }

    private async Task CompleteAsync(List<PartETag> tags, CancellationToken cancellationToken)
    {
        try
        {
            await client.CompleteMultipartUploadAsync(new CompleteMultipartUploadRequest
            {
                BucketName = settings.Bucket,
                Key = key,
                UploadId = upload,
                PartETags = tags,
                IfNoneMatch = "*",
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonS3Exception e) when (e.ErrorCode is "NoSuchUpload" or "PreconditionFailed" or "ConditionalRequestConflict")
        {
            var sum = MD5Of(tags.SelectMany(t => Convert.FromHexString(t.ETag.Trim('"'))).ToArray());
            if (!await IsThereAsync($"{Convert.ToHexStringLower(sum)}-{tags.Count}", cancellationToken).ConfigureAwait(false))
            {
                throw;
            }
        }
    }

    /// <summary>Some services forget the lock of an upload in parts: then it is set on the whole object.</summary>
    private async Task EnsureLockedAsync(CancellationToken cancellationToken)
    {
        if (S3Keeping.Lock(settings) is null)
        {
            return;
        }

        var found = await client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = settings.Bucket, Key = key }, cancellationToken).ConfigureAwait(false);
        if (found.ObjectLockRetainUntilDate is null)
        {
            await client.PutObjectRetentionAsync(new PutObjectRetentionRequest
            {
                BucketName = settings.Bucket,
                Key = key,
                Retention = S3Keeping.Retention(settings, plan.Created),
            }, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<bool> IsThereAsync(string tag, CancellationToken cancellationToken)
    {
        var found = await client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = settings.Bucket, Key = key }, cancellationToken).ConfigureAwait(false);
        return found.ContentLength == Position && found.ETag.Trim('"') == tag;
    }

#pragma warning disable CA5351 // S3's own ETag is an MD5; nothing relies on it but the question whether an object is ours.
    private static byte[] MD5Of(ReadOnlySpan<byte> bytes) => MD5.HashData(bytes);
#pragma warning restore CA5351

    private sealed class Part(int number, long offset, byte[] buffer)
    {
        public int Number => number;

        public long Offset => offset;

        public byte[] Buffer => buffer;

        public int Length { get; set; }
    }
}
