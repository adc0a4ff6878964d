using System.Globalization;
using MoltBeat.DR.Tests.Cmdlets;
using MoltBeat.TestServers;
using Xunit;

[assembly: AssemblyFixture(typeof(ServerFixture))]

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>One PostgreSQL server for all tests of the cmdlets, and backups that they may read but not change.</summary>
public sealed class ServerFixture : IAsyncDisposable
{
    private readonly Lazy<Task<PostgresServer>> _server = new(() => PostgresServer.StartAsync());
    private readonly Lazy<Task<Backups>> _backups;
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-cmdlets-").FullName;
    private int _names;

    public ServerFixture() => _backups = new(MakeBackupsAsync);

    /// <summary>The server; where none is installed the test is skipped, but in CI it fails.</summary>
    public async Task<PostgresServer> ServerAsync()
    {
        try
        {
            return await _server.Value;
        }
        catch (TestServerMissingException e) when (Environment.GetEnvironmentVariable("CI") is not "true")
        {
            Assert.Skip(e.Message);
            throw;
        }
    }

    /// <summary>The backups that all tests share.</summary>
    public async Task<Backups> BackupsAsync()
    {
        _ = await ServerAsync();
        return await _backups.Value;
    }

    /// <summary>A name that no other test uses.</summary>
    public string Unique(string name) => string.Create(CultureInfo.InvariantCulture, $"{name}_{Interlocked.Increment(ref _names)}");

    /// <summary>A path where nothing is yet.</summary>
    public string NewPath(string name = "folder") => Path.Combine(_folder, Unique(name));

    /// <summary>A folder with copies of the shared backups, which the test may change.</summary>
    public async Task<Backups> CopyAsync()
    {
        var shared = await BackupsAsync();
        var folder = NewPath("copy");
        Directory.CreateDirectory(folder);
        string Copied(string path)
        {
            var copy = Path.Combine(folder, Path.GetFileName(path));
            File.Copy(path, copy);
            return copy;
        }

        return shared with { Folder = folder, Older = Copied(shared.Older), Newer = Copied(shared.Newer), Shop = Copied(shared.Shop) };
    }

    /// <summary>A small database like MoltBeat's: 1,200 users, a table whose name must be quoted with 3 rows, an empty one.</summary>
    public async Task<TestDatabase> CreateMoltbeatAsync(string name)
    {
        var server = await ServerAsync();
        var database = await server.CreateDatabaseAsync(name);
        await database.ExecuteAsync("""
            CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE, balance numeric(12, 2), created_at timestamptz);
            INSERT INTO users SELECT i, 'user' || i || '@example.org', i / 7.0, '2026-01-01Z'::timestamptz + i * interval '1 hour' FROM generate_series(1, 1200) i;
            CREATE TABLE "Odd.Name" (user_id int REFERENCES users, note text);
            INSERT INTO "Odd.Name" VALUES (1, 'one'), (2, E'tab\tand\\'), (3, NULL);
            CREATE TABLE nothing (id int);
            """);
        return database;
    }

    public async ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        if (_server.IsValueCreated && _server.Value.IsCompletedSuccessfully)
        {
            await (await _server.Value).DisposeAsync();
        }
    }

    private async Task<Backups> MakeBackupsAsync()
    {
        var moltbeat = await CreateMoltbeatAsync("moltbeat");
        var shop = await (await ServerAsync()).CreateDatabaseAsync("shop");
        await shop.ExecuteAsync("CREATE TABLE articles (id int)");
        using var module = new HostedModule();
        var folder = NewPath("backups");
        string Make(TestDatabase database, string kind) => module.Run(
            "param($Url, $Path, $Kind) New-MoltBackup $Url -Path $Path -Kind $Kind -CompressionLevel 3", ("Url", database.Uri), ("Path", folder), ("Kind", kind))
            .ThrowIfFailed().Output.Single().Value<string>("Path");

        var older = Make(moltbeat, "Daily");
        var empty = Make(shop, "Weekly");

        // The file's name has its time in seconds.
        await Task.Delay(1100);
        return new Backups(folder, older, Make(moltbeat, "Manual"), empty, moltbeat, shop);
    }
}

/// <summary>Backups of two databases in one folder.</summary>
/// <param name="Folder">The folder.</param>
/// <param name="Older">Path of moltbeat's daily backup, the first made.</param>
/// <param name="Newer">Path of moltbeat's manual backup, the last made.</param>
/// <param name="Shop">Path of the weekly backup of shop, which has no rows; made between the two.</param>
/// <param name="Moltbeat">The database with rows.</param>
/// <param name="ShopDatabase">The database without.</param>
public sealed record Backups(string Folder, string Older, string Newer, string Shop, TestDatabase Moltbeat, TestDatabase ShopDatabase)
{
    public string Url => Moltbeat.Uri;
}
