using Npgsql;

namespace MoltBeat.TestServers;

/// <summary>How a database differs from its server's templates.</summary>
public sealed record DatabaseOptions
{
    /// <summary>Encoding, such as <c>LATIN1</c>; the server's when null. Another encoding than UTF8 gets the locale C.</summary>
    public string? Encoding { get; init; }

    /// <summary>Owner; the superuser when null.</summary>
    public string? Owner { get; init; }

    /// <summary>Template; <c>template0</c> when null.</summary>
    public string? Template { get; init; }
}

/// <summary>A database of a <see cref="PostgresServer"/>; disposing it drops it.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    internal TestDatabase(PostgresServer server, string name)
    {
        Server = server;
        Name = name;
    }

    public PostgresServer Server { get; }

    public string Name { get; }

    /// <summary>The superuser's connection in URI form.</summary>
    public string Uri => Server.Uri(Name);

    /// <summary>The superuser's connection in Npgsql's form, without a pool.</summary>
    public string ConnectionString => Server.ConnectionString(Name);

    /// <summary>An open connection of the superuser.</summary>
    public Task<NpgsqlConnection> OpenAsync(CancellationToken cancel = default) => Server.OpenAsync(Name, cancel: cancel);

    /// <summary>Runs SQL, several statements if need be.</summary>
    public Task ExecuteAsync(string sql, CancellationToken cancel = default) => Server.ExecuteAsync(sql, Name, cancel);

    /// <summary>The first column of the first row.</summary>
    public Task<T> ScalarAsync<T>(string sql, CancellationToken cancel = default) => Server.ScalarAsync<T>(sql, Name, cancel);

    public async ValueTask DisposeAsync() =>
        await Server.DropDatabaseAsync(Name).ConfigureAwait(false);
}
