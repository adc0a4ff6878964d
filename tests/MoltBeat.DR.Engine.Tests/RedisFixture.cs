using MoltBeat.DR.Engine.Tests;
using MoltBeat.TestServers;
using Xunit;

[assembly: AssemblyFixture(typeof(RedisFixture))]

namespace MoltBeat.DR.Engine.Tests;

/// <summary>Two Redis servers for all tests of this assembly, started when the first test wants them; a test leases one to itself, emptied.</summary>
public sealed class RedisFixture : IAsyncDisposable
{
    private readonly Lazy<Task<RedisServer>>[] _servers = [new(() => RedisServer.StartAsync()), new(() => RedisServer.StartAsync())];
    private readonly SemaphoreSlim _lease = new(1, 1);

    /// <summary>Two empty servers, nobody else's until the lease is disposed.</summary>
    public async Task<Lease> LeaseAsync()
    {
        var cancel = TestContext.Current.CancellationToken;
        await _lease.WaitAsync(cancel);
        try
        {
            var source = await PostgresFixture.OrSkipAsync(() => _servers[0].Value);
            var target = await PostgresFixture.OrSkipAsync(() => _servers[1].Value);
            await source.CliAsync(cancel, "FLUSHALL");
            await target.CliAsync(cancel, "FLUSHALL");
            return new Lease(source, target, _lease);
        }
        catch
        {
            _lease.Release();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers)
        {
            if (server.IsValueCreated && server.Value.IsCompletedSuccessfully)
                await (await server.Value).DisposeAsync();
        }

        _lease.Dispose();
    }

    public sealed class Lease(RedisServer source, RedisServer target, SemaphoreSlim lease) : IDisposable
    {
        public RedisServer Source { get; } = source;

        public RedisServer Target { get; } = target;

        public void Dispose() => lease.Release();
    }
}
