using System.Text;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Servers;

/// <summary>The database with everything is fair: PostgreSQL's own tools bring it back whole, so a failure to do so is ours.</summary>
public class EverythingDatabaseTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("UTF8")]
    [InlineData("LATIN1")]
    [InlineData("SQL_ASCII")]
    public async Task Comes_back_whole_by_pg_dump_and_pg_restore(string encoding)
    {
        await using var source = await postgres.CreateEverythingAsync(encoding);
        await using var copy = await postgres.CreateDatabaseAsync("copy", new DatabaseOptions { Encoding = encoding });
        var folder = Directory.CreateTempSubdirectory("molt-roundtrip-");
        try
        {
            var dump = Path.Combine(folder.FullName, "dump");
            await DumpAsync(source, dump, "--format=custom", "--compress=0");
            await Tool.RunAsync("pg_restore", ["--exit-on-error", "--dbname", copy.Name, dump], copy.Server.ToolEnvironment, Cancel);

            Assert.Equal(await LinesAsync(source, "--schema-only"), await LinesAsync(copy, "--schema-only"));

            // A partitioned table that is hashed by an enum has its rows in other partitions now, so the order is not the same.
            var before = await LinesAsync(source, "--data-only");
            var after = await LinesAsync(copy, "--data-only");
            Array.Sort(before, StringComparer.Ordinal);
            Array.Sort(after, StringComparer.Ordinal);
            Assert.True(before.AsSpan().SequenceEqual(after), "The rows differ.");

            if (encoding == "UTF8")
                await RestoreInto18Async(source, dump);
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        async Task<string[]> LinesAsync(TestDatabase database, string what)
        {
            var file = Path.Combine(folder.FullName, "plain");
            await DumpAsync(database, file, "--format=plain", "--restrict-key=same", what);
            return await File.ReadAllLinesAsync(file, Encoding.Latin1, Cancel);
        }
    }

    [Fact]
    public async Task Has_every_kind_of_object()
    {
        await using var database = await postgres.CreateEverythingAsync();
        Assert.Equal("I,S,c,f,i,m,p,r,t,v", await database.ScalarAsync<string>("SELECT string_agg(DISTINCT relkind::text, ',' ORDER BY relkind::text) FROM pg_class", Cancel));
        Assert.Equal("b,c,d,e,m,p,r", await database.ScalarAsync<string>("SELECT string_agg(DISTINCT typtype::text, ',' ORDER BY typtype::text) FROM pg_type", Cancel));
        Assert.Equal(4L, await database.ScalarAsync<long>("SELECT count(*) FROM pg_largeobject_metadata", Cancel));
        Assert.Equal(20_000_000L, await database.ScalarAsync<long>("SELECT max(octet_length(t))::bigint / 1000000 * 1000000 FROM app.big", Cancel));
        Assert.Equal(300_000L, await database.ScalarAsync<long>("SELECT count(*) FROM app.narrow", Cancel));
        Assert.Equal(3L, await database.ScalarAsync<long>("SELECT count(*) FROM app.no_columns", Cancel));
        Assert.Equal(1L, await database.ScalarAsync<long>("SELECT count(*) FROM app.log", Cancel));
        Assert.Equal(2L, await database.ScalarAsync<long>("SELECT count(*) FROM app.foreign_file", Cancel));

        // What the superuser sees whole, a role under row-level security does not.
        await using var connection = await database.Server.OpenAsync(database.Name, EverythingDatabase.AppRole, EverythingDatabase.AppPassword, Cancel);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT count(*) FROM secure.forced";
        Assert.Equal(10L, await command.ExecuteScalarAsync(Cancel));
    }

    private static async Task RestoreInto18Async(TestDatabase source, string dump)
    {
        var binaries = await PostgresFixture.OrSkipAsync(Postgres18.BinariesAsync);
        await using var server = await PostgresServer.StartAsync(new PostgresOptions { Binaries = binaries }, Cancel);
        foreach (var role in EverythingDatabase.Roles)
            await server.ExecuteAsync($"CREATE ROLE {Sql.Identifier(role)}", cancel: Cancel);
        await using var copy = await server.CreateDatabaseAsync("copy", cancel: Cancel);
        await Tool.RunAsync("pg_restore", ["--exit-on-error", "--dbname", copy.Name, dump], server.ToolEnvironment, Cancel);
        Assert.Equal(
            await source.ScalarAsync<long>("SELECT sum(v)::bigint FROM app.narrow", Cancel),
            await copy.ScalarAsync<long>("SELECT sum(v)::bigint FROM app.narrow", Cancel));
    }

    /// <summary>Dumps with settings that are the same whatever the database sets, since pg_dump itself pins but some of them.</summary>
    private static Task<string> DumpAsync(TestDatabase database, string file, params string[] options) =>
        Tool.RunAsync(
            "pg_dump",
            [.. options, "--file", file, database.Name],
            new Dictionary<string, string>(database.Server.ToolEnvironment)
            {
                ["PGOPTIONS"] = "-c standard_conforming_strings=on -c bytea_output=hex -c timezone=UTC",
            },
            Cancel);
}
