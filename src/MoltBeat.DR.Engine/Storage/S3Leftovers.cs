using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Uploads under a prefix that were never finished. Only those of archives: others in the bucket may be somebody else's.</summary>
internal sealed class S3Leftovers(AmazonS3Client client, StoreSettings settings)
{
    private readonly S3Uploads uploads = new(client, settings);

    /// <param name="now">The store's own time.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<List<Leftover>> ListAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        var leftovers = new List<Leftover>();
        foreach (var upload in (await uploads.ListAsync(settings.Prefix, cancellationToken).ConfigureAwait(false)).Where(u => IsArchive(u.Key)))
        {
            var size = await SizeAsync(upload, cancellationToken).ConfigureAwait(false);
            leftovers.Add(Found(LeftoverKind.UnfinishedUpload, upload.Key, upload.UploadId, size, upload.Initiated, now));
        }

        var probes = await client.ListObjectsV2Async(
            new ListObjectsV2Request { BucketName = settings.Bucket, Prefix = settings.Prefix + StoreHealth.ProbePrefix }, cancellationToken).ConfigureAwait(false);
        leftovers.AddRange((probes.S3Objects ?? []).Select(o => Found(LeftoverKind.Probe, o.Key, null, o.Size, o.LastModified, now)));
        return leftovers;
    }

    /// <returns>False when it is gone already.</returns>
    /// <exception cref="MoltException"><c>LeftoverNotRemoved</c>.</exception>
    public async Task<bool> RemoveAsync(Leftover leftover, CancellationToken cancellationToken)
    {
        var key = settings.Prefix + leftover.Name;
        try
        {
            if (leftover.UploadId is { } id)
            {
                await uploads.AbortAsync(key, id, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = settings.Bucket, Key = key }, cancellationToken).ConfigureAwait(false);
            }

            return true;
        }
        catch (AmazonS3Exception e) when (e.ErrorCode == "NoSuchUpload")
        {
            return false;
        }
        catch (Exception e) when (S3Errors.AreTheStores(e, cancellationToken))
        {
            throw new MoltException("LeftoverNotRemoved", ErrorKind.Failed, $"Cannot remove {leftover.Location}: {S3Errors.Text(e)}", S3Errors.Translate(e, settings, key)?.Remedy, leftover.Location, e);
        }
    }

    private bool IsArchive(string key)
        => key.StartsWith(settings.Prefix, StringComparison.Ordinal) && key.EndsWith(ArchiveFormat.Extension, StringComparison.Ordinal)
            && key.IndexOf('/', settings.Prefix.Length) < 0;

    private Leftover Found(LeftoverKind kind, string key, string? upload, long? size, DateTime? since, DateTimeOffset now)
    {
        // A store that gives no time says nothing of the age either: such a one is never old enough.
        var begun = since is { } time ? new DateTimeOffset(time.ToUniversalTime(), TimeSpan.Zero) : now;
        return new Leftover(kind, key[settings.Prefix.Length..], $"s3://{settings.Bucket}/{key}", upload, size, begun, now - begun);
    }

    /// <summary>Null when it was finished or aborted meanwhile, or its parts may not be listed.</summary>
    private async Task<long?> SizeAsync(MultipartUpload upload, CancellationToken cancellationToken)
    {
        try
        {
            return (await uploads.PartsAsync(upload.Key, upload.UploadId, cancellationToken).ConfigureAwait(false)).Sum(p => p.Size ?? 0);
        }
        catch (AmazonS3Exception)
        {
            return null;
        }
    }
}
