using System.Management.Automation;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>Ctrl+C in the midst of the work.</summary>
public sealed class StopTests(ServerFixture fixture) : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);
    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task A_backup_that_is_stopped_leaves_no_file_no_session_and_no_lock()
    {
        var folder = fixture.NewPath();
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("stopped"));
        await database.ExecuteAsync("CREATE TABLE large AS SELECT i, md5(i::text) || md5((-i)::text) AS a FROM generate_series(1, 300000) i", Cancel);

        // The slowest compression: it takes many seconds, and is stopped as soon as its file is there.
        await StopAsync(
            "param($Url, $Path) New-MoltBackup $Url -Path $Path -CompressionLevel 19 -Jobs 1",
            () => Task.FromResult(Directory.Exists(folder) && Directory.GetFiles(folder, "*.partial").Length > 0),
            ("Url", database.Uri), ("Path", folder));

        Assert.Empty(Directory.GetFileSystemEntries(folder));
        await UntilAsync(async () => await SessionsAsync(database.Name) == 0);
        Assert.Single(_module.Run("param($Url, $Path) New-MoltBackup $Url -Path $Path", ("Url", database.Uri), ("Path", folder)).ThrowIfFailed().Output);
    }

    [Fact]
    public async Task A_restore_that_is_stopped_leaves_no_database_and_no_session()
    {
        var server = await fixture.ServerAsync();
        var folder = fixture.NewPath();
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("endless"));
        var target = fixture.Unique("endless_copy");

        // Building this index takes a minute, but in the database where it was made first.
        await database.ExecuteAsync($"""
            CREATE FUNCTION public.slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
              IF current_database() <> {Sql.Literal(database.Name)} THEN PERFORM pg_sleep(60); END IF; RETURN i; END $$;
            CREATE INDEX slowly ON users (public.slow(id));
            """, Cancel);
        var backup = _module.Run("param($Url, $Path) New-MoltBackup $Url -Path $Path", ("Url", database.Uri), ("Path", folder)).ThrowIfFailed().Output.Single();

        await StopAsync(
            "param($Path, $Url, $Target) Restore-MoltBackup $Path -DatabaseUrl $Url -TargetDatabase $Target -Confirm:$false",
            async () => await server.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%INDEX slowly%' AND wait_event = 'PgSleep'", cancel: Cancel) > 0,
            ("Path", backup.Value<string>("Path")), ("Url", database.Uri), ("Target", target));

        Assert.Equal(0, await server.ScalarAsync<long>(
            $"SELECT count(*) FROM pg_database WHERE datname = {Sql.Literal(target)} OR shobj_description(oid, 'pg_database') LIKE {Sql.Literal("%will be " + target)}", cancel: Cancel));
        Assert.Equal(0, await server.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%INDEX slowly%' AND pid <> pg_backend_pid()", cancel: Cancel));
    }

    [Fact]
    public async Task Progress_ends_with_one_record_that_takes_the_bar_away()
    {
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("progress"));
        await database.ExecuteAsync("CREATE TABLE large AS SELECT i, md5(i::text) || md5((-i)::text) AS a FROM generate_series(1, 100000) i", Cancel);
        var result = _module.Run("param($Url, $Path) New-MoltBackup $Url -Path $Path -CompressionLevel 9 -Jobs 1", ("Url", database.Uri), ("Path", fixture.NewPath())).ThrowIfFailed();
        Assert.NotEmpty(result.Progress);
        Assert.Single(result.Progress, p => p.RecordType == ProgressRecordType.Completed);
        Assert.Equal(ProgressRecordType.Completed, result.Progress[^1].RecordType);
        Assert.All(result.Progress, p => Assert.Equal($"Backing up {database.Name}", p.Activity));
        Assert.All(result.Progress, p => Assert.InRange(p.PercentComplete, -1, 100));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private async Task StopAsync(string script, Func<Task<bool>> underWay, params (string, object?)[] parameters)
    {
        using var powerShell = _module.Create(script, parameters);
        var running = powerShell.InvokeAsync();
        await UntilAsync(async () => running.IsCompleted || await underWay());
        Assert.False(running.IsCompleted, "It ended by itself.");
        await powerShell.StopAsync(null, null).WaitAsync(Limit, Cancel);
        await Assert.ThrowsAsync<PipelineStoppedException>(() => running);
        Assert.Equal(PSInvocationState.Stopped, powerShell.InvocationStateInfo.State);
        Assert.Empty(powerShell.Streams.Error);
    }

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(Limit);
        while (!await condition())
        {
            await Task.Delay(20, limit.Token);
        }
    }

    private async Task<long> SessionsAsync(string database) => await (await fixture.ServerAsync()).ScalarAsync<long>(
        $"SELECT count(*) FROM pg_stat_activity WHERE datname = {Sql.Literal(database)}", cancel: Cancel);
}
