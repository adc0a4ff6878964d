using System.Globalization;
using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>An object read by ranges. Its end is in memory; a member is one request, taken up again where it broke off.</summary>
internal sealed class S3Input : IArchiveInput
{
    private readonly AmazonS3Client client;
    private readonly StoreSettings settings;
    private readonly string key;
    private readonly string version;
    private readonly ReadOnlyMemory<byte> tail;

    /// <param name="client">Stays its store's.</param>
    /// <param name="settings">The store.</param>
    /// <param name="key">The object.</param>
    /// <param name="location">For messages, and to open it again.</param>
    /// <param name="version">Its ETag: an object that is replaced meanwhile is not mixed with this one.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="tail">Its last bytes.</param>
    public S3Input(AmazonS3Client client, StoreSettings settings, string key, string location, string version, long length, ReadOnlyMemory<byte> tail)
    {
        this.client = client;
        this.settings = settings;
        this.key = key;
        this.version = version;
        this.tail = tail;
        Location = location;
        Length = length;
    }

    public string Location { get; }

    public long Length { get; }

    public async ValueTask<int> ReadAtAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var want = (int)Math.Min(buffer.Length, Length - offset);
        if (want <= 0)
        {
            return 0;
        }

        if (offset >= Length - tail.Length)
        {
            tail.Slice((int)(offset - (Length - tail.Length)), want).CopyTo(buffer);
            return want;
        }

        var stream = OpenRange(offset, want);
        await using (stream.ConfigureAwait(false))
        {
            return await stream.ReadAtLeastAsync(buffer[..want], want, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        }
    }

    public Stream OpenRange(long offset, long length) => new RangeStream(this, offset, length);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>One GET of a range, begun when first read.</summary>
    private sealed class RangeStream(S3Input input, long offset, long length) : ForwardStream
    {
        /// <summary>In a row, without a byte between them.</summary>
        private const int Attempts = 5;

        private GetObjectResponse? response;
        private long at;

        public override long Length => length;

        public override long Position { get => at; set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (at == length || buffer.Length == 0)
            {
                return 0;
            }

            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    response ??= await OpenAsync(cancellationToken).ConfigureAwait(false);
                    var n = await response.ResponseStream.ReadAsync(buffer[..(int)Math.Min(buffer.Length, length - at)], cancellationToken).ConfigureAwait(false);
                    if (n == 0)
                    {
                        throw new IOException("the connection ended before the object did");
                    }

                    at += n;
                    return n;
                }
                catch (Exception e) when (e is not MoltException && !cancellationToken.IsCancellationRequested && S3Errors.Translate(e, input.settings, input.key) is { } translated)
                {
                    response?.Dispose();
                    response = null;
                    if (attempt == Attempts || e is StoreSilentException || translated.Id is not ("StoreUnreachable" or "StoreUnavailable"))
                    {
                        throw translated.Id == "BackupExists" ? Replaced(e) : translated;
                    }

                    await Task.Delay(TimeSpan.FromMilliseconds(200 << attempt), cancellationToken).ConfigureAwait(false);
                }
            }
        }

        protected override void Dispose(bool disposing)
        {
            response?.Dispose();
            response = null;
            base.Dispose(disposing);
        }

        private Task<GetObjectResponse> OpenAsync(CancellationToken cancellationToken)
            => input.client.GetObjectAsync(new GetObjectRequest
            {
                BucketName = input.settings.Bucket,
                Key = input.key,
                ByteRange = new ByteRange(string.Create(CultureInfo.InvariantCulture, $"bytes={offset + at}-{offset + length - 1}")),
                EtagToMatch = input.version,
            }, cancellationToken);

        private MoltException Replaced(Exception e)
            => new("ArchiveDamaged", ErrorKind.InvalidData, $"{input.Location} was replaced while it was read.", "Find out who writes into the store besides MoltBeat.DR, then read it again.", input.Location, e);
    }
}
