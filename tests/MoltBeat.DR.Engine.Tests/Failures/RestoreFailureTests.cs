using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Failures;

/// <summary>Whatever goes wrong while a backup is restored: the error says what, and no half database is there.</summary>
[Collection(Workbench.Name)]
public sealed class RestoreFailureTests(Workbench bench) : IDisposable
{
    private readonly FakeTools _tools = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _tools.Dispose();

    public static TheoryData<string, string> Unreachable => new()
    {
        { "postgresql://postgres@127.0.0.1:1/x", "ServerUnreachable" },
        { "postgresql://postgres:wrong@127.0.0.1:{port}/postgres", "AuthenticationFailed" },
        { "{uri}?sslmode=require", "TlsRefused" },
    };

    [Theory]
    [MemberData(nameof(Unreachable))]
    public async Task A_server_that_cannot_be_used_is_named_with_the_reason(string uri, string id)
    {
        var server = await bench.ServerAsync();
        uri = uri.Replace("{port}", $"{server.Port}", StringComparison.Ordinal).Replace("{uri}", server.Uri(), StringComparison.Ordinal);
        var e = await Assert.ThrowsAsync<MoltException>(async () => await bench.RestoreAsync(await bench.SampleAsync(), "x", o => o with { Connection = ConnectionSettings.Parse(uri) }));
        Assert.Equal(id, e.Id);
    }

    [Theory]
    [InlineData("--section=pre-data", "exit 3", "RestoreFailed")]
    [InlineData("--section=pre-data", "\"$real\" \"$@\"; exit 3", "RestoreFailed")]
    [InlineData("--section=data", "\"$real\" \"$@\"; kill -SEGV $$", "RestoreFailed")]
    [InlineData("--section=post-data", "\"$real\" \"$@\"; exit 3", "RestoreFailed")]
    [InlineData("--list", "exit 3", "ChildProgramFailed")]
    public async Task A_program_that_fails_in_any_section_fails_the_restore_and_nothing_is_left(string when, string script, string id)
    {
        _tools.Replace("pg_restore", script, when);
        var target = bench.Unique("restored");
        var e = await Assert.ThrowsAsync<MoltException>(async () => await bench.RestoreAsync(await bench.SampleAsync(), target, o => o with { ClientToolFolder = _tools.Folder }));
        Assert.Equal(id, e.Id);
        await bench.ExpectNothingLeftAsync(null, target);
    }

    [Fact]
    public async Task The_half_made_database_is_kept_when_asked_and_the_next_restore_warns_of_it()
    {
        var server = await bench.ServerAsync();
        _tools.Replace("pg_restore", "exit 3", "--section=post-data");
        var target = bench.Unique("restored");
        var listener = new Listener();
        await Assert.ThrowsAsync<MoltException>(async () => await bench.RestoreAsync(await bench.SampleAsync(), target, o => o with { ClientToolFolder = _tools.Folder, KeepFailed = true }, listener));
        var kept = await server.ScalarAsync<string>("SELECT datname FROM pg_database WHERE datname LIKE 'molt\\_restoring\\_%'", cancel: Cancel);
        Assert.Contains(listener.Warnings, w => w.Contains(kept, StringComparison.Ordinal));

        var next = new Listener();
        await bench.RestoreAsync(await bench.SampleAsync(), target, observer: next);
        Assert.Contains(next.Warnings, w => w.Contains(kept, StringComparison.Ordinal));
        await server.DropDatabaseAsync(kept, Cancel);
        await server.DropDatabaseAsync(target, Cancel);
        await bench.ExpectNothingLeftAsync();
    }

    [Fact]
    public async Task All_sessions_cut_in_the_middle_fail_the_restore_and_nothing_is_left()
    {
        await CutAsync(async server => await server.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'MoltBeat.DR restore%'", cancel: Cancel));
    }

    [Fact]
    public async Task A_server_that_stops_at_once_fails_the_restore_which_says_what_it_could_not_remove()
    {
        var server = await bench.ServerAsync();
        var target = bench.Unique("restored");
        var listener = new Listener();
        _tools.Replace("pg_restore", $"{_tools.Wait}; exec \"$real\" \"$@\"", "--section=data");
        var restore = bench.RestoreAsync(await bench.SampleAsync(), target, o => o with { ClientToolFolder = _tools.Folder }, listener);
        await _tools.UntilWaitingAsync(restore);
        await server.StopAsync(StopMode.Immediate, Cancel);
        _tools.LetGo();
        try
        {
            var e = await Assert.ThrowsAsync<MoltException>(() => restore);
            Assert.True(e.Id is "ConnectionLost" or "RestoreFailed" or "ServerUnreachable", $"{e.Id}: {e.Message}");
        }
        finally
        {
            await server.StartAgainAsync(Cancel);
        }

        var left = await server.ScalarAsync<string>("SELECT datname FROM pg_database WHERE datname LIKE 'molt\\_restoring\\_%'", cancel: Cancel);
        Assert.Contains(listener.Warnings, w => w.Contains($"DROP DATABASE \"{left}\"", StringComparison.Ordinal));
        await server.DropDatabaseAsync(left, Cancel);
        await bench.ExpectNothingLeftAsync(null, target);
    }

    [Fact]
    public async Task Rows_changed_behind_the_restores_back_fail_the_proof()
    {
        var server = await bench.ServerAsync();
        _tools.Replace("pg_restore", """
            PGAPPNAME=meddler psql -X -q -d "$PGDATABASE" -c "UPDATE app.users SET name = 'somebody else' WHERE id = 17" >&2
            exec "$real" "$@"
            """, "--section=post-data");
        var target = bench.Unique("restored");
        var e = await Assert.ThrowsAsync<MoltException>(async () => await bench.RestoreAsync(await bench.SampleAsync(), target, o => o with { ClientToolFolder = _tools.Folder }));
        Assert.Equal("ProofFailed", e.Id);
        Assert.Contains("app.users", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("notes", e.Message, StringComparison.Ordinal);
        await bench.ExpectNothingLeftAsync(null, target);

        var skipped = await bench.RestoreAsync(await bench.SampleAsync(), target, o => o with { ClientToolFolder = _tools.Folder, SkipProof = true });
        Assert.Equal(Engine.Recovery.ProofStatus.Skipped, skipped.Proof);
        Assert.All(skipped.Tables, t => Assert.False(t.Proven));
        await server.DropDatabaseAsync(target, Cancel);
    }

    [Theory]
    [InlineData("DELETE FROM public.notes WHERE id = 5", "public.notes")]
    [InlineData("INSERT INTO public.nothing VALUES (1)", "public.nothing")]
    [InlineData("DROP TABLE public.nothing", "public.nothing")]
    [InlineData("UPDATE pg_largeobject SET data = 'x' WHERE pageno = 0", "large objects")]
    public async Task Rows_lost_or_added_behind_the_restores_back_fail_the_proof(string sql, string named)
    {
        _tools.Replace("pg_restore", $"\"$real\" \"$@\" && PGOPTIONS='-c allow_system_table_mods=on' psql -X -q -d \"$PGDATABASE\" -c \"{sql}\" >&2", "--section=post-data");
        var target = bench.Unique("restored");
        var e = await Assert.ThrowsAsync<MoltException>(async () => await bench.RestoreAsync(await bench.SampleAsync(), target, o => o with { ClientToolFolder = _tools.Folder }));
        Assert.Equal("ProofFailed", e.Id);
        Assert.Contains(named, e.Message, StringComparison.Ordinal);
        await bench.ExpectNothingLeftAsync(null, target);
    }

    [Fact]
    public async Task A_part_changed_with_all_its_hashes_but_the_digest_is_found_by_test_and_restore()
    {
        var editor = new ArchiveEditor(await bench.SampleAsync());
        var part = editor.Names.First(n => n.Contains("users", StringComparison.Ordinal));
        var rows = ArchiveEditor.Decompress(editor[part]);
        var at = rows.AsSpan().IndexOf("user 17"u8);
        rows[at + 5] = (byte)'9';
        editor[part] = ArchiveEditor.Compress(rows);
        var forged = editor.Build();

        Assert.True((await Workbench.VerifyAsync(forged, Engine.Verification.VerificationLevel.Quick)).Passed);
        var result = await Workbench.VerifyAsync(forged);
        Assert.Contains(part, Assert.Single(result.Failed).Detail, StringComparison.Ordinal);
        var target = bench.Unique("restored");
        var e = await Assert.ThrowsAsync<MoltException>(() => bench.RestoreAsync(forged, target));
        Assert.Equal("ProofFailed", e.Id);
        Assert.Contains("app.users", e.Message, StringComparison.Ordinal);
        await bench.ExpectNothingLeftAsync(null, target);
    }

    [Fact]
    public async Task Roles_that_were_made_go_with_a_restore_that_fails()
    {
        var server = await bench.ServerAsync();
        await server.ExecuteAsync("CREATE ROLE passing_by LOGIN PASSWORD 'x'", cancel: Cancel);
        var folder = Directory.CreateTempSubdirectory("molt-roles-").FullName;
        await using var database = await bench.CreateSampleDatabaseAsync("GRANT SELECT ON app.users TO passing_by; GRANT USAGE ON SCHEMA app TO passing_by;");
        var archive = await File.ReadAllBytesAsync((await Workbench.BackUpAsync(database, folder)).Path, Cancel);
        Directory.Delete(folder, recursive: true);
        await database.ExecuteAsync("DROP OWNED BY passing_by; DROP ROLE passing_by", Cancel);

        var target = bench.Unique("restored");
        Assert.Equal("RolesMissing", (await Assert.ThrowsAsync<MoltException>(() => bench.RestoreAsync(archive, target))).Id);
        _tools.Replace("pg_restore", "\"$real\" \"$@\"; exit 3", "--section=post-data");
        Assert.Equal("RestoreFailed", (await Assert.ThrowsAsync<MoltException>(() => bench.RestoreAsync(archive, target, o => o with { CreateRoles = true, ClientToolFolder = _tools.Folder }))).Id);
        Assert.Equal(0, await server.ScalarAsync<long>("SELECT count(*) FROM pg_roles WHERE rolname = 'passing_by'", cancel: Cancel));
        await bench.ExpectNothingLeftAsync(null, target);

        Assert.Equal(["passing_by"], (await bench.RestoreAsync(archive, target, o => o with { CreateRoles = true })).RolesCreated);
        await server.DropDatabaseAsync(target, Cancel);
        await server.ExecuteAsync("DROP ROLE passing_by", cancel: Cancel);
    }

    [Fact]
    public async Task A_name_that_is_taken_meanwhile_is_left_alone_even_when_the_database_was_a_template()
    {
        var server = await bench.ServerAsync();
        var editor = new ArchiveEditor(await bench.SampleAsync());
        var contents = editor.ReadContents();
        contents["database"]!["isTemplate"] = true;
        editor.WriteContents(contents);
        _tools.Replace("pg_restore", $"{_tools.Wait}; exec \"$real\" \"$@\"", "--section=post-data");
        var target = bench.Unique("restored");
        var restore = bench.RestoreAsync(editor.Build(), target, o => o with { ClientToolFolder = _tools.Folder });
        await _tools.UntilWaitingAsync(restore);
        await using (var taken = await server.CreateDatabaseAsync(target, cancel: Cancel))
        {
            await taken.ExecuteAsync("CREATE TABLE precious (x int)", Cancel);
            _tools.LetGo();
            Assert.Equal("TargetNotEmpty", (await Assert.ThrowsAsync<MoltException>(() => restore)).Id);
            Assert.Equal(0, await taken.ScalarAsync<long>("SELECT count(*) FROM precious", Cancel));
        }

        await bench.ExpectNothingLeftAsync(null, target);
    }

    [Fact]
    public async Task An_empty_target_is_replaced_by_a_restore_that_works_and_kept_by_one_that_fails()
    {
        var server = await bench.ServerAsync();
        await using var target = await server.CreateDatabaseAsync(bench.Unique("restored"), cancel: Cancel);
        _tools.Replace("pg_restore", "exit 3", "--section=post-data");
        await Assert.ThrowsAsync<MoltException>(async () => await bench.RestoreAsync(await bench.SampleAsync(), target.Name, o => o with { ClientToolFolder = _tools.Folder }));
        Assert.Equal(0, await target.ScalarAsync<long>("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace", Cancel));
        await bench.ExpectNothingLeftAsync();

        await bench.RestoreAsync(await bench.SampleAsync(), target.Name);
        Assert.Equal(400, await target.ScalarAsync<long>("SELECT count(*) FROM app.users", Cancel));
        await bench.ExpectNothingLeftAsync();
    }

    private async Task CutAsync(Func<PostgresServer, Task> cut)
    {
        var server = await bench.ServerAsync();
        var target = bench.Unique("restored");
        _tools.Replace("pg_restore", $"{_tools.Wait}; exec \"$real\" \"$@\"", "--section=data");
        var restore = bench.RestoreAsync(await bench.SampleAsync(), target, o => o with { ClientToolFolder = _tools.Folder });
        await _tools.UntilWaitingAsync(restore);
        await cut(server);
        _tools.LetGo();
        var e = await Assert.ThrowsAsync<MoltException>(() => restore);
        Assert.True(e.Id is "ConnectionLost" or "RestoreFailed", $"{e.Id}: {e.Message}");
        await bench.ExpectNothingLeftAsync(null, target);
    }
}
