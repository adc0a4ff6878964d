using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Tests.Recovery.Replacement;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Failures;

/// <summary>
/// A whole process that replaces a database is killed with SIGKILL, at each boundary between its steps and at moments that nobody
/// has chosen: the database is the old or the new one, whole, and lets clients in, without anybody having to mend anything.
/// </summary>
[Collection(ReplaceBench.Name)]
public sealed class ReplaceProcessTests(ReplaceBench bench) : IDisposable
{
    private static readonly string s_molt = Path.Combine(
        typeof(ReplaceProcessTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "OutputRoot").Value!, "molt", "molt");

    private readonly FakeTools _tools = new();

    /// <summary>Where a replacement can be made to stop, and by what.</summary>
    public enum Boundary
    {
        /// <summary>The new database is there, and empty.</summary>
        Filling,

        /// <summary>It is proven, and has its properties: a backup of the old one keeps the swap waiting.</summary>
        Proven,

        /// <summary>The swap's transaction waits for its lock, before any session is ended.</summary>
        Locking,

        /// <summary>It has the lock, new sessions wait, and a session of the old one does not end.</summary>
        Ending,

        /// <summary>Both have their new names in a transaction that is not committed.</summary>
        Renamed,
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _tools.Dispose();

    [Theory]
    [InlineData(Boundary.Filling)]
    [InlineData(Boundary.Proven)]
    [InlineData(Boundary.Locking)]
    [InlineData(Boundary.Ending)]
    [InlineData(Boundary.Renamed)]
    public async Task A_replacement_that_is_killed_leaves_the_old_one_whole_and_open_and_the_next_one_works(Boundary boundary)
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        var server = database.Server;
        await using (var obstacle = await HinderAsync(boundary, database))
        {
            using var molt = Start(backup.Path, database.Uri);
            if (boundary == Boundary.Filling)
            {
                await _tools.UntilWaitingAsync(molt.WaitForExitAsync(Cancel));
            }
            else
            {
                await Workbench.EventuallyAsync(boundary.ToString(), async () => molt.HasExited ? Fail(molt) : await server.ScalarAsync<bool>(Reached(boundary), cancel: Cancel) ? "" : "not yet");
            }

            molt.Kill();
            await molt.WaitForExitAsync(Cancel);
        }

        _tools.LetGo();

        // Nobody mends anything here. A client that comes now waits at most until the server has noticed.
        var clock = Stopwatch.StartNew();
        Assert.Equal("live", await ReplaceBench.StateAsync(server, database.Name));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(8), $"{clock.Elapsed}");
        await ExpectOpenAsync(database);
        Assert.Empty(await ReplaceBench.PreviousAsync(database.Uri));

        var left = await server.ScalarAsync<string>("SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE datname LIKE 'molt\\_restoring\\_%'", cancel: Cancel);
        Assert.Matches("^molt_restoring_[0-9a-f]{12}$", left);
        await Workbench.EventuallyAsync("sessions", () => server.ScalarAsync<string>("SELECT coalesce(string_agg(application_name, '; '), '') FROM pg_stat_activity WHERE application_name LIKE 'MoltBeat%' OR application_name LIKE 'pg_restore%'", cancel: Cancel));
        await ReplaceBench.ReplaceAsync(workshop, database, backup);
        Assert.Contains(workshop.Warnings, w => w.Contains(left, StringComparison.Ordinal));
        Assert.Equal("backup", await ReplaceBench.StateAsync(server, database.Name));
        await ReplaceBench.UndoAsync(database.Uri);
        Assert.Equal("live", await ReplaceBench.StateAsync(server, database.Name));
        await server.DropDatabaseAsync(left, Cancel);
        await ReplaceBench.CleanAsync(database);
    }

    [Fact]
    public async Task Killed_at_any_moment_it_is_the_old_or_the_new_one_and_the_mark_agrees()
    {
        using var workshop = new Workshop();
        var (database, backup) = await bench.MakeAsync(workshop);
        var server = database.Server;
        await using var waits = await database.OpenAsync(Cancel);
        var after = 60.0;
        var seen = new List<string>();
        for (var round = 0; round < 12; round++)
        {
            using var molt = Start(backup.Path, database.Uri, ready: true);

            // From the first session of the swap on, which lives for some hundredths of a second only.
            await Workbench.EventuallyAsync("swap", async () => molt.HasExited || await server.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'MoltBeat.DR swap')", cancel: Cancel) ? "" : "not yet");
            // Later when it came too early, and earlier when too late: most rounds hit close to where the name changes hands.
            await Task.Delay(TimeSpan.FromMilliseconds(after), Cancel);
            molt.Kill();
            await molt.WaitForExitAsync(Cancel);
            await Workbench.EventuallyAsync("sessions", () => server.ScalarAsync<string>("SELECT coalesce(string_agg(application_name, '; '), '') FROM pg_stat_activity WHERE application_name LIKE 'MoltBeat%'", cancel: Cancel));
            var state = await ReplaceBench.StateAsync(server, database.Name);
            await ExpectOpenAsync(database);
            seen.Add(state);
            after *= state == "live" ? 1.6 : 0.7;
            var previous = await ReplaceBench.PreviousAsync(database.Uri);
            Assert.Equal(state == "backup" ? 1 : 0, previous.Count);
            if (state == "backup")
            {
                Assert.Equal("live", await ReplaceBench.StateAsync(server, previous[0].Name));
                var undone = await ReplaceBench.UndoAsync(database.Uri);
                await server.DropDatabaseAsync(undone.Replaced!.KeptAs, Cancel);
            }

            foreach (var left in (await server.ScalarAsync<string>("SELECT coalesce(string_agg(datname, ' '), '') FROM pg_database WHERE datname LIKE 'molt\\_restoring\\_%'", cancel: Cancel)).Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                await server.DropDatabaseAsync(left, Cancel);
            }
        }

        Assert.Equal(["backup", "live"], seen.Distinct().Order(StringComparer.Ordinal));
        await ReplaceBench.CleanAsync(database);
    }

    private static string Fail(Process molt)
    {
        Assert.Fail("It ended before it came so far: " + molt.StandardError.ReadToEnd());
        return "";
    }

    private static async Task ExpectOpenAsync(TestDatabase database)
    {
        await database.ExecuteAsync("CREATE TEMPORARY TABLE t (x int)", Cancel);
        Assert.True(await database.Server.ScalarAsync<bool>($"SELECT datallowconn AND datconnlimit = -1 FROM pg_database WHERE datname = {Sql.Literal(database.Name)}", cancel: Cancel));
    }

    private static string Reached(Boundary boundary) => boundary switch
    {
        Boundary.Proven => "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'MoltBeat.DR swap' AND query LIKE '%pg_locks%')",
        Boundary.Locking => "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'object' AND mode = 'AccessExclusiveLock' AND NOT granted AND classid = 'pg_database'::regclass)",
        Boundary.Ending => "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'object' AND mode = 'AccessExclusiveLock' AND granted AND classid = 'pg_database'::regclass)",
        _ => "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'pg_shdescription'::regclass AND NOT granted)",
    };

    /// <summary>Puts something in the way that keeps the replacement at the boundary until it is disposed.</summary>
    private async Task<IAsyncDisposable> HinderAsync(Boundary boundary, TestDatabase database)
    {
        var session = await (boundary is Boundary.Proven or Boundary.Ending ? database.OpenAsync(Cancel) : database.Server.OpenAsync(cancel: Cancel));
        async Task DoAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, session);
            await command.ExecuteNonQueryAsync(Cancel);
        }

        switch (boundary)
        {
            case Boundary.Filling:
                _tools.Replace("pg_restore", $"{_tools.Wait}; exec \"$real\" \"$@\"", "--section=data");
                break;
            case Boundary.Proven:
                await DoAsync($"SELECT pg_advisory_lock({0x6d6f6c74}, 1)");
                break;
            case Boundary.Locking:
                await DoAsync($"BEGIN; COMMENT ON DATABASE {database.Name} IS 'not yet'");
                break;
            case Boundary.Ending:
                var process = session.ProcessID.ToString(CultureInfo.InvariantCulture);
                await Tool.RunAsync("kill", ["-s", "STOP", process], cancel: Cancel);
                return new Resume(process, session);
            default:
                await DoAsync("BEGIN; LOCK TABLE pg_catalog.pg_shdescription IN SHARE MODE");
                break;
        }

        return session;
    }

    private Process Start(string path, string url, bool ready = false)
    {
        var start = new ProcessStartInfo("setsid", [s_molt, "-NoProfile", "-Command", $"Restore-MoltBackup -Path '{path}' -DatabaseUrl $env:DATABASE_URL -Replace{(ready ? "" : $" -ClientToolPath '{_tools.Folder}'")} -Force -Confirm:$false"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["DATABASE_URL"] = url },
        };
        return Process.Start(start)!;
    }

    private sealed class Resume(string process, NpgsqlConnection session) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Tool.RunAsync("kill", ["-s", "CONT", process], cancel: CancellationToken.None);
            await session.DisposeAsync();
        }
    }
}
