using System.Diagnostics;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace MoltBeat.TestServers;

/// <summary>
/// A throwaway S3 on the loopback interface: a Ceph cluster of one monitor, one OSD in memory and one RADOS gateway, gone with this
/// object or with this process. Several of them are several regions.
/// </summary>
public sealed class CephGateway : IAsyncDisposable
{
    private static readonly TimeSpan s_startTimeout = TimeSpan.FromSeconds(120);
    private static int s_buckets;

    private readonly ServerFolder _folder;
    private readonly CephOptions _options;
    private GuardedProcess? _process;

    private CephGateway(ServerFolder folder, CephOptions options)
    {
        _folder = folder;
        _options = options;
    }

    public int Port { get; private set; }

    /// <summary>The endpoint, without a slash at its end in <see cref="Uri.OriginalString"/>.</summary>
    public Uri Address => new(Tls is null ? $"http://127.0.0.1:{Port}" : $"https://localhost:{Port}");

    /// <summary>Its certificate and whom to trust; null without <see cref="CephOptions.Tls"/>.</summary>
    public PostgresTls? Tls { get; private set; }

    /// <summary>The process all its daemons descend from.</summary>
    public int ProcessId => _process?.Id ?? throw new InvalidOperationException("It does not run.");

    public string Region => _options.Region;

    /// <summary>Its ceph.conf, which the command lines of all its daemons name.</summary>
    public string ConfigurationFile => Path.Combine(_folder["ceph"], "ceph.conf");

    /// <summary>What its daemons have logged.</summary>
    public string Log => _process?.Log ?? "";

    /// <summary>Starts one; takes some seconds.</summary>
    /// <exception cref="TestServerMissingException">Ceph is not installed.</exception>
    public static async Task<CephGateway> StartAsync(CephOptions? options = null, CancellationToken cancel = default)
    {
        string[] programs = ["ceph-mon", "ceph-osd", "radosgw"];
        if (programs.FirstOrDefault(p => Tool.Find(p) is null) is { } missing)
            throw new TestServerMissingException($"{missing} is not installed (Debian: apt-get install {string.Join(' ', programs)}).");
        for (var attempt = 1; attempt <= FreePort.Attempts; attempt++)
        {
            // A folder for each attempt: what a failed one has made in it is of no use to the next.
            var gateway = new CephGateway(ServerFolder.Create(), options ?? new CephOptions());
            try
            {
                if (await gateway.TryStartAsync(cancel).ConfigureAwait(false))
                    return gateway;
                await gateway.DisposeAsync().ConfigureAwait(false);
            }
            catch
            {
                await gateway.DisposeAsync().ConfigureAwait(false);
                throw;
            }
        }

        throw new TestServerException($"Ceph found {FreePort.Attempts} ports taken.");
    }

    /// <summary>Puts the user's key where every S3 client of this process and of its children looks for one, and turns their other sources off.</summary>
    public void ExportCredentials()
    {
        Environment.SetEnvironmentVariable("AWS_ACCESS_KEY_ID", _options.AccessKey);
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", _options.SecretKey);
        Environment.SetEnvironmentVariable("AWS_SESSION_TOKEN", null);
        Environment.SetEnvironmentVariable("AWS_EC2_METADATA_DISABLED", "true");
    }

    /// <summary>A client that goes straight to the gateway, or through a proxy before it; the caller disposes it.</summary>
    /// <param name="through">The address of a <see cref="FaultProxy"/>.</param>
    /// <param name="accessKey">Another user's key.</param>
    /// <param name="secretKey">Its secret.</param>
    public AmazonS3Client CreateClient(Uri? through = null, string? accessKey = null, string? secretKey = null) =>
        new(new BasicAWSCredentials(accessKey ?? _options.AccessKey, secretKey ?? _options.SecretKey), new AmazonS3Config
        {
            ServiceURL = (through ?? Address).OriginalString,
            AuthenticationRegion = Region,
            ForcePathStyle = true,
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });

    /// <summary>An empty bucket whose name no other test of this process uses; it goes with the gateway.</summary>
    /// <param name="name">The beginning of its name: lower-case letters, digits, hyphens.</param>
    /// <param name="objectLock">Object lock, and with it versioning, can be used.</param>
    /// <param name="cancel">Ends the attempt.</param>
    public async Task<TestBucket> CreateBucketAsync(string name = "bucket", bool objectLock = false, CancellationToken cancel = default)
    {
        var bucket = new TestBucket(this, $"{name}-{Interlocked.Increment(ref s_buckets)}");
        try
        {
            await bucket.Client.PutBucketAsync(
                new PutBucketRequest { BucketName = bucket.Name, ObjectLockEnabledForBucket = objectLock }, cancel).ConfigureAwait(false);
            return bucket;
        }
        catch
        {
            bucket.Dispose();
            throw;
        }
    }

    /// <summary>Runs <c>radosgw-admin</c>, for example to make another user or to set a quota, and returns its output.</summary>
    public Task<string> AdminAsync(IEnumerable<string> arguments, CancellationToken cancel = default)
    {
        var command = ServiceUser.Command([Tool.Find("radosgw-admin")!, "-c", ConfigurationFile, "--log-to-stderr=false", .. arguments]);
        return Tool.RunAsync(command[0], command[1..], new Dictionary<string, string> { ["HOME"] = _folder.Path }, cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
            await process.DisposeAsync().ConfigureAwait(false);
        _process = null;
        _folder.Dispose();
    }

    /// <summary>Starts it and waits until it answers; false when one of its ports was taken.</summary>
    private async Task<bool> TryStartAsync(CancellationToken cancel)
    {
        Port = FreePort.Next();
        Directory.CreateDirectory(_folder["ceph"]);
        await File.WriteAllTextAsync(_folder["log"], "", cancel).ConfigureAwait(false);
        foreach (var name in new[] { "ceph", "log" })
            await ServiceUser.GiveAsync(_folder[name], cancel).ConfigureAwait(false);
        if (_options.Tls)
            Tls = await PostgresTls.CreateAsync(_folder["tls"], cancel).ConfigureAwait(false);
        await File.WriteAllLinesAsync(_folder["gateway.conf"], _options.Configuration(Port, Tls), cancel).ConfigureAwait(false);
        string[] command =
        [
            TestFiles.Path("ceph-rgw.sh"), _folder["ceph"], $"{Port}", $"{FreePort.Next()}", Region, _options.AccessKey, _options.SecretKey,
            _folder["gateway.conf"],
        ];
        _process = GuardedProcess.Start(command, _folder["log"], lastSignal: "TERM", _folder["ceph"]);
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(5) };
        var clock = Stopwatch.StartNew();
        while (true)
        {
            try
            {
                using var response = await http.GetAsync(Address, cancel).ConfigureAwait(false);
                if (response.IsSuccessStatusCode)
                    return true;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
            {
                // Not yet there.
            }

            if (_process.HasExited || clock.Elapsed > s_startTimeout)
            {
                if (Log.Contains("Address already in use", StringComparison.Ordinal))
                    return false;
                throw new TestServerException($"Ceph did not start: {Log}");
            }

            await Task.Delay(50, cancel).ConfigureAwait(false);
        }
    }
}
