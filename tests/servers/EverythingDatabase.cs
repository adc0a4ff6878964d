namespace MoltBeat.TestServers;

/// <summary>A database with every kind of object and value, by <c>everything.sql</c>.</summary>
public static class EverythingDatabase
{
    /// <summary>A role without special rights that may log in; two tables with row-level security show it some of their rows only.</summary>
    public const string AppRole = "molt_app";

    /// <summary>Its password.</summary>
    public const string AppPassword = "molt app password";

    /// <summary>The roles that its objects belong to or are granted to.</summary>
    public static IReadOnlyList<string> Roles { get; } = ["molt_owner", "molt_reader", "molt_writer", AppRole, "molt \"odd\" role.name"];

    /// <summary>
    /// Makes it. Loading it takes seconds, so that a server loads it once per encoding and copies it from then on. Its
    /// roles are made where the server has none.
    /// </summary>
    /// <param name="server">The server.</param>
    /// <param name="name">The name of the database.</param>
    /// <param name="encoding"><c>UTF8</c>, <c>LATIN1</c> or <c>SQL_ASCII</c>: each gets the values that it can hold.</param>
    /// <param name="cancel">Ends the attempt; not the loading, for which others may wait too.</param>
    public static async Task<TestDatabase> CreateAsync(
        PostgresServer server, string name, string encoding = "UTF8", CancellationToken cancel = default)
    {
        var template = server.Templates.GetOrAdd($"everything_template_{encoding}", template => new(() => LoadAsync(server, template, encoding)));
        await template.Value.WaitAsync(cancel).ConfigureAwait(false);
        var database = await server.CreateDatabaseAsync(name, new DatabaseOptions { Template = $"everything_template_{encoding}" }, cancel).ConfigureAwait(false);
        try
        {
            await RunAsync(server, name, "everything-database.sql", cancel).ConfigureAwait(false);
            return database;
        }
        catch
        {
            await database.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task LoadAsync(PostgresServer server, string name, string encoding)
    {
        await server.CreateDatabaseAsync(name, new DatabaseOptions { Encoding = encoding }).ConfigureAwait(false);
        await RunAsync(server, name, "everything.sql", CancellationToken.None).ConfigureAwait(false);
    }

    private static Task RunAsync(PostgresServer server, string name, string file, CancellationToken cancel) =>
        Tool.RunAsync(
            "psql", ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", TestFiles.Path(file), "--dbname", name], server.ToolEnvironment, cancel);
}
