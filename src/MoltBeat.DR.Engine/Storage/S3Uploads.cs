using System.Globalization;
using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Uploads in parts that were begun and neither completed nor given up. Throws what the SDK throws.</summary>
internal sealed class S3Uploads(AmazonS3Client client, StoreSettings settings)
{
    /// <summary>Those whose key starts so.</summary>
    public async Task<List<MultipartUpload>> ListAsync(string prefix, CancellationToken cancellationToken)
    {
        var uploads = new List<MultipartUpload>();
        var request = new ListMultipartUploadsRequest { BucketName = settings.Bucket, Prefix = prefix };
        bool more;
        do
        {
            var page = await client.ListMultipartUploadsAsync(request, cancellationToken).ConfigureAwait(false);
            uploads.AddRange(page.MultipartUploads ?? []);
            more = page.IsTruncated == true;
            (request.KeyMarker, request.UploadIdMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
        }
        while (more);
        return uploads;
    }

    /// <summary>What has arrived of one.</summary>
    public async Task<List<PartDetail>> PartsAsync(string key, string upload, CancellationToken cancellationToken)
    {
        var parts = new List<PartDetail>();
        var request = new ListPartsRequest { BucketName = settings.Bucket, Key = key, UploadId = upload };
        bool more;
        do
        {
            var page = await client.ListPartsAsync(request, cancellationToken).ConfigureAwait(false);
            parts.AddRange(page.Parts ?? []);
            more = page.IsTruncated == true;
            request.PartNumberMarker = page.NextPartNumberMarker?.ToString(CultureInfo.InvariantCulture);
        }
        while (more);
        return parts;
    }

    public Task AbortAsync(string key, string upload, CancellationToken cancellationToken)
        => client.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = settings.Bucket, Key = key, UploadId = upload }, cancellationToken);
}
