using System.Globalization;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.DR.Engine.Tests.Postgres;
using MoltBeat.DR.Engine.Tests.Storage;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Failures;

/// <summary>Whatever goes wrong while a backup is made: the error says what, and no half backup is there.</summary>
[Collection(Workbench.Name)]
public sealed class BackupFailureTests(Workbench bench) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-backups-").FullName;
    private readonly FakeTools _tools = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _tools.Dispose();
    }

    public static TheoryData<string, string> Unreachable => new()
    {
        { "postgresql://postgres@127.0.0.1:1/x", "ServerUnreachable" },
        { "postgresql://postgres:wrong@127.0.0.1:{port}/postgres", "AuthenticationFailed" },
        { "postgresql://nobody:x@127.0.0.1:{port}/postgres", "AuthenticationFailed" },
        { "{uri}?sslmode=require", "TlsRefused" },
        { "{uri}_not_there", "DatabaseNotFound" },
    };

    [Theory]
    [MemberData(nameof(Unreachable))]
    public async Task A_server_that_cannot_be_used_is_named_with_the_reason(string uri, string id)
    {
        var server = await bench.ServerAsync();
        uri = uri.Replace("{port}", server.Port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal).Replace("{uri}", server.Uri(), StringComparison.Ordinal);
        var e = await FailsAsync(o => o with { Connection = ConnectionSettings.Parse(uri) });
        Assert.Equal(id, e.Id);
        Assert.Contains("127.0.0.1", e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Remedy);
    }

    [Fact]
    public async Task Missing_and_old_programs_are_named()
    {
        var empty = Directory.CreateDirectory(Path.Combine(_tools.Folder, "empty")).FullName;
        Assert.Equal("ClientToolsMissing", (await FailsAsync(o => o with { ClientToolFolder = empty })).Id);
        File.WriteAllText(Path.Combine(_tools.Folder, "pg_dump"), "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n");
        var e = await FailsAsync(o => o with { ClientToolFolder = _tools.Folder });
        Assert.Equal("ClientToolsTooOld", e.Id);
        Assert.Contains("9.6.24", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pg_dump", "\"$real\" \"$@\" && echo 'disk on fire' >&2; exit 3", "exit code 3")]
    [InlineData("pg_dump", "\"$real\" \"$@\"; kill -SEGV $$", "signal 11")]
    [InlineData("pg_dump", "exit 1", "said nothing")]
    [InlineData("pg_dumpall", "\"$real\" \"$@\"; exit 4", "exit code 4")]
    [InlineData("pg_dumpall", "kill -KILL $$", "signal 9")]
    public async Task A_program_that_fails_however_late_fails_the_backup(string tool, string script, string said)
    {
        _tools.Replace(tool, script);
        var e = await FailsAsync(o => o with { ClientToolFolder = _tools.Folder });
        Assert.Equal("ChildProgramFailed", e.Id);
        Assert.Contains(said, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(3000)]
    [InlineData(-500)]
    [InlineData(-1)] // from the end: behind the list of contents, within the large objects
    [InlineData(-8)]
    [InlineData(-60)]
    public async Task A_dump_cut_short_by_a_program_that_says_all_is_well_is_found_by_a_full_test(int length)
    {
        _tools.Replace("pg_dump", $"\"$real\" \"$@\" | head -c {length}; exit 0");
        await using var database = await bench.CreateSampleDatabaseAsync();
        var backup = await Workbench.BackUpAsync(database, _folder, o => o with { ClientToolFolder = _tools.Folder });
        var result = await Workbench.VerifyAsync(await File.ReadAllBytesAsync(backup.Path, Cancel));
        Assert.Contains(result.Failed, c => c.Name == "Dump");
    }

    [Fact]
    public async Task The_leading_session_cut_while_others_still_read_fails_the_backup()
    {
        await CutAsync(async (server, _) => await server.ExecuteAsync("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'", cancel: Cancel), "ConnectionLost");
    }

    [Fact]
    public async Task A_reader_cut_in_the_middle_fails_the_backup()
    {
        await CutAsync(async (server, _) =>
        {
            // A reader comes a moment after pg_dump.
            while (await server.ScalarAsync<long>("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'MoltBeat.DR backup reader'", cancel: Cancel) == 0)
            {
                await Task.Delay(50, Cancel);
            }
        }, "ConnectionLost");
    }

    [Fact]
    public async Task The_session_of_pg_dump_cut_in_the_middle_fails_the_backup()
    {
        // More large objects than a pipe holds, so that pg_dump is still at it.
        await using var database = await bench.CreateSampleDatabaseAsync("SELECT lo_from_bytea(0, (SELECT string_agg(sha512(i::text::bytea), '') FROM generate_series(1, 60000) i));");
        var server = await bench.ServerAsync();
        _tools.Replace("pg_dump", $"\"$real\" \"$@\" | {{ head -c 100; {_tools.Wait}; cat; }}");
        var backup = Workbench.BackUpAsync(database, _folder, o => o with { ClientToolFolder = _tools.Folder });
        await _tools.UntilWaitingAsync(backup);
        Assert.Equal(1, await server.ScalarAsync<long>("""
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity a
            WHERE application_name = 'MoltBeat.DR backup' AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory')
            """, cancel: Cancel));
        _tools.LetGo();
        var e = await Assert.ThrowsAsync<MoltException>(() => backup);
        Assert.Equal("ChildProgramFailed", e.Id);
        Assert.Contains("terminating connection", e.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder));
        await bench.ExpectNothingLeftAsync(_folder);
    }

    [Fact]
    public async Task A_server_that_stops_at_once_fails_the_backup()
    {
        await CutAsync(async (server, _) => await server.StopAsync(StopMode.Immediate, Cancel), null, async server => await server.StartAgainAsync(Cancel));
    }

    [Fact]
    public async Task A_full_disk_fails_the_backup_and_the_next_one_works()
    {
        await using var disk = await SmallDisk.MountAsync(1 << 20, Cancel);
        await using var database = await bench.CreateSampleDatabaseAsync("""
            CREATE TABLE big AS SELECT i, (SELECT string_agg(sha512((i * 1000 + k)::text::bytea), '') FROM generate_series(1, 50) k) FROM generate_series(1, 1500) i;
            """);
        var e = await Assert.ThrowsAsync<MoltException>(() => Workbench.BackUpAsync(database, disk.Folder));
        Assert.Equal(("StoreFull", ErrorKind.ResourceFull), (e.Id, e.Kind));
        Assert.Empty(Directory.GetFileSystemEntries(disk.Folder));
        await bench.ExpectNothingLeftAsync(disk.Folder);
        await Workbench.BackUpAsync(database, disk.Folder, o => o with { ExcludeTableData = ["big"] });
    }

    [Fact]
    public async Task A_folder_that_cannot_be_written_is_named()
    {
        await using var disk = await SmallDisk.MountAsync(1 << 20, Cancel);
        await Tool.RunAsync("mount", ["-o", "remount,ro", disk.Folder], cancel: Cancel);
        await using var database = await bench.CreateSampleDatabaseAsync();
        foreach (var folder in new[] { disk.Folder, Path.Combine(disk.Folder, "below") })
        {
            var e = await Assert.ThrowsAsync<MoltException>(() => Workbench.BackUpAsync(database, folder));
            Assert.Equal(("StoreNotWritable", ErrorKind.PermissionDenied), (e.Id, e.Kind));
            Assert.Contains(folder, e.Message, StringComparison.Ordinal);
        }

        await bench.ExpectNothingLeftAsync();
    }

    [Fact]
    public async Task A_clock_gone_backwards_is_told_and_the_backup_made()
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        var editor = new ArchiveEditor(await bench.SampleAsync());
        editor.Manifest["database"] = database.Name;
        editor.Manifest["created"] = "2099-01-01T00:00:00+00:00";
        await File.WriteAllBytesAsync(Path.Combine(_folder, "future.tar"), editor.Build(), Cancel);

        var problems = new List<MoltException>();
        var backup = await Workbench.BackUpAsync(database, _folder, onProblem: problems.Add);
        Assert.Equal("ClockBackwards", Assert.Single(problems).Id);
        Assert.Contains("future.tar", problems[0].Message, StringComparison.Ordinal);
        Assert.True(File.Exists(backup.Path));

        // A future backup of another database is none of this one's business.
        await using var other = await bench.CreateSampleDatabaseAsync();
        problems.Clear();
        await Workbench.BackUpAsync(other, _folder, onProblem: problems.Add);
        Assert.Empty(problems);
    }

    [Fact]
    public async Task A_backup_in_a_second_that_has_one_already_overwrites_nothing()
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        for (var second = 0; second < 60; second++)
        {
            var name = $"{database.Name}_backup_{DateTime.UtcNow.AddSeconds(second).ToString("yyyyMMdd_HHmmss", CultureInfo.InvariantCulture)}.tar";
            await File.WriteAllTextAsync(Path.Combine(_folder, name), "taken", Cancel);
        }

        var e = await Assert.ThrowsAsync<MoltException>(() => Workbench.BackUpAsync(database, _folder));
        Assert.Equal("BackupExists", e.Id);
        Assert.All(Directory.GetFiles(_folder), f => Assert.Equal("taken", File.ReadAllText(f)));
        await bench.ExpectNothingLeftAsync(_folder);
    }

    [Fact]
    public async Task What_a_killed_backup_left_is_swept_by_the_next_and_told()
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        var left = Path.Combine(_folder, $"{database.Name}_backup_20200101_000000.tar.partial");
        await File.WriteAllTextAsync(left, "half", Cancel);
        var listener = new Listener();
        await Workbench.BackUpAsync(database, _folder, observer: listener);
        Assert.Contains(listener.Warnings, w => w.Contains(left, StringComparison.Ordinal));
        Assert.False(File.Exists(left));
    }

    [Fact]
    public async Task Damaged_files_in_the_folder_do_not_hinder_a_backup()
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        await File.WriteAllTextAsync(Path.Combine(_folder, "foreign.tar"), "no archive", Cancel);
        await Tool.RunAsync("mkfifo", [Path.Combine(_folder, "pipe.tar")], cancel: Cancel);
        await Workbench.BackUpAsync(database, _folder).WaitAsync(TimeSpan.FromMinutes(1), Cancel);
    }

    [Fact]
    public async Task No_password_is_to_be_seen_anywhere()
    {
        const string Secret = "Zx9!geheim=%41/ü";
        var server = await bench.ServerAsync();
        await using var database = await bench.CreateSampleDatabaseAsync();
        await server.ExecuteAsync($"DROP ROLE IF EXISTS keeper; CREATE ROLE keeper SUPERUSER LOGIN PASSWORD {Sql.Literal(Secret)}", cancel: Cancel);
        string[] forms = [Secret, Uri.EscapeDataString(Secret), "geheim"];
        var uri = server.Uri(database.Name, "keeper", Secret);
        var listener = new Listener();

        // While it runs: command lines of all children, which anybody on the machine may read.
        _tools.Replace("pg_dump", $"{_tools.Wait}; exec \"$real\" --verbose \"$@\"");
        var running = Workbench.BackUpAsync(database, _folder, o => o with { Connection = ConnectionSettings.Parse(uri), ClientToolFolder = _tools.Folder }, listener);
        await _tools.UntilWaitingAsync(running);
        var commands = Directory.GetFiles("/proc", "cmdline", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, IgnoreInaccessible = true })
            .Select(f => { try { return File.ReadAllText(f); } catch (IOException) { return ""; } }).ToList();
        Assert.Contains(commands, c => c.Contains("--snapshot=", StringComparison.Ordinal));
        _tools.LetGo();
        var backup = await running;

        // What a failing program is told to say.
        _tools.Replace("pg_dump", "echo \"cannot log in with $PGPASSWORD\" >&2; exit 1");
        var failed = await Assert.ThrowsAsync<MoltException>(() => Workbench.BackUpAsync(database, Path.Combine(_folder, "x"), o => o with { Connection = ConnectionSettings.Parse(uri), ClientToolFolder = _tools.Folder }, listener));
        var refused = await Assert.ThrowsAsync<MoltException>(() => Workbench.BackUpAsync(database, _folder, o => o with { Connection = ConnectionSettings.Parse(server.Uri(database.Name, "keeper", Secret + "wrong")) }, listener));
        var missing = await Assert.ThrowsAsync<MoltException>(() => Workbench.BackUpAsync(database, _folder, o => o with { Connection = ConnectionSettings.Parse(server.Uri("not_there", "keeper", Secret)) }, listener));

        var editor = new ArchiveEditor(await File.ReadAllBytesAsync(backup.Path, Cancel));
        var shown = listener.Lines.Concat(commands)
            .Concat(new[] { failed, refused, missing }.SelectMany(e => new[] { e.ToString(), e.Remedy, e.TargetObject?.ToString() }).OfType<string>())
            .Concat(editor.Names.Where(n => !n.EndsWith(".zst", StringComparison.Ordinal)).Select(n => System.Text.Encoding.Latin1.GetString(editor[n])))
            .Append(System.Text.Encoding.UTF8.GetString(ArchiveEditor.Decompress(editor[ArchiveFormat.Globals])))
            .Append(editor.ReadContents().ToJsonString()).Append(editor.Manifest.ToJsonString()).Append(backup.Path);
        Assert.All(shown, text => Assert.All(forms, form => Assert.DoesNotContain(form, text, StringComparison.Ordinal)));
        await server.ExecuteAsync("DROP ROLE keeper", cancel: Cancel);
    }

    [Theory]
    [InlineData("uri")]
    [InlineData("credential")]
    [InlineData("PGPASSWORD")]
    [InlineData("passfile")]
    public async Task A_password_from_any_source_stays_out_of_what_failing_programs_say(string source)
    {
        var server = await bench.ServerAsync();
        await using var database = await bench.CreateSampleDatabaseAsync();
        using var around = new FakeSurroundings();
        if (source == "PGPASSWORD")
        {
            around["PGPASSWORD"] = PostgresServer.Password;
        }
        else if (source == "passfile")
        {
            around.Write(".pgpass", $"*:{server.Port}:*:*:{PostgresServer.Password.Replace(@"\", @"\\", StringComparison.Ordinal).Replace(":", @"\:", StringComparison.Ordinal)}\n");
        }

        var connection = source switch
        {
            "uri" => around.Parse(database.Uri),
            "credential" => around.Parse(server.Uri(database.Name, password: ""), PostgresServer.Superuser, PostgresServer.Password),
            _ => around.Parse(server.Uri(database.Name, password: "")),
        };
        const string Talkative = "echo \"my password is $PGPASSWORD\" >&2; exit 1";
        _tools.Replace("pg_dump", Talkative);
        _tools.Replace("pg_restore", Talkative, "--section=pre-data");
        var listener = new Listener();
        var backup = await Assert.ThrowsAsync<MoltException>(() => Workbench.BackUpAsync(database, _folder, o => o with { Connection = connection, ClientToolFolder = _tools.Folder }, listener));
        var restore = await Assert.ThrowsAsync<MoltException>(async () =>
            await bench.RestoreAsync(await bench.SampleAsync(), bench.Unique("restored"), o => o with { Connection = connection, ClientToolFolder = _tools.Folder }, listener));
        Assert.Contains("my password is ***", backup.Message, StringComparison.Ordinal);
        Assert.Contains("my password is ***", restore.Message, StringComparison.Ordinal);
        Assert.All(listener.Lines.Append(backup.ToString()).Append(restore.ToString()), text => Assert.DoesNotContain("s3cret", text, StringComparison.Ordinal));
        await bench.ExpectNothingLeftAsync(_folder);
    }

    /// <summary>Does something to the server while pg_dump is kept waiting.</summary>
    private async Task CutAsync(Func<PostgresServer, TestDatabase, Task> cut, string? id, Func<PostgresServer, Task>? mend = null)
    {
        var server = await bench.ServerAsync();
        await using var database = await bench.CreateSampleDatabaseAsync();
        // It has joined the snapshot when its first bytes come.
        _tools.Replace("pg_dump", $"\"$real\" \"$@\" | {{ head -c 100; {_tools.Wait}; cat; }}");
        var listener = new Listener();
        var backup = Workbench.BackUpAsync(database, _folder, o => o with { ClientToolFolder = _tools.Folder, Jobs = 1 }, listener);
        await _tools.UntilWaitingAsync(backup);
        try
        {
            await cut(server, database);
            _tools.LetGo();
            var e = await Assert.ThrowsAsync<MoltException>(() => backup);
            Assert.True(id is null ? e.Id is "ConnectionLost" or "ChildProgramFailed" or "ServerUnreachable" or "ServerStarting" : e.Id == id, $"{e.Id}: {e.Message}");
            Assert.Empty(Directory.GetFiles(_folder));
        }
        finally
        {
            await (mend?.Invoke(server) ?? Task.CompletedTask);
        }

        await bench.ExpectNothingLeftAsync(_folder);
        var again = await Workbench.BackUpAsync(database, _folder);
        Assert.True((await Workbench.VerifyAsync(await File.ReadAllBytesAsync(again.Path, Cancel))).Passed);
    }

    private async Task<MoltException> FailsAsync(Func<BackupOptions, BackupOptions> change)
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        var e = await Assert.ThrowsAsync<MoltException>(() => Workbench.BackUpAsync(database, _folder, change));
        Assert.Empty(Directory.GetFiles(_folder));
        await bench.ExpectNothingLeftAsync(_folder);
        return e;
    }
}
