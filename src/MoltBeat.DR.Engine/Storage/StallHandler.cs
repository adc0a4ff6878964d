using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Watches the bytes of each request and its answer, and ends those of which none moves: see <see cref="StallLimit"/>.</summary>
internal sealed class StallHandler(HttpMessageHandler inner, TimeSpan limit) : DelegatingHandler(inner)
{
    /// <summary>Answers up to this size are taken in whole, so that one that breaks off is asked for again.</summary>
    private const int SmallAnswer = 1 << 20;

    /// <summary>Listings come without a length; none is as large as that.</summary>
    private const int LargestListing = 64 << 20;

    /// <summary>When the first of the requests was begun that ended in silence since the store was last heard; 0 for none.</summary>
    private long silentSince;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var begun = Stopwatch.GetTimestamp();
        var patience = IsLongWork(request) ? 6 * limit : limit;
        using var watch = new StallWatch(patience, cancellationToken);
        if (request.Content is { } content)
        {
            request.Content = new WatchedRequest(content, watch);
        }

        HttpResponseMessage response;
        try
        {
            response = await base.SendAsync(request, watch.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (watch.HasStalled && !cancellationToken.IsCancellationRequested)
        {
            throw Stalled(begun, patience, e);
        }

        Volatile.Write(ref silentSince, 0);
        try
        {
            response.Content = new WatchedAnswer(response.Content, await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false), patience);
            if (request.Method != HttpMethod.Head && response.Content.Headers.ContentLength is null or <= SmallAnswer)
            {
                await response.Content.LoadIntoBufferAsync(LargestListing, cancellationToken).ConfigureAwait(false);
            }

            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>The store works without a byte to show for it: it puts parts together, or copies.</summary>
    private static bool IsLongWork(HttpRequestMessage request)
        => (request.Method == HttpMethod.Post && request.RequestUri!.Query.Contains("uploadId=", StringComparison.Ordinal)) || request.Headers.Contains("x-amz-copy-source");

    private Exception Stalled(long begun, TimeSpan patience, Exception cause)
    {
        var first = Interlocked.CompareExchange(ref silentSince, begun, 0) is not 0 and var earlier ? earlier : begun;
        var silence = Stopwatch.GetElapsedTime(first);
        var most = TimeSpan.FromTicks(Math.Max(StallLimit.Patience * limit.Ticks, patience.Ticks * 3 / 2));
        return silence >= most ? new StoreSilentException(silence)
            : new IOException(string.Create(CultureInfo.InvariantCulture, $"no byte moved for {patience.TotalSeconds:0} seconds"), cause);
    }

    private static void CopyHeaders(HttpContent from, HttpContent to)
    {
        foreach (var (name, values) in from.Headers.NonValidated)
        {
            to.Headers.TryAddWithoutValidation(name, values);
        }
    }

    /// <summary>Fires when it was not told of a moving byte for too long.</summary>
    private sealed class StallWatch : IDisposable
    {
        private readonly TimeSpan limit;
        private readonly CancellationTokenSource silence = new();
        private readonly CancellationTokenSource either;
        private bool disposed;

        public StallWatch(TimeSpan limit, CancellationToken cancellationToken)
        {
            this.limit = limit;
            either = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, cancellationToken);
            silence.CancelAfter(limit);
        }

        public CancellationToken Token => either.Token;

        public bool HasStalled => silence.IsCancellationRequested;

        /// <summary>May come late, when the answer is there already.</summary>
        public void Moved()
        {
            lock (silence)
            {
                if (!disposed)
                {
                    silence.CancelAfter(limit);
                }
            }
        }

        public void Dispose()
        {
            lock (silence)
            {
                disposed = true;
                either.Dispose();
                silence.Dispose();
            }
        }
    }

    /// <summary>What is sent, in pieces that do not cost a system call for every 8 KB as the SDK's own do.</summary>
    private sealed class WatchedRequest : HttpContent
    {
        private const int Piece = 256 << 10;
        private readonly HttpContent content;
        private readonly StallWatch watch;

        public WatchedRequest(HttpContent content, StallWatch watch)
        {
            (this.content, this.watch) = (content, watch);
            CopyHeaders(content, this);
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            var source = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(Piece, content.Headers.ContentLength ?? Piece));
            try
            {
                int n;
                while ((n = await source.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false)) > 0)
                {
                    await stream.WriteAsync(buffer.AsMemory(0, n), cancellationToken).ConfigureAwait(false);
                    watch.Moved();
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = content.Headers.ContentLength ?? 0;
            return content.Headers.ContentLength is not null;
        }

        protected override void Dispose(bool disposing)
        {
            content.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>What is answered, through a stream of ours.</summary>
    private sealed class WatchedAnswer : HttpContent
    {
        private readonly HttpContent content;
        private readonly WatchedStream stream;

        public WatchedAnswer(HttpContent content, Stream network, TimeSpan limit)
        {
            (this.content, stream) = (content, new WatchedStream(network, limit));
            CopyHeaders(content, this);
        }

        protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult<Stream>(stream);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) => this.stream.CopyToAsync(stream, cancellationToken);

        protected override bool TryComputeLength(out long length)
        {
            length = content.Headers.ContentLength ?? 0;
            return content.Headers.ContentLength is not null;
        }

        protected override void Dispose(bool disposing)
        {
            stream.Dispose();
            content.Dispose();
            base.Dispose(disposing);
        }
    }

    /// <summary>Only a read that waits is timed: whoever takes long between two reads is no fault of the store.</summary>
    private sealed class WatchedStream(Stream network, TimeSpan limit) : ForwardStream
    {
        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            using var stall = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            stall.CancelAfter(limit);
            try
            {
                return await network.ReadAsync(buffer, stall.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
            {
                throw new IOException(string.Create(CultureInfo.InvariantCulture, $"no byte came for {limit.TotalSeconds:0} seconds"), e);
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                network.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
