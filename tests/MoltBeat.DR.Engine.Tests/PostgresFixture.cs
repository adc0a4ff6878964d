using MoltBeat.DR.Engine.Tests;
using MoltBeat.TestServers;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresFixture))]

namespace MoltBeat.DR.Engine.Tests;

/// <summary>One PostgreSQL server for all tests of this assembly, started when the first test wants it.</summary>
public sealed class PostgresFixture : IAsyncDisposable
{
    private readonly Lazy<Task<PostgresServer>> _server = new(() => PostgresServer.StartAsync());
    private int _databases;

    /// <summary>The shared server. A test that changes more than its own databases and roles starts a server of its own.</summary>
    public Task<PostgresServer> ServerAsync() => OrSkipAsync(() => _server.Value);

    /// <summary>An empty database, named after <paramref name="name"/> but never twice the same; the test disposes it.</summary>
    public async Task<TestDatabase> CreateDatabaseAsync(string name = "test", DatabaseOptions? options = null)
    {
        var server = await ServerAsync();
        return await server.CreateDatabaseAsync(Unique(name), options, TestContext.Current.CancellationToken);
    }

    /// <summary>A database with everything; see <see cref="EverythingDatabase"/>.</summary>
    public async Task<TestDatabase> CreateEverythingAsync(string encoding = "UTF8")
    {
        var server = await ServerAsync();
        return await OrSkipAsync(() => EverythingDatabase.CreateAsync(server, Unique("everything"), encoding, TestContext.Current.CancellationToken));
    }

    /// <summary>A name that no other test of this assembly uses.</summary>
    public string Unique(string name) => $"{name}_{Interlocked.Increment(ref _databases)}";

    /// <summary>Runs what needs a server: where it is not installed the test is skipped, but in CI it fails.</summary>
    public static async Task<T> OrSkipAsync<T>(Func<Task<T>> start)
    {
        try
        {
            return await start();
        }
        catch (TestServerMissingException e) when (Environment.GetEnvironmentVariable("CI") is not "true")
        {
            Assert.Skip(e.Message);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated && _server.Value.IsCompletedSuccessfully)
            await (await _server.Value).DisposeAsync();
    }
}
