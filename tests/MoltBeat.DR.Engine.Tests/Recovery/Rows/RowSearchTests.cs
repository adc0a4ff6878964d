using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Comparison;
using MoltBeat.DR.Engine.Recovery.Rows;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Failures;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Rows;

/// <summary>When rows disappeared, and how a backup differs from what there is.</summary>
public sealed class RowSearchTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_newest_backup_that_has_the_rows_is_found_and_the_next_one_named()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        var backups = new List<BackupInfo> { shop.Backup };
        foreach (var sql in new[] { "UPDATE app.agents SET mood = 'angry'", "DELETE FROM app.agents WHERE id = 'agent7'", "DELETE FROM app.agents WHERE id = 'agent8'", "DROP TABLE app.\"Attach ments\", app.messages, app.notes, app.agents" })
        {
            await shop.ExecuteAsync(sql);
            await Task.Delay(1100, Cancel);
            backups.Insert(0, await shop.Workshop.BackupAsync(shop.Database));
        }

        var found = await FindAsync(shop, backups, "app.agents", "id IN ('agent7', 'agent8')");
        Assert.Equal((backups[2].Name, backups[1].Name, 1L, 3), (found.Backup?.Name, found.GoneIn?.Name, found.Rows, found.Looked));
        Assert.Equal("agent8", Assert.Single(found.Samples).Single().Value);
        Assert.Equal((backups[3].Name, backups[2].Name, 2L), await FindAsync(shop, backups, "agents", "id IN ('agent7', 'agent8')", 2) is var both ? (both.Backup!.Name, both.GoneIn!.Name, both.Rows) : default);
        Assert.Equal((backups[4].Name, 40L), await FindAsync(shop, backups, "agents", "mood = 'calm'") is var calm ? (calm.Backup!.Name, calm.Rows) : default);
        var none = await FindAsync(shop, backups, "agents", "id = 'nobody'");
        Assert.Null(none.Backup);
        Assert.Equal((0L, 5), (none.Rows, none.Looked));
        Assert.Null((await FindAsync(shop, backups, "users", "id = 1")).GoneIn);
        await RowShop.RefusedAsync("TableNotFound", () => FindAsync(shop, backups, "nothing", "true"));
        await RowShop.RefusedAsync("ConditionInvalid", () => FindAsync(shop, backups, "users", "nothing = 1"));

        // A backup that cannot be read is said, and the search goes on.
        File.Delete(backups[2].Path);
        Assert.Equal([backups[2].Name], (await FindAsync(shop, backups, "agents", "id = 'agent7'")).NotReadable);
    }

    [Fact]
    public async Task A_backup_is_compared_with_the_living_database_and_with_another()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        Assert.All((await CompareAsync(shop, shop.Backup, null)).Tables, t => Assert.Equal(ComparisonStatus.Equal, t.Status));
        await shop.ExecuteAsync("""
            DELETE FROM app.agents WHERE id = 'agent7'; UPDATE app.users SET email = 'changed' || id WHERE id IN (1, 2); INSERT INTO app.users (email) VALUES ('new');
            INSERT INTO app.notes SELECT * FROM app.notes LIMIT 1; CREATE TABLE app.later (id int); ALTER TABLE app.messages ADD extra int DEFAULT 1
            """);
        await Task.Delay(1100, Cancel);
        var second = await shop.Workshop.BackupAsync(shop.Database);
        foreach (var with in new[] { null, second })
        {
            var (tables, rows) = await CompareAsync(shop, shop.Backup, with, o => o with { Detail = true });
            Assert.Equal(["app.Attach ments Different 20 0 0", "app.agents Different 1 0 0", "app.later TableExtra 0 0 0", "app.messages Different 10 0 0", "app.notes Different 4 1 0", "app.users Different 0 1 2"], tables.Select(t => $"{t.Table} {t.Status} {t.Missing} {t.Extra} {t.Changed}").Order(StringComparer.Ordinal));
            Assert.Equal("app.agents Missing id=agent7", Assert.Single(rows, r => r.Table == "app.agents").ToString());
            Assert.Equal(["app.users Changed id=1", "app.users Changed id=2", "app.users Extra id=21"], rows.Where(r => r.Table == "app.users").Select(r => r.ToString()).Order(StringComparer.Ordinal));
            Assert.Contains("extra", tables.Single(t => t.Table == "app.messages").Note, StringComparison.Ordinal);
        }

        Assert.Equal(["app.later", "app.users"], (await CompareAsync(shop, second, null, o => o with { Tables = ["users", "later"] })).Tables.Where(t => t.Status == ComparisonStatus.Equal).Select(t => t.Table).Order(StringComparer.Ordinal));
        await shop.ExecuteAsync("DROP TABLE app.later");
        Assert.Equal(ComparisonStatus.TableMissing, (await CompareAsync(shop, second, null, o => o with { Tables = ["later"] })).Tables.Single().Status);
    }

    private static Task<FoundRows> FindAsync(RowShop shop, List<BackupInfo> backups, string table, string where, long rows = 1)
        => RowSearch.RunAsync(backups.ConvertAll(b => (b, (IReadOnlyList<(IBackupStore, string)>)[(shop.Workshop.Store, b.Name)])), new RowSearchOptions { Connection = ConnectionSettings.Parse(shop.Database.Uri), Table = table, Where = where, MinimumRows = rows }, new Listener(), Cancel);

    private static async Task<(List<TableComparison> Tables, List<RowDifference> Rows)> CompareAsync(RowShop shop, BackupInfo backup, BackupInfo? with, Func<ComparisonOptions, ComparisonOptions>? change = null)
    {
        var (tables, rows) = (new List<TableComparison>(), new List<RowDifference>());
        var options = new ComparisonOptions { Connection = ConnectionSettings.Parse(shop.Database.Uri) };
        await BackupComparison.RunAsync((shop.Workshop.Store, backup.Name), with is null ? null : (shop.Workshop.Store, with.Name), change?.Invoke(options) ?? options, t =>
        {
            tables.Add(t);
            return Task.CompletedTask;
        }, r =>
        {
            rows.Add(r);
            return Task.CompletedTask;
        }, new Listener(), Cancel);
        return (tables, rows);
    }
}
