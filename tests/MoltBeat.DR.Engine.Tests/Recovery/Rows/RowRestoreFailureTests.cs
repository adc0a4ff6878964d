using System.Diagnostics;
using System.Reflection;
using MoltBeat.DR.Engine.Recovery.Rows;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Rows;

/// <summary>Wherever a row restore ends, the database is as before or has all rows; and when it has, the undo file is there.</summary>
public sealed class RowRestoreFailureTests(PostgresFixture postgres)
{
    private static readonly string s_molt = Path.Combine(
        typeof(RowRestoreFailureTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "OutputRoot").Value!, "molt", "molt");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Steps => ["Looking at the database", "Looking through", "Counting", "Beginning the transaction", "Writing rows", "Proving rows", "Writing the undo file", "Committing"];

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task A_session_that_dies_leaves_the_database_as_it_was(string step)
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id IN ('agent1', 'agent7')");
        var lost = await shop.StateAsync();
        var error = await Assert.ThrowsAsync<MoltException>(() => shop.RestoreAsync("agents", "id IN ('agent1', 'agent7')", o => o with { IncludeDependents = true }, observer: new At(step, () =>
            shop.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'MoltBeat%' AND datname = current_database()").GetAwaiter().GetResult())));
        Assert.Equal("ConnectionLost", error.Id);
        Assert.Equal(lost, await shop.StateAsync());
        Assert.Equal([shop.Backup.Path], Directory.GetFiles(shop.Workshop.Folder));
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task One_that_is_stopped_leaves_nothing(string step)
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id = 'agent7'");
        var lost = await shop.StateAsync();
        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => RowRestoreOperation.RunAsync([(shop.Workshop.Store, shop.Backup.Name)], shop.Options("agents", "id = 'agent7'", o => o with { IncludeDependents = true }), _ => Task.FromResult(true), new At(step, stop.Cancel), stop.Token));
        Assert.Equal(lost, await shop.StateAsync());
        Assert.Equal([shop.Backup.Path], Directory.GetFiles(shop.Workshop.Folder));
    }

    [Theory]
    [MemberData(nameof(Steps))]
    [InlineData("Committed")]
    public async Task A_process_that_is_killed_leaves_the_old_state_or_the_new_one_with_its_undo_file(string step)
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        var before = await shop.StateAsync();
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id IN ('agent1', 'agent7')");
        var lost = await shop.StateAsync();
        var start = new ProcessStartInfo(s_molt, ["-Command", $"$VerbosePreference = 'Continue'; Restore-MoltRow '{shop.Backup.Path}' -Table agents -Where \"id IN ('agent1', 'agent7')\" -IncludeDependents -UndoPath '{shop.UndoFile}' -Confirm:$false"])
        { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.Environment["DATABASE_URL"] = shop.Database.Uri;
        using var molt = Process.Start(start)!;
        var seen = new TaskCompletionSource();
        void Look(object _, DataReceivedEventArgs line)
        {
            if (line.Data?.Contains(step, StringComparison.Ordinal) == true)
            {
                molt.Kill();
                seen.TrySetResult();
            }
        }

        molt.OutputDataReceived += Look;
        molt.ErrorDataReceived += Look;
        molt.BeginOutputReadLine();
        molt.BeginErrorReadLine();
        await molt.WaitForExitAsync(Cancel).WaitAsync(TimeSpan.FromMinutes(1), Cancel);
        Assert.True(seen.Task.IsCompleted, $"{step} was not seen");
        await Workbench.EventuallyAsync("sessions", () => shop.ScalarAsync<string>("SELECT coalesce(string_agg(query, '; '), '') FROM pg_stat_activity WHERE application_name LIKE 'MoltBeat%' AND datname = current_database()"));

        var after = await shop.StateAsync();
        Assert.Contains(after, new[] { before, lost });
        if (after == before)
        {
            Assert.True(File.Exists(shop.UndoFile));
            await shop.UndoAsync();
        }
        else if (File.Exists(shop.UndoFile))
        {
            await Assert.ThrowsAsync<TestServerException>(shop.UndoAsync);
        }

        Assert.Equal(lost, await shop.StateAsync());
    }

    [Fact]
    public async Task A_commit_whose_answer_is_lost_is_asked_for_again()
    {
        await using var server = await PostgresFixture.OrSkipAsync(() => PostgresServer.StartAsync(cancel: Cancel));
        await using var shop = await RowShop.OpenAsync(postgres, server: server);
        var before = await shop.StateAsync();
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id = 'agent7'");

        // The commit is done, and its answer waits for a standby that never comes.
        Task<bool>? ended = null;
        var tables = await shop.RestoreAsync("agents", "id = 'agent7'", o => o with { IncludeDependents = true }, observer: new At("Committing", () =>
        {
            server.ExecuteAsync("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", cancel: Cancel).GetAwaiter().GetResult();
            server.ScalarAsync<bool>("SELECT pg_reload_conf()", cancel: Cancel).GetAwaiter().GetResult();
            Thread.Sleep(500);
            ended = Task.Run(async () =>
            {
                while (!await server.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')", cancel: Cancel))
                    await Task.Delay(50, Cancel);
                var ended = await server.ScalarAsync<bool>("SELECT bool_and(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", cancel: Cancel);

                // Dying, it drops its temporary tables, and would wait once more.
                await server.ExecuteAsync("ALTER SYSTEM RESET synchronous_standby_names", cancel: Cancel);
                await server.ScalarAsync<bool>("SELECT pg_reload_conf()", cancel: Cancel);
                return ended;
            }, Cancel);
        }));
        Assert.True(await ended!);
        Assert.All(tables, t => Assert.True(t.IsDone));
        Assert.True(File.Exists(shop.UndoFile));
        Assert.Equal(before, await shop.StateAsync());
    }

    [Fact]
    public async Task A_role_with_the_rights_it_needs_is_enough_and_one_without_changes_nothing()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        var role = postgres.Unique("row_keeper");
        var before = await shop.StateAsync();
        await shop.ExecuteAsync($"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT USAGE ON SCHEMA app TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA app TO {role}; DELETE FROM app.agents WHERE id = 'agent7'");
        var lost = await shop.StateAsync();
        var uri = shop.Database.Server.Uri(shop.Database.Name, role, "x");
        Task<IReadOnlyList<RestoredRows>> RestoreAsync() => shop.RestoreAsync("agents", "id = 'agent7'", o => o with { IncludeDependents = true }, uri: uri);
        try
        {
            await RowShop.RefusedAsync("PermissionDenied", RestoreAsync);
            Assert.Equal(lost, await shop.StateAsync());
            await RowShop.RefusedAsync("PermissionDenied", () => shop.RestoreAsync("agents", "id = 'agent7'", o => o with { SkipTriggers = true }, uri: uri));

            // Rows that the role may not see would be taken for missing: that is refused by the server.
            await shop.ExecuteAsync($"GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA app TO {role}; GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA app TO {role}; ALTER TABLE app.messages ENABLE ROW LEVEL SECURITY");
            await RowShop.RefusedAsync("PermissionDenied", RestoreAsync);
            await shop.ExecuteAsync("ALTER TABLE app.messages DISABLE ROW LEVEL SECURITY");
            await RestoreAsync();
            Assert.Equal(before, await shop.StateAsync());
        }
        finally
        {
            await shop.ExecuteAsync($"DROP OWNED BY {role}; DROP ROLE {role}");
        }
    }

    [Fact]
    public async Task An_undo_file_that_cannot_be_written_keeps_the_rows_from_coming()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id = 'agent7'");
        var lost = await shop.StateAsync();
        await RowShop.RefusedAsync("UndoNotWritable", () => shop.RestoreAsync("agents", "true", o => o with { UndoFile = "/nowhere/undo.sql" }));
        await RowShop.RefusedAsync("UndoExists", () => shop.RestoreAsync("agents", "true", o => o with { UndoFile = shop.Backup.Path }));
        await RowShop.RefusedAsync("UndoNotWritable", () => shop.RestoreAsync("agents", "true", o => o with { UndoFile = "/proc/undo.sql" }));
        Assert.Equal(lost, await shop.StateAsync());
    }

    [Fact]
    public async Task A_damaged_part_is_noticed_before_anything_is_written()
    {
        await using var shop = await RowShop.OpenAsync(postgres);
        await shop.ExecuteAsync("DELETE FROM app.agents WHERE id = 'agent7'");
        var lost = await shop.StateAsync();
        long place;
        await using (var archive = await shop.Workshop.OpenAsync(shop.Backup))
        {
            var member = archive.Member((await archive.ReadContentsAsync(Cancel)).Tables.Single(t => t.Name == "messages").Parts[0].Member);
            place = member.Offset + member.Length / 2;
        }

        await using (var file = new FileStream(shop.Backup.Path, FileMode.Open, FileAccess.ReadWrite))
        {
            file.Position = place;
            var was = file.ReadByte();
            file.Position = place;
            file.WriteByte((byte)(was ^ 1));
        }

        await RowShop.RefusedAsync("ArchiveDamaged", () => shop.RestoreAsync("agents", "true", o => o with { IncludeDependents = true }));
        Assert.Equal(lost, await shop.StateAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Random_deletions_come_back_while_others_write(int seed)
    {
        var random = new Random(seed);
        await using var shop = await RowShop.OpenAsync(postgres);
        Task<string> TruthAsync() => shop.StateAsync("(SELECT id, email FROM app.users WHERE email NOT LIKE 'hammer%')", "(SELECT * FROM app.agents WHERE id NOT LIKE 'hammer%')", "(SELECT * FROM app.messages WHERE body NOT LIKE 'hammer%')", "app.\"Attach ments\"", "app.notes");
        var before = await TruthAsync();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 3).Select(w => Task.Run(async () =>
        {
            await using var connection = await shop.Database.OpenAsync(Cancel);
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await using var command = connection.CreateCommand();
                command.CommandText = $"""
                    INSERT INTO app.users (email) VALUES ('hammer {w} {i}'); INSERT INTO app.agents (id, user_id) SELECT 'hammer {w} {i}', id FROM app.users WHERE id <= 20 ORDER BY random() LIMIT 1;
                    INSERT INTO app.messages (agent_id, body) SELECT id, 'hammer' FROM app.agents ORDER BY random() LIMIT 1; UPDATE app.users SET seen = now() WHERE id = {i % 20 + 1}; DELETE FROM app.messages WHERE body = 'hammer' AND id % 3 = 0
                    """;
                try
                {
                    await command.ExecuteNonQueryAsync(Cancel);
                }
                catch (Npgsql.PostgresException)
                {
                    // A row it refers to was deleted meanwhile.
                }
            }
        }, Cancel)).ToList();
        try
        {
            for (var round = 0; round < 4; round++)
            {
                var agents = string.Join(", ", Enumerable.Range(0, random.Next(1, 8)).Select(_ => $"'agent{random.Next(1, 61)}'"));
                var users = string.Join(", ", Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(1, 21)));
                await LoseAsync(shop, $"DELETE FROM app.agents WHERE id IN ({agents})");
                await LoseAsync(shop, $"DELETE FROM app.messages WHERE id % {random.Next(5, 50)} = 1 AND id <= 600");
                await LoseAsync(shop, $"DELETE FROM app.users WHERE id IN ({users})");
                foreach (var (table, where) in new[] { ("users", $"id IN ({users})"), ("agents", "true"), ("messages", "true") })
                {
                    for (var attempt = 0; ; attempt++)
                    {
                        try
                        {
                            await shop.RestoreAsync(table, where, o => o with { IncludeDependents = true, UndoFile = $"{shop.UndoFile}{seed}{round}{table}{attempt}" });
                            break;
                        }
                        catch (MoltException e) when (e.Id == "RowsChanged" && attempt < 20)
                        {
                            // Somebody was faster, and it is looked at anew.
                        }
                    }
                }
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(writers);
        }

        Assert.Equal(before, await TruthAsync());
        Assert.Equal("0", await shop.ScalarAsync<string>("SELECT ((SELECT count(*) FROM app.messages m WHERE NOT EXISTS (SELECT FROM app.agents a WHERE a.id = m.agent_id)) + (SELECT count(*) FROM app.agents a WHERE NOT EXISTS (SELECT FROM app.users u WHERE u.id = a.user_id)))::text"));
    }

    /// <summary>Deletes, again when it comes across those who write.</summary>
    private static async Task LoseAsync(RowShop shop, string sql)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await shop.ExecuteAsync(sql);
                return;
            }
            catch (Npgsql.PostgresException e) when (e.SqlState == Npgsql.PostgresErrorCodes.DeadlockDetected && attempt < 20)
            {
                // One of the two had to give way.
            }
        }
    }

    private sealed class At(string step, Action act) : IOperationObserver
    {
        private int _done;

        public void Verbose(string message)
        {
            if (message.StartsWith(step, StringComparison.Ordinal) && Interlocked.Exchange(ref _done, 1) == 0)
                act();
        }

        public void Warning(string message)
        {
        }

        public void Progress(OperationProgress progress)
        {
        }
    }
}
