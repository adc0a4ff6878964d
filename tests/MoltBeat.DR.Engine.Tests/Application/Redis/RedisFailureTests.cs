using System.Text;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Application.Redis;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application.Redis;

public sealed class RedisFailureTests(RedisFixture redis)
{
    private const string Password = "s3cret-of-redis";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_is_down_keeps_a_backup_that_needs_it_from_beginning()
    {
        var down = RedisUrl.Parse($"redis://:{Password}@127.0.0.1:1/0");
        var e = await Assert.ThrowsAsync<MoltException>(() => new RedisCapture(new RedisTarget("cache", down)).PrepareAsync(new CaptureContext(false, []), Cancel));
        Assert.Equal(("RedisUnreachable", ErrorKind.ConnectionFailed), (e.Id, e.Kind));
        Assert.NotEmpty(e.Remedy!);
        Assert.DoesNotContain(Password, e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_down_and_not_needed_is_missing_with_its_reason()
    {
        var down = RedisUrl.Parse($"redis://:{Password}@127.0.0.1:1/0");
        var (archive, extra) = await RedisBench.CaptureAsync(new RedisCapture(new RedisTarget("cache", down, Required: false)));
        Assert.Contains("cannot be reached: connection refused", extra.Missing, StringComparison.Ordinal);
        Assert.Empty(extra.Parts);
        Assert.DoesNotContain(Password, extra.ToString() + extra.Missing, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, Encoding.UTF8.GetString(archive), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Passwords_and_users_let_us_in_and_wrong_ones_do_not()
    {
        await using var server = await PostgresFixture.OrSkipAsync(() => RedisServer.StartAsync(
        [
            $"requirepass {Password}",
            // All that docs/plan.md lists, and no more.
            $"user reader on >{Password} ~* resetchannels -@all +info +select +scan +memory|usage +pttl +dump +time +multi +exec",
            $"user short on >{Password} ~app:* resetchannels -@all +info +select +scan +memory|usage +pttl +dump +time +multi +exec",
        ], cancel: Cancel));
        await server.CliAsync(Cancel, "-a", Password, "--no-auth-warning", "SET", "k", "v");
        foreach (var login in new[] { ":" + Password, "default:" + Password, "reader:" + Password })
        {
            var (archive, extra) = await RedisBench.CaptureAsync(new RedisCapture(RedisBench.TargetOf(server, login: login)));
            Assert.Equal(1, extra.Items);
            Assert.DoesNotContain(Password, Encoding.Latin1.GetString(archive), StringComparison.Ordinal);
        }

        foreach (var (login, id) in new[] { (":wrong-" + Password, "RedisAuthenticationFailed"), ("nobody:" + Password, "RedisAuthenticationFailed"), (null, "RedisAuthenticationFailed"), ("short:" + Password, "RedisDenied") })
        {
            var e = await Assert.ThrowsAsync<MoltException>(() => RedisBench.CaptureAsync(new RedisCapture(RedisBench.TargetOf(server, login: login))));
            Assert.Equal(id, e.Id);
            Assert.DoesNotContain(Password, e.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_password_for_a_server_that_has_none_is_told()
    {
        using var servers = await redis.LeaseAsync();
        var e = await Assert.ThrowsAsync<MoltException>(() => RedisBench.CaptureAsync(new RedisCapture(RedisBench.TargetOf(servers.Source, login: ":" + Password))));
        Assert.Equal("RedisAuthenticationFailed", e.Id);
        Assert.Contains("no password", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TLS_wants_an_authority_that_is_trusted_and_the_right_name()
    {
        await using var server = await PostgresFixture.OrSkipAsync(() => RedisServer.StartAsync(tls: true, cancel: Cancel));
        RedisCapture Capture(string url) => new(new RedisTarget("cache", RedisUrl.Parse(url)));
        var (_, extra) = await RedisBench.CaptureAsync(Capture($"rediss://localhost:{server.Port}?cacert={server.Tls!.RootCertificate}"));
        Assert.Equal(0, extra.Items);
        foreach (var (url, text) in new[]
        {
            ($"rediss://localhost:{server.Port}", "no authority that this machine trusts"),
            ($"rediss://localhost:{server.Port}?cacert={server.Tls.OtherRootCertificate}", "does not lead to an authority in"),
            ($"rediss://127.0.0.1:{server.Port}?cacert={server.Tls.RootCertificate}", "not for the host 127.0.0.1"),
            ($"rediss://localhost:{server.Port}?cacert=/nowhere/ca.pem", "can't be read"),
        })
        {
            var e = await Assert.ThrowsAsync<MoltException>(() => RedisBench.CaptureAsync(Capture(url)));
            Assert.Equal("RedisTlsFailed", e.Id);
            Assert.Contains(text, e.Message, StringComparison.Ordinal);
        }

        Assert.Equal("RedisUnreachable", (await Assert.ThrowsAsync<MoltException>(() => RedisBench.CaptureAsync(Capture($"redis://localhost:{server.Port}")))).Id);
    }

    [Fact]
    public async Task TLS_to_a_server_without_it_is_told()
    {
        using var servers = await redis.LeaseAsync();
        var e = await Assert.ThrowsAsync<MoltException>(() => RedisBench.CaptureAsync(new RedisCapture(new RedisTarget("cache", RedisUrl.Parse($"rediss://127.0.0.1:{servers.Source.Port}")))));
        Assert.Equal("RedisTlsFailed", e.Id);
    }

    [Fact]
    public async Task A_cluster_is_refused()
    {
        await using var server = await PostgresFixture.OrSkipAsync(() => RedisServer.StartAsync(["cluster-enabled yes"], cancel: Cancel));
        Assert.Equal("RedisIsCluster", (await Assert.ThrowsAsync<MoltException>(() => RedisBench.CaptureAsync(server))).Id);
    }

    [Fact]
    public async Task A_database_that_the_server_does_not_have_is_told()
    {
        using var servers = await redis.LeaseAsync();
        Assert.Equal("RedisDatabaseMissing", (await Assert.ThrowsAsync<MoltException>(() => RedisBench.CaptureAsync(new RedisCapture(RedisBench.TargetOf(servers.Source, database: 16))))).Id);
        await servers.Source.CliAsync(Cancel, "-n", "15", "SET", "k", "v");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        await using var few = await RedisServer.StartAsync(["databases 2"], cancel: Cancel);
        Assert.Equal("RedisDatabaseMissing", (await RedisBench.PlanAsync(archive, extra, RedisBench.RestoreTo(few))).Problem?.Id);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_killed_in_the_middle_fails_a_backup_that_needs_it_and_is_told_in_one_that_does_not(bool required)
    {
        await using var server = await PostgresFixture.OrSkipAsync(() => RedisServer.StartAsync(cancel: Cancel));
        await server.CliAsync(Cancel, "DEBUG", "POPULATE", "20000", "key", "1000");
        var capture = new RedisCapture(RedisBench.TargetOf(server, required: required)) { PartBytes = 1 << 20 };
        await capture.PrepareAsync(new CaptureContext(false, []), Cancel);
        var memory = new MemoryArchive();
        await using var writer = new ArchiveWriter(memory, DateTimeOffset.UnixEpoch);
        var killer = new Killer(server);
        if (required)
        {
            var e = await Assert.ThrowsAsync<MoltException>(() => capture.CaptureAsync(writer, killer, Cancel));
            Assert.True(e.Id is "RedisConnectionLost", e.ToString());
            return;
        }

        var extra = await capture.CaptureAsync(writer, killer, Cancel);
        await RedisBench.CompleteAsync(writer);
        Assert.Null(extra.Missing);
        Assert.InRange(extra.Items, 1, 19_999);
        Assert.Contains("only some of its keys are here", Assert.Single(extra.Notes), StringComparison.Ordinal);
        using var servers = await redis.LeaseAsync();
        Assert.Equal("RedisIncomplete", (await RedisBench.PlanAsync(memory.Bytes, extra, RedisBench.RestoreTo(servers.Target))).Problem?.Id);
    }

    [Fact]
    public async Task Keys_that_are_there_are_counted_named_and_not_touched()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "DEBUG", "POPULATE", "2000", "key", "10");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        for (var i = 0; i < 12; i++)
        {
            await servers.Target.CliAsync(Cancel, "SET", $"key:{i}", "mine");
        }

        var problem = (await RedisBench.PlanAsync(archive, extra, RedisBench.RestoreTo(servers.Target))).Problem!;
        Assert.Equal(("RedisKeysExist", ErrorKind.AlreadyExists), (problem.Id, problem.Kind));
        Assert.StartsWith("12 of the keys are in redis://", problem.Message, StringComparison.Ordinal);
        Assert.Equal(10, problem.Message.Split("key:").Length - 1);
        Assert.Equal("12", await servers.Target.CliAsync(Cancel, "DBSIZE"));
        var result = await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target, replace: true));
        Assert.Equal((2000L, 12L, 2000L), (result.Keys, result.Replaced, result.Proven!.Value));
        Assert.Equal("value:0", (await servers.Target.CliAsync(Cancel, "GET", "key:0")).TrimEnd('\0'));
    }

    [Fact]
    public async Task A_key_that_comes_while_we_restore_stops_it_and_only_that_key_stays()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "DEBUG", "POPULATE", "3000", "key", "10");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        var come = false;
        var restore = new RedisRestore(_ => RedisBench.TargetOf(servers.Target))
        {
            Written = n =>
            {
                if (!come)
                {
                    // All that are not there yet but one are asked for later: whichever it is, one of the rest comes.
                    servers.Target.CliAsync(Cancel, "EVAL", "for i = 0, 2999 do redis.call('SET', 'key:' .. i, 'mine', 'NX') end return 1", "0").GetAwaiter().GetResult();
                    come = true;
                }
            },
        };
        var e = await Assert.ThrowsAsync<MoltException>(() => RedisBench.RestoreAsync(archive, extra, restore));
        Assert.Equal("RedisKeysExist", e.Id);
        Assert.Contains("The 500 keys that had been written were removed again.", e.Message, StringComparison.Ordinal);
        Assert.Equal("2500", await servers.Target.CliAsync(Cancel, "DBSIZE"));
        Assert.Equal("2500", await servers.Target.CliAsync(Cancel, "EVAL", "local n = 0 for _, k in ipairs(redis.call('KEYS', '*')) do if redis.call('GET', k) == 'mine' then n = n + 1 end end return n", "0"));
    }

    [Fact]
    public async Task Cancelling_a_restore_leaves_no_key_and_no_connection()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "DEBUG", "POPULATE", "5000", "key", "10");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var restore = new RedisRestore(_ => RedisBench.TargetOf(servers.Target)) { Written = n => stop.Cancel() };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RedisBench.RestoreAsync(archive, extra, restore, stop.Token));
        Assert.Equal("0", await servers.Target.CliAsync(Cancel, "DBSIZE"));
        await NobodyIsConnectedAsync(servers.Target);
    }

    [Fact]
    public async Task Cancelling_a_backup_leaves_no_connection()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "DEBUG", "POPULATE", "5000", "key", "10");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var capture = new RedisCapture(RedisBench.TargetOf(servers.Source));
        await using var writer = new ArchiveWriter(new MemoryArchive(), DateTimeOffset.UnixEpoch);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => capture.CaptureAsync(writer, new Stopper(stop), stop.Token));
        await NobodyIsConnectedAsync(servers.Source);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_target_killed_in_the_middle_is_told_with_what_may_be_there_and_a_replacing_restore_can_be_run_again(bool replace)
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "DEBUG", "POPULATE", "5000", "key", "10");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        await using var target = await RedisServer.StartAsync(cancel: Cancel);
        var restore = new RedisRestore(_ => RedisBench.TargetOf(target)) { Replace = replace, Written = n => target.KillAsync(Cancel).GetAwaiter().GetResult() };
        var e = await Assert.ThrowsAsync<MoltException>(() => RedisBench.RestoreAsync(archive, extra, restore));
        Assert.Equal("RedisConnectionLost", e.Id);
        Assert.Contains(replace ? "run the restore again to bring the rest" : "may be there now and could not be removed again", e.Message, StringComparison.Ordinal);

        var half = new RedisRestore(_ => RedisBench.TargetOf(servers.Target)) { Replace = true, Written = n => throw new MoltException("RedisConnectionLost", ErrorKind.ConnectionFailed, "As if.") };
        await Assert.ThrowsAsync<MoltException>(() => RedisBench.RestoreAsync(archive, extra, half));
        Assert.Equal("500", await servers.Target.CliAsync(Cancel, "DBSIZE"));
        Assert.Equal(5000, (await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target, replace: true))).Proven);
    }

    [Fact]
    public async Task A_server_that_is_full_refuses_before_a_key_is_written_or_gets_rid_of_what_it_took()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "DEBUG", "POPULATE", "20000", "key", "1000");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        await using var small = await RedisServer.StartAsync(["maxmemory 4mb", "maxmemory-policy noeviction"], cancel: Cancel);
        var e = await Assert.ThrowsAsync<MoltException>(() => RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(small)));
        Assert.Equal("RedisFull", e.Id);
        Assert.Equal("0", await small.CliAsync(Cancel, "DBSIZE"));
    }

    [Fact]
    public async Task Keys_that_the_server_drops_while_they_are_restored_fail_the_proof()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "DEBUG", "POPULATE", "20000", "key", "1000");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        await using var small = await RedisServer.StartAsync(["maxmemory 8mb", "maxmemory-policy allkeys-random"], cancel: Cancel);
        var e = await Assert.ThrowsAsync<MoltException>(() => RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(small, replace: true)));
        Assert.Equal("RedisProofFailed", e.Id);
        Assert.Contains("(missing)", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backup_of_a_newer_server_is_refused_before_a_key_is_written()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "SET", "k", "v");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        extra = extra with { Redis = extra.Redis! with { Server = "Redis 99.1", PayloadVersion = 99 } };
        var problem = (await RedisBench.PlanAsync(archive, extra, RedisBench.RestoreTo(servers.Target))).Problem!;
        Assert.Equal("RedisOlderThanBackup", problem.Id);
        Assert.Contains("Redis 99.1", problem.Message, StringComparison.Ordinal);
        Assert.Contains("is Redis 7.", problem.Message, StringComparison.Ordinal);
        Assert.Equal("0", await servers.Target.CliAsync(Cancel, "DBSIZE"));
    }

    [Fact]
    public async Task A_damaged_backup_is_found_before_a_key_is_written()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "DEBUG", "POPULATE", "1000", "key", "100");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        archive[2000] ^= 1;
        await Assert.ThrowsAsync<MoltException>(() => RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target)));
        Assert.Equal("0", await servers.Target.CliAsync(Cancel, "DBSIZE"));
    }

    /// <summary>The server notices a moment later that a connection is closed.</summary>
    private static async Task NobodyIsConnectedAsync(RedisServer server)
    {
        for (var i = 0; (await server.CliAsync(Cancel, "CLIENT", "LIST")).Contains("name=moltbeat", StringComparison.Ordinal); i++)
        {
            Assert.True(i < 200);
            await Task.Delay(50, Cancel);
        }
    }

    private sealed class Killer(RedisServer server) : IOperationObserver
    {
        public void Verbose(string message)
        {
        }

        public void Warning(string message)
        {
        }

        public void Progress(OperationProgress progress) => server.KillAsync(Cancel).GetAwaiter().GetResult();
    }

    private sealed class Stopper(CancellationTokenSource stop) : IOperationObserver
    {
        public void Verbose(string message)
        {
        }

        public void Warning(string message)
        {
        }

        public void Progress(OperationProgress progress) => stop.Cancel();
    }
}
