using System.Globalization;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>What a Redis server says of itself.</summary>
/// <param name="Version">For people, as <c>Redis 7.0.15</c>.</param>
/// <param name="Major">The first number of the Redis version that it is compatible with.</param>
/// <param name="IsReplica">Whether it follows another.</param>
/// <param name="Keys">Keys of each database that holds any.</param>
/// <param name="UsedMemory">Bytes.</param>
/// <param name="MaxMemory">Bytes; 0 for no limit.</param>
/// <param name="MaxMemoryPolicy">What it does at that limit.</param>
internal sealed record RedisServerInfo(string Version, int Major, bool IsReplica, IReadOnlyDictionary<int, long> Keys, long UsedMemory, long MaxMemory, string MaxMemoryPolicy)
{
    /// <summary>Absolute expiry times in RESTORE came with it.</summary>
    private const int OldestMajor = 5;

    /// <exception cref="MoltException"><c>RedisIsCluster</c>, <c>RedisTooOld</c>, and what the server refuses.</exception>
    public static async Task<RedisServerInfo> ReadAsync(RedisSession session, RedisUrl url, CancellationToken cancellationToken)
    {
        var lines = (await session.CallAsync(cancellationToken, "INFO").ConfigureAwait(false)).Text.Split("\r\n")
            .Select(l => l.Split(':', 2)).Where(l => l.Length == 2).DistinctBy(l => l[0]).ToDictionary(l => l[0], l => l[1], StringComparer.Ordinal);
        string Field(string name) => lines.GetValueOrDefault(name, "");
        long Number(string name) => long.TryParse(Field(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
        var version = Field("redis_version");
        var shown = Field("valkey_version") is { Length: > 0 } valkey ? "Valkey " + valkey : "Redis " + version;
        if (Field("redis_mode") == "sentinel")
        {
            throw new MoltException("RedisRefused", ErrorKind.Failed, $"{url} is a sentinel: it holds no keys.", "Name the server that it watches over.", url.ToString());
        }

        if (Field("redis_mode") == "cluster" || Field("cluster_enabled") == "1")
        {
            throw session.IsCluster();
        }

        _ = int.TryParse(version.Split('.')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major);
        if (major < OldestMajor)
        {
            throw new MoltException("RedisTooOld", ErrorKind.NotSupported, $"The Redis server {url} is {shown}; 5.0 is the oldest that is supported.", "Upgrade it.", url.ToString());
        }

        var keys = new SortedDictionary<int, long>();
        foreach (var (name, value) in lines.Where(l => l.Key.StartsWith("db", StringComparison.Ordinal)))
        {
            if (int.TryParse(name.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && value.Split(',')[0].Split('=') is ["keys", var count] && long.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var many))
            {
                keys[number] = many;
            }
        }

        return new RedisServerInfo(shown, major, Field("role") == "slave", keys, Number("used_memory"), Number("maxmemory"), Field("maxmemory_policy"));
    }
}
