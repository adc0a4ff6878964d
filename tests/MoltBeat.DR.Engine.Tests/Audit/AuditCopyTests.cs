using System.Net;
using System.Net.Sockets;
using System.Text;
using MoltBeat.DR.Engine.Audit;
using MoltBeat.DR.Engine.Storage;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Audit;

/// <summary>The copies that a thief with root's rights cannot write anew.</summary>
public sealed class AuditCopyTests(CephFixture ceph) : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("molt-audit-").FullName;

    private string Folder => Path.Combine(_root, "log");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Every_line_comes_to_a_folder_and_what_was_missed_comes_with_the_next()
    {
        var log = new AuditLog(new AuditSettings(Folder) { RotateBytes = 3000 });
        using var store = new LocalStore(Path.Combine(_root, "store"));
        log.Append(AuditSamples.Record());
        Assert.Equal(1, await StoreCopy.RunAsync(Folder, "web 1", store, Cancel));
        for (var i = 0; i < 20; i++)
        {
            log.Append(AuditSamples.Record());
        }

        Assert.Equal(21, await StoreCopy.RunAsync(Folder, "web 1", store, Cancel));
        Assert.Equal(21, await StoreCopy.RunAsync(Folder, "web 1", store, Cancel));
        var copies = Directory.GetFiles(Path.Combine(_root, "store", "audit-web_1.records")).Order(StringComparer.Ordinal).ToList();
        Assert.Equal("000000000001-000000000001.json", Path.GetFileName(copies[0]));
        Assert.True(copies.Count > 2);
        Assert.Equal(AuditFiles.All(Folder).SelectMany(File.ReadLines), copies.SelectMany(File.ReadLines));
    }

    [Fact]
    public async Task A_copy_is_made_again_when_it_is_not_known_whether_it_arrived()
    {
        var log = new AuditLog(new AuditSettings(Folder));
        using var store = new LocalStore(Path.Combine(_root, "store"));
        log.Append(AuditSamples.Record());
        await StoreCopy.RunAsync(Folder, "h", store, Cancel);
        File.Delete(Path.Combine(Folder, "audit.copied"));
        Assert.Equal(1, await StoreCopy.RunAsync(Folder, "h", store, Cancel));
        Assert.Single(Directory.GetFiles(Path.Combine(_root, "store", "audit-h.records")));
    }

    [Fact]
    public async Task Every_line_comes_to_a_bucket_and_no_listing_takes_it_for_a_backup()
    {
        using var bucket = await ceph.CreateBucketAsync("audit");
        var settings = new AuditSettings(Folder) { Store = bucket.Store("prod") };
        var log = new AuditLog(settings);
        var trouble = new List<string>();
        await AuditCopies.SendAsync(settings, log.Append(AuditSamples.Record()), true, trouble.Add, Cancel);
        await AuditCopies.SendAsync(settings, log.Append(AuditSamples.Record()), true, trouble.Add, Cancel);
        Assert.Empty(trouble);
        using var store = new S3Store(bucket.Store("prod"), new Failures.Listener());
        await foreach (var file in store.ListAsync(Cancel))
        {
            Assert.Fail($"{file.Name} is no backup.");
        }

        var archive = StoreCopy.ArchiveOf(Environment.MachineName);
        var file2 = new StoredFile(archive, "", 0) { Records = ["000000000001-000000000001.json", "000000000002-000000000002.json"] };
        var text = "";
        await foreach (var (_, content) in store.RecordsAsync(file2, Cancel))
        {
            text += Encoding.UTF8.GetString(content);
        }

        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(Folder, "audit.jsonl"), Cancel), text);
    }

    [Fact]
    public async Task A_store_that_is_away_is_told_and_loses_nothing()
    {
        var blocked = Path.Combine(_root, "blocked");
        await File.WriteAllTextAsync(blocked, "", Cancel);
        var settings = new AuditSettings(Folder) { Store = MoltBeat.DR.Engine.Plan.StoreSettings.Parse(Path.Combine(blocked, "store")) };
        var log = new AuditLog(settings);
        var trouble = new List<string>();
        await AuditCopies.SendAsync(settings, log.Append(AuditSamples.Record()), true, trouble.Add, Cancel);
        Assert.Contains("could not be copied to", Assert.Single(trouble), StringComparison.Ordinal);
        File.Delete(blocked);
        await AuditCopies.SendAsync(settings, log.Append(AuditSamples.Record()), true, trouble.Add, Cancel);
        Assert.Single(trouble);
        Assert.Equal(2, File.ReadLines(Directory.GetFiles(blocked, "*.json", SearchOption.AllDirectories).Single()).Count());
    }

    [Fact]
    public async Task A_line_comes_to_the_local_syslog_in_the_form_of_RFC_5424()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is no syslog.");
        var path = Path.Combine(_root, "log.socket");
        using var syslog = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        syslog.Bind(new UnixDomainSocketEndPoint(path));
        var record = new AuditLog(new AuditSettings(Folder)).Append(AuditSamples.Record());
        await new SyslogCopy("local", path).SendAsync(record, Cancel);
        await ExpectAsync(syslog, record, 86);
    }

    [Fact]
    public async Task A_line_comes_to_a_syslog_server_over_UDP_and_a_failure_is_a_warning()
    {
        using var syslog = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        syslog.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var record = new AuditLog(new AuditSettings(Folder)).Append(AuditSamples.Record(result: AuditResult.Refused));
        await new SyslogCopy($"127.0.0.1:{((IPEndPoint)syslog.LocalEndPoint!).Port}").SendAsync(record, Cancel);
        await ExpectAsync(syslog, record, 84);
    }

    [Fact]
    public async Task A_syslog_that_is_not_there_is_told()
    {
        var settings = new AuditSettings(Folder) { Syslog = "no-such-host.invalid:514" };
        var trouble = new List<string>();
        await AuditCopies.SendAsync(settings, new AuditLog(settings).Append(AuditSamples.Record()), true, trouble.Add, Cancel);
        Assert.Contains("no-such-host.invalid:514", Assert.Single(trouble), StringComparison.Ordinal);
        var e = await Assert.ThrowsAsync<MoltException>(() => new SyslogCopy("local", Path.Combine(_root, "none")).SendAsync(AuditSamples.Record(), Cancel));
        Assert.Equal("AuditCopyFailed", e.Id);
    }

    [Fact]
    public async Task An_event_log_that_this_system_has_not_is_told()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There is one.");
        var settings = new AuditSettings(Folder) { Syslog = "eventlog" };
        var trouble = new List<string>();
        await AuditCopies.SendAsync(settings, new AuditLog(settings).Append(AuditSamples.Record()), true, trouble.Add, Cancel);
        Assert.Contains("Windows", Assert.Single(trouble), StringComparison.Ordinal);
        Assert.Equal(("EventLogUnavailable", ErrorKind.NotSupported), Assert.Throws<MoltException>(() => EventLogCopy.Send(AuditSamples.Record())) is var e ? (e.Id, e.Kind) : default);
    }

    private async Task ExpectAsync(Socket syslog, AuditRecord record, int priority)
    {
        var buffer = new byte[64 << 10];
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var count = await syslog.ReceiveAsync(buffer, limit.Token);
        var text = Encoding.UTF8.GetString(buffer, 0, count);
        Assert.Matches($@"^<{priority}>1 \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z \S+ moltbeat-dr \d+ Backup - \{{""sequence"":1,", text);
        Assert.EndsWith(await File.ReadAllTextAsync(Path.Combine(Folder, "audit.jsonl"), Cancel), text + "\n", StringComparison.Ordinal);
        Assert.Equal(1, record.Sequence);
    }
}
