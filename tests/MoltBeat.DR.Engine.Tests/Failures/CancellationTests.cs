using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Verification;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Failures;

/// <summary>Ctrl+C at any moment: what comes out is the cancellation, and nothing is left anywhere.</summary>
[Collection(Workbench.Name)]
public sealed class CancellationTests(Workbench bench) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-cancel-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_backup_stopped_at_any_moment_leaves_nothing()
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        await StopAtManyMomentsAsync(30, (listener, stop) => Workbench.BackUpAsync(database, _folder, observer: listener, cancel: stop), async () =>
        {
            await bench.ExpectNothingLeftAsync(_folder);
            Assert.Empty(Directory.GetFiles(_folder));
        }, () => Directory.GetFiles(_folder).ToList().ForEach(File.Delete));
    }

    [Fact]
    public async Task A_restore_stopped_at_any_moment_leaves_nothing()
    {
        var server = await bench.ServerAsync();
        await server.ExecuteAsync("CREATE ROLE passing_through", cancel: Cancel);
        await using var database = await bench.CreateSampleDatabaseAsync("GRANT USAGE ON SCHEMA app TO passing_through;");
        var backup = await Workbench.BackUpAsync(database, _folder);
        var archive = await File.ReadAllBytesAsync(backup.Path, Cancel);
        await database.ExecuteAsync("DROP OWNED BY passing_through; DROP ROLE passing_through", Cancel);

        var target = bench.Unique("restored");
        await StopAtManyMomentsAsync<RestoreResult>(40, (listener, stop) => bench.RestoreAsync(archive, target, o => o with { CreateRoles = true }, listener, stop), async () =>
        {
            await bench.ExpectNothingLeftAsync(null, target);
            Assert.Equal(0, await server.ScalarAsync<long>("SELECT count(*) FROM pg_roles WHERE rolname = 'passing_through'", cancel: Cancel));
        }, () =>
        {
            server.DropDatabaseAsync(target, Cancel).GetAwaiter().GetResult();
            server.ExecuteAsync("DROP ROLE IF EXISTS passing_through", cancel: Cancel).GetAwaiter().GetResult();
        });
    }

    [Fact]
    public async Task A_test_stopped_at_any_moment_leaves_nothing()
    {
        var archive = await bench.SampleAsync();
        var store = new Archive.MemoryStore(archive);
        await StopAtManyMomentsAsync(20, (listener, stop) => VerificationOperation.RunAsync(store, "memory.tar", new VerificationOptions { Level = VerificationLevel.Full }, listener, stop),
            () => bench.ExpectNothingLeftAsync(), () => { });
    }

    [Fact]
    public async Task A_backup_stopped_before_it_begins_does_nothing()
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Workbench.BackUpAsync(database, _folder, cancel: new CancellationToken(canceled: true)));
        await bench.ExpectNothingLeftAsync(_folder);
    }

    /// <summary>Stops after so many calls of the observer in half of the runs, and after a random while in the other half.</summary>
    private static async Task StopAtManyMomentsAsync<T>(int runs, Func<IOperationObserver, CancellationToken, Task<T>> operation, Func<Task> expectNothing, Action undo)
    {
        // How long it takes when nobody stops it, to spread the moments over.
        var calls = 0;
        var clock = System.Diagnostics.Stopwatch.StartNew();
        await operation(new Listener(_ => calls++), Cancel);
        var whole = clock.Elapsed;
        undo();

        var random = new Random(4);
        var stopped = 0;
        for (var run = 0; run < runs; run++)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            var after = run % 2 == 0 ? random.Next(1, Math.Max(2, calls)) : int.MaxValue;
            if (run % 2 == 1)
            {
                stop.CancelAfter(whole * random.NextDouble());
            }

            try
            {
                await operation(new Listener(call => { if (call == after) { stop.Cancel(); } }), stop.Token);
                undo(); // it was done before it could be stopped
                continue;
            }
            catch (OperationCanceledException)
            {
                stopped++;
            }

            await expectNothing();
        }

        Assert.True(stopped > runs / 3, $"only {stopped} of {runs} runs were stopped");
    }
}
