using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery;

/// <summary>Databases that are out of the ordinary in size or name, there and back.</summary>
public sealed class RoundTripTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("with spaces  ")]
    [InlineData("it's \"quoted\"")]
    [InlineData("100% \\ {0} $1")]
    [InlineData("Größe-表-😀")]
    [InlineData("a=b dbname=postgres")]
    [InlineData("postgresql://x")]
    [InlineData("../../etc/passwd")]
    [InlineData("-63-bytes-67890123456789012345678901234567890123456789012345xyz")]
    public async Task A_database_may_have_any_name(string name)
    {
        var server = await postgres.ServerAsync();
        var copy = "_" + name[1..];
        await using var source = await server.CreateDatabaseAsync(name, cancel: Cancel);
        await source.ExecuteAsync("CREATE TABLE t (id integer PRIMARY KEY, t text); INSERT INTO t VALUES (1, 'one'), (2, NULL); CREATE TABLE u (m int4range); INSERT INTO u VALUES ('[1,2)')", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        Assert.Equal(name, backup.Database);
        await workshop.VerifyAsync(backup);
        try
        {
            await workshop.RestoreAsync(backup, server, copy);
            await Likeness.AssertAsync(source, server, copy);
        }
        finally
        {
            await server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task An_empty_database_is_backed_up_and_restored()
    {
        await using var source = await postgres.CreateDatabaseAsync("empty");
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        await workshop.VerifyAsync(backup);
        Assert.Equal(0, backup.Tables);
        var copy = postgres.Unique("copy");
        try
        {
            await workshop.RestoreAsync(backup, source.Server, copy);
            await Likeness.AssertAsync(source, source.Server, copy);
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Rows_of_many_megabytes_pass_in_either_format(bool text)
    {
        await using var source = await postgres.CreateDatabaseAsync("huge");
        await source.ExecuteAsync("""
            CREATE TABLE huge (id integer PRIMARY KEY, t text, b bytea); ALTER TABLE huge ALTER t SET STORAGE EXTERNAL;
            INSERT INTO huge SELECT 1, repeat(string_agg(md5(i::text), ''), 60), '\x00ff' FROM generate_series(1, 31250) i;
            INSERT INTO huge VALUES (2, 'small', decode(repeat('5c0a0d00ff', 1000000), 'hex'));
            INSERT INTO huge SELECT i, repeat('x', i), NULL FROM generate_series(3, 2000) i
            """, Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source, o => o with { TextRows = text, PartBytes = 1 << 20 });
        await workshop.VerifyAsync(backup);
        Assert.All((await workshop.ContentsAsync(backup)).Tables, t => Assert.Equal(text ? RowFormat.Text : RowFormat.Binary, t.Format));
        Assert.True(backup.RawSize > 60_000_000);
        var copy = postgres.Unique("copy");
        try
        {
            await workshop.RestoreAsync(backup, source.Server, copy);
            await Likeness.AssertAsync(source, source.Server, copy);
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task Everything_passes_as_text_too()
    {
        await using var source = await postgres.CreateEverythingAsync();
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source, o => o with { TextRows = true });
        await workshop.VerifyAsync(backup);
        var copy = postgres.Unique("copy");
        try
        {
            var result = await workshop.RestoreAsync(backup, source.Server, copy);
            Assert.Equal(ProofStatus.Proven, result.Proof);
            await Likeness.AssertRowsAsync(source, source.Server, copy);
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task Five_thousand_tables_pass_a_server_with_few_locks()
    {
        await using var source = await postgres.CreateDatabaseAsync("many");
        await ManyTables.CreateAsync(source, cancel: Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        Assert.Equal((5000, 15000L), (backup.Tables, backup.Rows));
        await workshop.VerifyAsync(backup);
        var copy = postgres.Unique("copy");
        try
        {
            var result = await workshop.RestoreAsync(backup, source.Server, copy);
            Assert.Equal(5000, result.Tables.Count(t => t.Proven));
            Assert.Equal(5000L, await source.Server.ScalarAsync<long>("SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'many'::regnamespace AND indisprimary", copy, Cancel));
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }
}
