using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.DR.Engine.Tests.Storage;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Replacement;

/// <summary>A server's disk that does not hold a second database.</summary>
[Collection(ReplaceBench.Name)]
public sealed class ReplaceDiskTests(ReplaceBench bench)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_small_disk_is_seen_and_one_that_fills_up_leaves_production_as_it_was()
    {
        await using var disk = await SmallDisk.MountAsync(30 << 20, Cancel);
        await Tool.RunAsync("chown", ["postgres", disk.Folder], cancel: Cancel);
        var server = await bench.ServerAsync();
        var space = bench.Unique("small");
        await server.ExecuteAsync($"CREATE TABLESPACE {space} LOCATION '{disk.Folder}'", cancel: Cancel);
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop, more: "CREATE TABLE big AS SELECT i, repeat(md5(i::text), 20) v FROM generate_series(1, 15000) i");
        await server.ExecuteAsync($"ALTER DATABASE {database.Name} SET TABLESPACE {space}", cancel: Cancel);

        var readiness = await ReplaceBench.TestAsync(workshop, database.Uri, backup, database.Name);
        var check = Assert.Single(readiness.Failed);
        Assert.Equal(("Disk", "DiskTooSmall"), (check.Name, check.ErrorId));
        Assert.Contains(disk.Folder, check.Message, StringComparison.Ordinal);
        await Workshop.RefusedAsync("DiskTooSmall", () => ReplaceBench.ReplaceAsync(workshop, database, backup));

        var e = await Assert.ThrowsAsync<MoltException>(() => ReplaceBench.ReplaceAsync(workshop, database, backup, o => o with { IgnoreDiskSpace = true }));
        Assert.Contains("No space left on device", e.Message, StringComparison.Ordinal);
        Assert.Equal("live", await ReplaceBench.StateAsync(server, database.Name));
        Assert.Empty(await ReplaceBench.PreviousAsync(database.Uri));
        Assert.Equal(0, await server.ScalarAsync<long>("SELECT count(*) FROM pg_database WHERE datname LIKE 'molt\\_restoring\\_%'", cancel: Cancel));
        await ReplaceBench.CleanAsync(database);
        await Workbench.EventuallyAsync("tablespace", async () =>
        {
            try
            {
                await server.ExecuteAsync($"DROP TABLESPACE {space}", cancel: Cancel);
                return "";
            }
            catch (Npgsql.PostgresException refused)
            {
                return refused.MessageText;
            }
        });
    }
}
