using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using MoltBeat.DR.Engine.Application.Redis;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application.Redis;

public sealed class RedisRoundTripTests(RedisFixture redis)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Keys_of_all_types_come_back_as_they_were()
    {
        using var servers = await redis.LeaseAsync();
        await RedisBench.SendAsync(servers.Source, AllTypes);
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        var result = await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target));
        Assert.Equal(extra.Items, result.Keys);
        Assert.Equal((result.Keys, 0L), (result.Proven!.Value, result.NotComparable!.Value));
        Assert.Equal(await RedisBench.DigestAsync(servers.Source), await RedisBench.DigestAsync(servers.Target));
        foreach (var type in new[] { "string", "hash", "list", "set", "zset", "stream" })
        {
            Assert.NotEmpty(await servers.Target.CliAsync(Cancel, "EVAL", "local t = {} for _, k in ipairs(redis.call('KEYS', '*')) do if redis.call('TYPE', k).ok == ARGV[1] then t[#t + 1] = k end end return t", "0", type));
        }

        Assert.Contains("consumer-1", await servers.Target.CliAsync(Cancel, "XINFO", "STREAM", "stream", "FULL"), StringComparison.Ordinal);
        Assert.Equal("1000", await servers.Target.CliAsync(Cancel, "BITCOUNT", "bitmap"));
        Assert.Equal(await servers.Source.CliAsync(Cancel, "PFCOUNT", "hll"), await servers.Target.CliAsync(Cancel, "PFCOUNT", "hll"));
        Assert.Equal("Redis 7", result.Server[..7]);
        Assert.Equal([0], extra.Redis!.Databases.Select(d => d.Number));
        Assert.True(extra.Redis.PayloadVersion >= 10);
    }

    [Fact]
    public async Task Every_database_that_holds_keys_is_taken_and_each_key_goes_back_into_its_own()
    {
        using var servers = await redis.LeaseAsync();
        foreach (var database in new[] { 0, 3, 15 })
        {
            await servers.Source.CliAsync(Cancel, "-n", database.ToString(CultureInfo.InvariantCulture), "SET", "k", $"of {database}");
        }

        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        Assert.Equal([(0, 1), (3, 1), (15, 1)], extra.Redis!.Databases.Select(d => (d.Number, (int)d.Keys)));
        var result = await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target));
        Assert.Equal([0, 3, 15], result.Databases);
        Assert.Equal("of 15", await servers.Target.CliAsync(Cancel, "-n", "15", "GET", "k"));
    }

    [Theory]
    [InlineData(3, null, 3)]
    [InlineData(null, "5", 5)]
    [InlineData(3, "5", 5)]
    public async Task The_plans_databases_count_then_the_URLs(int? ofUrl, string? ofPlan, int taken)
    {
        using var servers = await redis.LeaseAsync();
        foreach (var database in new[] { "0", "3", "5" })
        {
            await servers.Source.CliAsync(Cancel, "-n", database, "SET", "k", "v");
        }

        var (_, extra) = await RedisBench.CaptureAsync(new RedisCapture(RedisBench.TargetOf(servers.Source, ofUrl, ofPlan is null ? null : [int.Parse(ofPlan, CultureInfo.InvariantCulture)])));
        Assert.Equal([taken], extra.Redis!.Databases.Select(d => d.Number));
    }

    [Fact]
    public async Task Of_a_backup_of_several_databases_one_can_be_restored()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "-n", "0", "SET", "k", "v");
        await servers.Source.CliAsync(Cancel, "-n", "3", "SET", "k", "v");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        Assert.Equal(1, (await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target, database: 3))).Keys);
        Assert.Equal(("0", "1"), (await servers.Target.CliAsync(Cancel, "-n", "0", "DBSIZE"), await servers.Target.CliAsync(Cancel, "-n", "3", "DBSIZE")));
    }

    [Fact]
    public async Task Names_and_values_of_any_bytes_come_back()
    {
        using var servers = await redis.LeaseAsync();
        var all = Enumerable.Range(0, 256).Select(b => (byte)b).ToArray();
        await RedisBench.SendAsync(servers.Source, commands =>
        {
            foreach (var key in new byte[][] { all, [], [0], "\r\n"u8.ToArray(), [0xff, 0xfe], new byte[100_000] })
            {
                commands.List(3);
                commands.Bytes("SET"u8);
                commands.Bytes(key);
                commands.Bytes(all);
            }
        });
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        Assert.Equal(6, (await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target))).Proven);
        Assert.Equal(await RedisBench.DigestAsync(servers.Source), await RedisBench.DigestAsync(servers.Target));
    }

    [Fact]
    public async Task Keys_expire_when_they_would_have_and_those_that_have_are_left_out()
    {
        using var servers = await redis.LeaseAsync();
        var later = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeMilliseconds();
        await servers.Source.CliAsync(Cancel, "SET", "later", "v", "PXAT", later.ToString(CultureInfo.InvariantCulture));
        await servers.Source.CliAsync(Cancel, "SET", "never", "v");
        await servers.Source.CliAsync(Cancel, "SET", "soon", "v", "PX", "1500");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        Assert.Equal(2, Assert.Single(extra.Redis!.Databases).Expiring);
        await servers.Source.UntilAsync("0", Cancel, "EXISTS", "soon");

        var plan = await RedisBench.PlanAsync(archive, extra, RedisBench.RestoreTo(servers.Target));
        Assert.Contains("Restore 2 keys into database 0", plan.Action, StringComparison.Ordinal);
        Assert.Contains("leaving out 1 that have expired", plan.Action, StringComparison.Ordinal);
        Assert.Equal("0", await servers.Target.CliAsync(Cancel, "DBSIZE"));
        var result = await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target));
        Assert.Equal((2L, 1L, 2L), (result.Keys, result.Expired, result.Proven!.Value));
        Assert.InRange(long.Parse(await servers.Target.CliAsync(Cancel, "PEXPIRETIME", "later"), CultureInfo.InvariantCulture), later - 50, later + 50);
        Assert.Equal("-1", await servers.Target.CliAsync(Cancel, "PTTL", "never"));
        Assert.Equal("0", await servers.Target.CliAsync(Cancel, "EXISTS", "soon"));
    }

    [Fact]
    public async Task A_million_keys_come_back_in_parts_of_bounded_size()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "DEBUG", "POPULATE", "1000000", "key", "100");
        var capture = new RedisCapture(RedisBench.TargetOf(servers.Source)) { PartBytes = 16 << 20 };
        var clock = Stopwatch.StartNew();
        var (archive, extra) = await RedisBench.CaptureAsync(capture);
        Report("capture", clock, extra.Items);
        Assert.Equal(1_000_000, extra.Items);
        Assert.InRange(extra.Parts.Count, 3, 100);
        Assert.All(extra.Parts, p => Assert.InRange(p.RawBytes, 1, (16 << 20) + (1 << 18)));
        clock.Restart();
        var result = await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target));
        Report("restore and proof", clock, result.Keys);
        Assert.Equal((1_000_000L, 1_000_000L), (result.Keys, result.Proven!.Value));
        Assert.Equal(await RedisBench.DigestAsync(servers.Source), await RedisBench.DigestAsync(servers.Target));
    }

    [Fact]
    public async Task A_value_of_200_MB_passes_in_pieces()
    {
        using var servers = await redis.LeaseAsync();
        var piece = new byte[1_000_000];
        for (var i = 0; i < 200; i++)
        {
            Random.Shared.NextBytes(piece);
            await RedisBench.SendAsync(servers.Source, commands =>
            {
                commands.List(3);
                commands.Bytes("APPEND"u8);
                commands.Bytes("big"u8);
                commands.Bytes(piece);
            });
        }

        await servers.Source.CliAsync(Cancel, "SET", "small", "v");
        await using var file = new FileArchive();
        var allocated = GC.GetTotalAllocatedBytes();
        var clock = Stopwatch.StartNew();
        var extra = await file.CaptureAsync(new RedisCapture(RedisBench.TargetOf(servers.Source)));
        Report("capture of 200 MB", clock, extra.Items);
        Assert.True(extra.Redis!.LargestPayload > 200_000_000);

        // What goes into the archive came through one buffer, and so does what comes out of it.
        Assert.InRange(file.LargestPiece, 1, 1 << 20);
        clock.Restart();
        var result = await file.RestoreAsync(extra, RedisBench.RestoreTo(servers.Target));
        Report("restore and proof", clock, result.Keys);
        Assert.Equal((2L, 2L), (result.Keys, result.Proven!.Value));
        Assert.Equal("200000000", await servers.Target.CliAsync(Cancel, "STRLEN", "big"));
        Assert.Equal(await RedisBench.DigestAsync(servers.Source), await RedisBench.DigestAsync(servers.Target));
        using var process = Process.GetCurrentProcess();
        TestContext.Current.TestOutputHelper?.WriteLine($"allocated {(GC.GetTotalAllocatedBytes() - allocated) / 1e6:N0} MB, peak of the process {process.PeakWorkingSet64 / 1e6:N0} MB");
    }

    [Fact]
    public async Task Only_so_many_bytes_are_asked_for_at_once()
    {
        using var servers = await redis.LeaseAsync();
        var value = new byte[300_000];
        Random.Shared.NextBytes(value);
        await RedisBench.SendAsync(servers.Source, commands =>
        {
            for (var i = 0; i < 200; i++)
            {
                commands.List(3);
                commands.Bytes("SET"u8);
                commands.Bytes(Encoding.ASCII.GetBytes($"k{i}"));
                commands.Bytes(value);
            }
        });
        var capture = new RedisCapture(RedisBench.TargetOf(servers.Source)) { BytesAtOnce = 2 << 20 };
        var (_, extra) = await RedisBench.CaptureAsync(capture);
        Assert.Equal(200, extra.Items);
        Assert.InRange(capture.MostAsked, 300_000, 2 << 20);
    }

    [Fact]
    public async Task Keys_that_SCAN_gives_again_count_once_and_the_last_value_wins()
    {
        using var servers = await redis.LeaseAsync();
        var dumps = new Dictionary<string, byte[]>();
        foreach (var value in new[] { "old", "new", "other" })
        {
            await servers.Source.CliAsync(Cancel, "SET", "k", value);
            dumps[value] = await DumpAsync(servers.Source, "k");
        }

        var memory = new MemoryArchive();
        await using var writer = new ArchiveWriter(memory, DateTimeOffset.UnixEpoch);
        await using var parts = new RedisPartWriter(writer, "cache", 1 << 20);
        foreach (var (key, value, repeats) in new[] { ("a", "old", false), ("b", "other", true), ("a", "old", true), ("c", "other", false), ("a", "new", true) })
        {
            await parts.BeginKeyAsync(0, Encoding.ASCII.GetBytes(key), 0, repeats, dumps[value].Length, Cancel);
            await parts.PayloadAsync(dumps[value], Cancel);
            await parts.EndKeyAsync(Cancel);
        }

        await parts.CompleteAsync(Cancel);
        await RedisBench.CompleteAsync(writer);
        var extra = new ExtraContents
        {
            Kind = ExtraKind.Redis,
            Name = "cache",
            Items = 5,
            Parts = parts.Parts,
            Redis = new RedisContents { Server = "Redis 7", PayloadVersion = dumps["old"][^10], Began = default, Ended = default, LargestPayload = 1, Databases = [new(0, 5, 0)] },
        };
        var result = await RedisBench.RestoreAsync(memory.Bytes, extra, RedisBench.RestoreTo(servers.Target));
        Assert.Equal((3L, 3L), (result.Keys, result.Proven!.Value));
        Assert.Equal("new", await servers.Target.CliAsync(Cancel, "GET", "a"));
    }

    [Fact]
    public async Task Stock_tools_bring_the_keys_back()
    {
        using var servers = await redis.LeaseAsync();
        await RedisBench.SendAsync(servers.Source, AllTypes);
        await servers.Source.CliAsync(Cancel, "-n", "7", "SET", "seven", "v", "EX", "1000");
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        var folder = Directory.CreateTempSubdirectory("molt-redis-");
        try
        {
            var file = Path.Combine(folder.FullName, "a.tar");
            await File.WriteAllBytesAsync(file, archive, Cancel);
            var output = await Tool.RunAsync("sh", ["-c", $"tar -xOf {file} {Assert.Single(extra.Parts).Member} | zstd -dc | redis-cli -p {servers.Target.Port} --pipe"], cancel: Cancel);
            Assert.Contains("errors: 0", output, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        Assert.Equal(await RedisBench.DigestAsync(servers.Source), await RedisBench.DigestAsync(servers.Target));
        Assert.Equal("v", await servers.Target.CliAsync(Cancel, "-n", "7", "GET", "seven"));
    }

    [Fact]
    public async Task A_server_that_stores_values_in_another_form_proves_what_can_be_compared_and_counts_the_rest()
    {
        using var servers = await redis.LeaseAsync();
        await RedisBench.SendAsync(servers.Source, AllTypes);
        await using var other = await RedisServer.StartAsync(["hash-max-listpack-entries 1", "set-max-intset-entries 1", "rdbcompression no"], cancel: Cancel);
        var (archive, extra) = await RedisBench.CaptureAsync(servers.Source);
        var result = await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(other));
        Assert.Equal(extra.Items, result.Proven + result.NotComparable);
        Assert.True(result.Proven > 0 && result.NotComparable > 0);
        Assert.Equal(await RedisBench.DigestAsync(servers.Source), await RedisBench.DigestAsync(other));
    }

    [Fact]
    public async Task A_replica_can_be_backed_up_and_takes_no_restore()
    {
        using var servers = await redis.LeaseAsync();
        await servers.Source.CliAsync(Cancel, "SET", "k", "v");
        await using var replica = await RedisServer.StartAsync([$"replicaof 127.0.0.1 {servers.Source.Port}"], cancel: Cancel);
        await replica.UntilAsync("1", Cancel, "EXISTS", "k");

        var (archive, extra) = await RedisBench.CaptureAsync(replica);
        Assert.Equal(1, extra.Items);
        Assert.Equal("RedisIsReplica", (await RedisBench.PlanAsync(archive, extra, RedisBench.RestoreTo(replica))).Problem?.Id);
        Assert.Equal(1, (await RedisBench.RestoreAsync(archive, extra, RedisBench.RestoreTo(servers.Target))).Proven);
    }

    internal static void AllTypes(IBufferWriter<byte> commands)
    {
        string Words(int from, int count, Func<int, string> each) => string.Join(' ', Enumerable.Range(from, count).Select(each));
        foreach (var line in new[]
        {
            "SET string hello", "SET number 12345", "SET empty-ish x", "APPEND appended " + new string('a', 5000),
            "SETBIT bitmap 100000 1", "PFADD hll " + Words(0, 1000, i => $"e{i}"),
            "HSET hash-small a 1 b 2", "HSET hash-large " + Words(0, 1000, i => $"field{i} {new string((char)('a' + (i % 26)), i % 100 + 1)}"),
            "HSET hash-numbers " + Words(0, 600, i => $"{i * i} {-i * 1000}"),
            "HSET hash-long x " + new string('x', 30_000),
            "RPUSH list-small a b c", "RPUSH list-large " + Words(0, 5000, i => $"item{i}"),
            "SADD set-numbers 1 2 3", "SADD set-words a b c", "SADD set-large " + Words(0, 2000, i => $"member{i}"), "SADD set-many-numbers " + Words(0, 3000, i => $"{i * 77}"),
            "ZADD zset-small 1 a 2 b", "ZADD zset-large " + Words(0, 2000, i => $"{i}.5 member{i}"),
            "GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
            "XGROUP CREATE stream group 0 MKSTREAM", "XADD stream 1-1 f v", "XADD stream 1-2 f v2", "XADD stream 2-1 g w",
            "XREADGROUP GROUP group consumer-1 COUNT 2 STREAMS stream >", "XACK stream group 1-1",
        }.Concat(Enumerable.Range(0, 1000).Select(i => $"SETBIT bitmap {i} {(i == 0 ? 0 : 1)}")))
        {
            commands.Command(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        }
    }

    internal static async Task<byte[]> DumpAsync(RedisServer server, string key)
    {
        await using var session = await RedisSession.OpenAsync(RedisUrl.Parse(server.Url()), Cancel);
        return (await session.CallAsync(Cancel, "DUMP", key)).Bytes!;
    }

    private static void Report(string what, Stopwatch clock, long keys)
        => TestContext.Current.TestOutputHelper?.WriteLine($"{what}: {clock.Elapsed.TotalSeconds:0.0} s, {keys / clock.Elapsed.TotalSeconds:N0} keys/s");
}
