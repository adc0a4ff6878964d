using System.Net;
using System.Net.Sockets;
using System.Text;
using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Servers;

public sealed class FaultProxyTests : IAsyncLifetime
{
    private readonly HttpListener _server = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { MaxConnectionsPerServer = 1 });
    private readonly byte[] _content = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 31))];
    private FaultProxy _proxy = null!;
    private int _served;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        // HttpListener takes no port 0.
        using (var probe = new TcpListener(IPAddress.Loopback, 0))
        {
            probe.Start();
            var address = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}/";
            _server.Prefixes.Add(address);
            _proxy = FaultProxy.Start(new Uri(address));
        }

        _server.Start();
        _ = ServeAsync();
        _http.BaseAddress = _proxy.Address;
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _proxy.DisposeAsync();
        _server.Close();
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Passes_requests_and_answers_on_and_counts_them(bool chunked, bool expectContinue)
    {
        for (var i = 0; i < 3; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Put, "/a?x=1") { Content = new ByteArrayContent(_content) };
            request.Headers.TransferEncodingChunked = chunked;
            request.Headers.ExpectContinue = expectContinue;
            using var response = await _http.SendAsync(request, Cancel);
            Assert.Equal(_content, await response.Content.ReadAsByteArrayAsync(Cancel));
        }

        Assert.Equal(_content, await _http.GetByteArrayAsync("/b", Cancel));
        Assert.Equal((4, 3, 1, 3), (_proxy.Count(), _proxy.Count("PUT"), _proxy.Count("GET", "/b"), _proxy.Count(contains: "x=1")));
        Assert.Equal(new ProxiedRequest("GET", "/b"), _proxy.Requests[^1]);
        _proxy.Forget();
        Assert.Equal(0, _proxy.Count());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Answers_in_the_servers_place_as_often_as_it_is_told(bool expectContinue)
    {
        var fault = _proxy.Add(new Fault { Method = "PUT", Contains = "part=2", Times = 2, Answer = new FaultAnswer(503, "SlowDown", "Later.", "Retry-After: 7") });
        var seen = new List<(HttpStatusCode, string?)>();
        foreach (var path in new[] { "/k?part=1", "/k?part=2", "/k?part=2", "/k?part=2" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Put, path) { Content = new ByteArrayContent([1, 2, 3]) };
            request.Headers.ExpectContinue = expectContinue;
            using var response = await _http.SendAsync(request, Cancel);
            seen.Add((response.StatusCode, response.Headers.RetryAfter?.ToString()));
            if (!response.IsSuccessStatusCode)
                Assert.Contains("<Code>SlowDown</Code><Message>Later.</Message>", await response.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        }

        Assert.Equal([(HttpStatusCode.OK, null), (HttpStatusCode.ServiceUnavailable, "7"), (HttpStatusCode.ServiceUnavailable, "7"), (HttpStatusCode.OK, null)], seen);
        Assert.Equal((2, 2, 4), (fault.Hits, _served, _proxy.Count()));
    }

    [Fact]
    public async Task Skips_requests_before_it_begins()
    {
        _proxy.Add(new Fault { Skip = 2, Answer = new FaultAnswer(404) });
        var seen = new List<HttpStatusCode>();
        for (var i = 0; i < 4; i++)
        {
            using var response = await _http.GetAsync("/b", Cancel);
            seen.Add(response.StatusCode);
        }

        Assert.Equal([HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.NotFound, HttpStatusCode.OK], seen);
    }

    [Fact]
    public async Task Cuts_an_answer_in_the_middle()
    {
        _proxy.Add(new Fault { CutResponseAfter = 100_000 });
        var read = 0;
        Exception? error;
        using (var response = await _http.GetAsync("/b", HttpCompletionOption.ResponseHeadersRead, Cancel))
        {
            await using var stream = await response.Content.ReadAsStreamAsync(Cancel);
            error = await Record.ExceptionAsync(async () =>
            {
                var buffer = new byte[10_000];
                for (int n; (n = await stream.ReadAsync(buffer, Cancel)) > 0;)
                    read += n;
            });
        }

        Assert.IsAssignableFrom<IOException>(error);
        Assert.InRange(read, 0, 100_000);
        Assert.Equal(_content, await _http.GetByteArrayAsync("/b", Cancel));
    }

    [Fact]
    public async Task Loses_an_answer_after_the_server_has_done_what_was_asked()
    {
        _proxy.Add(new Fault { Method = "PUT", CutResponseAfter = 0 });
        await Assert.ThrowsAsync<HttpRequestException>(() => _http.PutAsync("/k", new ByteArrayContent(_content), Cancel));
        Assert.Equal(1, _served);
    }

    [Fact]
    public async Task Cuts_a_request_in_the_middle_of_its_body()
    {
        var fault = _proxy.Add(new Fault { CutRequestAfter = 100_000 });
        await Assert.ThrowsAsync<HttpRequestException>(() => _http.PutAsync("/k", new ByteArrayContent(_content), Cancel));
        Assert.Equal((1, 0), (fault.Hits, _served));
        using var again = await _http.PutAsync("/k", new ByteArrayContent(_content), Cancel);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
    }

    [Fact]
    public async Task A_black_hole_answers_nothing_until_the_client_gives_up()
    {
        _proxy.Add(new Fault { BlackHole = true });
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var waiting = _http.GetAsync("/b", patience.Token);
        while (_proxy.Count() == 0)
            await Task.Delay(10, Cancel);
        Assert.False(waiting.IsCompleted);
        await patience.CancelAsync();
        await Assert.ThrowsAsync<TaskCanceledException>(() => waiting);
        Assert.Equal(0, _served);
        Assert.Equal(_content, await _http.GetByteArrayAsync("/b", Cancel));
    }

    [Fact]
    public async Task Slow_and_late_is_still_whole()
    {
        _proxy.Add(new Fault { Delay = TimeSpan.FromMilliseconds(50), BytesPerSecond = 3_000_000 });
        using var response = await _http.PutAsync("/k", new ByteArrayContent(_content), Cancel);
        Assert.Equal(_content, await response.Content.ReadAsByteArrayAsync(Cancel));
    }

    [Fact]
    public async Task A_cleared_fault_is_over()
    {
        _proxy.Add(new Fault { Times = int.MaxValue, Answer = new FaultAnswer(500) });
        using (var response = await _http.GetAsync("/b", Cancel))
            Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        _proxy.Clear();
        Assert.Equal(_content, await _http.GetByteArrayAsync("/b", Cancel));
    }

    private async Task ServeAsync()
    {
        while (_server.IsListening)
        {
            try
            {
                var context = await _server.GetContextAsync();
                // Echoes what it gets, else gives the content.
                using var body = new MemoryStream();
                await context.Request.InputStream.CopyToAsync(body);
                var answer = body.Length > 0 ? body.ToArray() : _content;
                Interlocked.Increment(ref _served);
                context.Response.ContentLength64 = answer.Length;
                await context.Response.OutputStream.WriteAsync(answer);
                context.Response.Close();
            }
            catch (Exception e) when (e is HttpListenerException or IOException or ObjectDisposedException)
            {
                // Cut by the proxy, or the test is over.
            }
        }
    }
}

/// <summary>The SDK through the proxy to a real S3.</summary>
public class FaultProxyS3Tests(CephFixture ceph)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_sdk_retries_through_the_proxy_what_was_refused_or_cut()
    {
        using var bucket = await ceph.CreateBucketAsync();
        await using var proxy = FaultProxy.Start(bucket.Gateway.Address);
        using var client = bucket.Gateway.CreateClient(proxy.Address);
        var refused = proxy.Add(new Fault { Method = "PUT", Times = 2, Answer = new FaultAnswer(503, "SlowDown") });
        var cut = proxy.Add(new Fault { Method = "PUT", Contains = "/second", CutRequestAfter = 50_000 });
        var lost = proxy.Add(new Fault { Method = "PUT", Contains = "/second", CutResponseAfter = 0 });
        var content = Encoding.ASCII.GetBytes(new string('x', 200_000));
        await client.PutObjectAsync(new PutObjectRequest { BucketName = bucket.Name, Key = "first", InputStream = new MemoryStream(content) }, Cancel);
        await client.PutObjectAsync(new PutObjectRequest { BucketName = bucket.Name, Key = "second", InputStream = new MemoryStream(content) }, Cancel);
        Assert.Equal((2, 1, 1), (refused.Hits, cut.Hits, lost.Hits));
        Assert.Equal((6, 3, 3), (proxy.Count("PUT"), proxy.Count("PUT", "/first"), proxy.Count("PUT", "/second")));
        Assert.Equal(200_000, (await client.GetObjectMetadataAsync(bucket.Name, "second", Cancel)).ContentLength);
    }

    [Fact]
    public async Task A_code_of_s3_arrives_as_the_sdks_error()
    {
        using var bucket = await ceph.CreateBucketAsync();
        await using var proxy = FaultProxy.Start(bucket.Gateway.Address);
        using var client = bucket.Gateway.CreateClient(proxy.Address);
        proxy.Add(new Fault { Contains = "list-type=2", Answer = new FaultAnswer(400, "ExpiredToken", "The provided token has expired.") });
        var e = await Assert.ThrowsAsync<AmazonS3Exception>(() => client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = bucket.Name }, Cancel));
        Assert.Equal("ExpiredToken", e.ErrorCode);
    }
}
