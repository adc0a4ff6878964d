using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>Tables and rows that are left out on purpose.</summary>
public sealed class ExclusionTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Tables_and_rows_that_are_left_out_are_named_and_the_rest_is_restored()
    {
        await using var source = await postgres.CreateDatabaseAsync("excluding");
        await source.ExecuteAsync("""
            CREATE TABLE keep (id integer PRIMARY KEY); INSERT INTO keep SELECT generate_series(1, 10);
            CREATE TABLE "Cache" (id serial PRIMARY KEY, keep integer REFERENCES keep); INSERT INTO "Cache" (keep) VALUES (1), (2);
            CREATE TABLE log (day date, t text) PARTITION BY RANGE (day); CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (MINVALUE) TO ('2024-01-01'); CREATE TABLE log_2 PARTITION OF log DEFAULT;
            INSERT INTO log VALUES ('2020-01-01', 'old'), ('2025-01-01', 'new');
            CREATE TABLE old (day date) PARTITION BY RANGE (day); CREATE TABLE old_1 PARTITION OF old DEFAULT; INSERT INTO old VALUES ('2020-01-01');
            """, Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source, o => o with { ExcludeTables = ["public.old"], ExcludeTableData = ["Cac?e", "log"] });
        await workshop.VerifyAsync(backup);
        Assert.Equal(10, backup.Rows);
        await using (var archive = await workshop.OpenAsync(backup))
        {
            Assert.Equal(["public.old", "public.old_1"], archive.Manifest.ExcludedTables.Order());
            Assert.Equal(["public.Cache", "public.log", "public.log_1", "public.log_2"], archive.Manifest.ExcludedTableData.Order(StringComparer.Ordinal));
        }

        var copy = postgres.Unique("copy");
        try
        {
            await workshop.RestoreAsync(backup, source.Server, copy);
            Assert.Equal("Cache keep log log_1 log_2", await source.Server.ScalarAsync<string>("SELECT string_agg(relname, ' ' ORDER BY relname COLLATE \"C\") FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace", copy, Cancel));
            Assert.Equal(0L, await source.Server.ScalarAsync<long>("SELECT (SELECT count(*) FROM log) + (SELECT count(*) FROM \"Cache\")", copy, Cancel));
            Assert.Equal(10L, await source.Server.ScalarAsync<long>("SELECT count(*) FROM keep", copy, Cancel));
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Theory]
    [InlineData("referenced", "", "from_other")]
    [InlineData("", "referenced", "from_other")]
    [InlineData("part", "", "")]
    [InlineData("parent", "", "child")]
    [InlineData("seen", "", "looks")]
    [InlineData("nowhere", "", null)]
    public async Task Leaving_out_what_others_need_is_refused(string table, string data, string? named)
    {
        await using var source = await postgres.CreateDatabaseAsync("excluding");
        await source.ExecuteAsync("""
            CREATE TABLE referenced (id integer PRIMARY KEY); INSERT INTO referenced VALUES (1);
            CREATE TABLE other (id integer CONSTRAINT from_other REFERENCES referenced); INSERT INTO other VALUES (1);
            CREATE TABLE whole (id integer) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF whole DEFAULT;
            CREATE TABLE parent (id integer); CREATE TABLE child () INHERITS (parent);
            CREATE TABLE seen (id integer); CREATE VIEW looks AS SELECT * FROM seen
            """, Cancel);
        using var workshop = new Workshop();
        Task Backup() => workshop.BackupAsync(source, o => o with { ExcludeTables = table.Length > 0 ? [table] : [], ExcludeTableData = data.Length > 0 ? [data] : [] });
        if (named is "")
        {
            await Backup(); // a partition is nothing that others need
            return;
        }

        var e = await Workshop.RefusedAsync(named is null ? "TableNotFound" : "ExclusionBreaksRestore", Backup);
        Assert.Contains(named ?? table, e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(workshop.Folder));
    }

    [Fact]
    public async Task Names_beyond_ascii_can_be_left_out_in_any_encoding()
    {
        foreach (var encoding in new[] { "UTF8", "LATIN1", "SQL_ASCII", "WIN1251", "EUC_JP" })
        {
            await using var source = await postgres.CreateDatabaseAsync("excluding", new DatabaseOptions { Encoding = encoding });
            var word = encoding switch { "WIN1251" => "Ёж", "EUC_JP" => "表と", _ => "Größe" };
            await source.ExecuteAsync($"CREATE TABLE \"{word}\" (\"{word}\" text); INSERT INTO \"{word}\" VALUES ('{word}'); CREATE TABLE \"{word}2\" (\"{word}\" text); INSERT INTO \"{word}2\" VALUES ('{word}'), (NULL)", Cancel);
            using var workshop = new Workshop();
            var backup = await workshop.BackupAsync(source, o => o with { ExcludeTableData = [word] });
            await workshop.VerifyAsync(backup);
            Assert.Equal(2, backup.Rows);
            var copy = postgres.Unique("copy");
            try
            {
                var result = await workshop.RestoreAsync(backup, source.Server, copy, o => o with { Tables = [word + "2"] });
                Assert.Equal([$"public.{word}2"], result.Tables.Select(t => t.Table));
                Assert.Equal(word, await source.Server.ScalarAsync<string>($"SELECT max(\"{word}\") FROM \"{word}2\"", copy, Cancel));
            }
            finally
            {
                await source.Server.DropDatabaseAsync(copy, Cancel);
            }
        }
    }
}
