using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery;

/// <summary>What a restore does at the same time, and with how much of the server.</summary>
public sealed class LoadScheduleTests
{
    private const uint Classes = 1259;
    private const long Megabyte = 1 << 20;

    [Fact]
    public async Task TheDearestBuildComesFirstAndTheKeyWaitsUntilItsTableIsFree()
    {
        var posts = Table("posts", 1, Index(11, 20), Index(12, 40), Index(13, 10, "gin"));
        var schedule = new LoadSchedule([posts], [Entry(11, "CONSTRAINT"), Entry(12, "INDEX"), Entry(13, "INDEX")], 2);

        var load = await NextAsync(schedule);
        Assert.Null(load.Entry);
        schedule.Done(load);
        var first = await NextAsync(schedule);
        var second = await NextAsync(schedule);
        Assert.Equal([13u, 12u], [first.Entry!.Oid, second.Entry!.Oid]);

        var key = schedule.NextAsync(TestContext.Current.CancellationToken);
        schedule.Done(second);
        Assert.False(key.IsCompleted, "a key was to be added to a table in which an index is being built");
        schedule.Done(first);
        Assert.Equal(11u, (await key)!.Entry!.Oid);
        Assert.Null(await schedule.NextAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task AServersHelpersAreForWorkersWithNothingElseToDo()
    {
        var one = Table("one", 1, Index(11, 50));
        var two = Table("two", 2, Index(21, 40));
        var schedule = new LoadSchedule([one, two], [Entry(11, "INDEX"), Entry(21, "INDEX")], 4);

        schedule.Done(await NextAsync(schedule));
        var early = await NextAsync(schedule);
        Assert.Equal((11u, 1), (early.Entry!.Oid, early.ParallelWorkers));
        schedule.Done(await NextAsync(schedule));
        var last = await NextAsync(schedule);
        Assert.Equal((21u, 2), (last.Entry!.Oid, last.ParallelWorkers));
    }

    [Theory]
    [InlineData(120, 64, " -c maintenance_work_mem=16384kB -c max_parallel_maintenance_workers=0")]
    [InlineData(1024, 64, " -c maintenance_work_mem=33280kB -c max_parallel_maintenance_workers=0")]
    [InlineData(10240, 64, " -c max_parallel_maintenance_workers=0")]
    [InlineData(120, 8, " -c max_parallel_maintenance_workers=0")]
    [InlineData(0, 64, " -c max_parallel_maintenance_workers=0")]
    public void ASortGetsWhatOneMergeNeedsAndNeverMoreThanTheServerGives(long indexMegabytes, long serverMegabytes, string settings)
        => Assert.Equal(settings, BuildSettings.For(new LoadStep([], [], false, null, indexMegabytes * Megabyte), serverMegabytes * Megabyte, jobs: 2));

    private static async Task<LoadStep> NextAsync(LoadSchedule schedule)
        => await schedule.NextAsync(TestContext.Current.CancellationToken) ?? throw new InvalidOperationException("There was no step.");

    private static TableObject Index(uint oid, long megabytes, string? method = null) => new(Classes, oid, megabytes * Megabyte, method);

    private static DumpEntry Entry(uint oid, string kind) => new("", Classes, oid, kind, "");

    private static TableContents Table(string name, uint oid, params TableObject[] objects)
        => new()
        {
            Schema = "public",
            Name = name,
            Oid = oid,
            Format = RowFormat.Binary,
            Columns = ["id"],
            Rows = 1,
            Digest = "",
            RawBytes = Megabyte,
            Parts = [new PartContents($"data/{name}", 1, "", Megabyte)],
            Objects = objects,
        };
}
