using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using MoltBeat.DR.Engine.Tests.Storage;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Failures;

/// <summary>What only a whole process can meet: SIGKILL, Ctrl+C, a temporary folder that is full.</summary>
[Collection(Workbench.Name)]
public sealed class WholeProcessTests(Workbench bench) : IDisposable
{
    private static readonly string s_molt = Path.Combine(
        typeof(WholeProcessTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "OutputRoot").Value!, "molt", "molt");

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(2);

    private readonly string _folder = Directory.CreateTempSubdirectory("molt-process-").FullName;
    private readonly FakeTools _tools = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _tools.Dispose();
    }

    [Fact]
    public async Task After_a_backup_that_was_killed_the_next_one_sweeps_and_works()
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        _tools.Replace("pg_dump", $"{_tools.Wait}; exec \"$real\" \"$@\"");
        using (var molt = await StartBackupAsync(database))
        {
            molt.Kill();
            await molt.WaitForExitAsync(Cancel);
        }

        _tools.LetGo();
        var left = Assert.Single(Directory.GetFiles(_folder));
        Assert.EndsWith(".tar.partial", left, StringComparison.Ordinal);

        // The server lets go of the lock when it notices that the client is gone.
        await Workbench.EventuallyAsync("locks", async () => await (await bench.ServerAsync()).ScalarAsync<string>("SELECT coalesce(string_agg(locktype, '; '), '') FROM pg_locks WHERE locktype = 'advisory'", cancel: Cancel));
        var listener = new Listener();
        var backup = await Workbench.BackUpAsync(database, _folder, observer: listener);
        Assert.Contains(listener.Warnings, w => w.Contains(left, StringComparison.Ordinal));
        Assert.Equal([backup.Path], Directory.GetFiles(_folder));
        await bench.ExpectNothingLeftAsync(_folder);
    }

    [Fact]
    public async Task After_a_restore_that_was_killed_the_next_one_names_the_database_it_left()
    {
        var server = await bench.ServerAsync();
        var target = bench.Unique("restored");
        _tools.Replace("pg_restore", $"{_tools.Wait}; exec \"$real\" \"$@\"", "--section=data");
        using (var molt = await StartRestoreAsync(target))
        {
            molt.Kill();
            await molt.WaitForExitAsync(Cancel);
        }

        _tools.LetGo();
        var left = await server.ScalarAsync<string>("SELECT datname FROM pg_database WHERE datname LIKE 'molt\\_restoring\\_%'", cancel: Cancel);
        await Workbench.EventuallyAsync("sessions", () => server.ScalarAsync<string>($"SELECT coalesce(string_agg(application_name, '; '), '') FROM pg_stat_activity WHERE datname = '{left}'", cancel: Cancel));
        var listener = new Listener();
        await bench.RestoreAsync(await bench.SampleAsync(), target, observer: listener);
        Assert.Contains(listener.Warnings, w => w.Contains(left, StringComparison.Ordinal));
        await server.DropDatabaseAsync(left, Cancel);
        await server.DropDatabaseAsync(target, Cancel);
        await bench.ExpectNothingLeftAsync();
    }

    [Fact]
    public async Task After_a_protection_that_was_killed_the_old_archive_is_whole_and_the_next_one_works()
    {
        await using var keys = GnuPgHome.Create();
        var fingerprint = await keys.CreateKeyAsync("Killed <killed@molt.test>", "ed25519", "cv25519");
        var (open, secret) = (await keys.ExportAsync("killed.asc", fingerprint), await keys.ExportSecretAsync("killed-secret.asc", "", fingerprint));
        await using var database = await bench.CreateSampleDatabaseAsync("CREATE TABLE noise AS SELECT i, sha512(i::text::bytea) AS a, sha512((-i)::text::bytea) AS b FROM generate_series(1, 300000) i;");
        var backup = await Workbench.BackUpAsync(database, _folder);
        var before = await File.ReadAllBytesAsync(backup.Path, Cancel);
        var command = $"Protect-MoltBackup '{backup.Path}' -Recipient '{open}' -KeyFile '{secret}' -Confirm:$false";
        using (var molt = Start(command, database.Uri))
        {
            // Killed while the new archive grows: some 40 MB of it.
            while (Directory.GetFiles(_folder, "*.partial") is not [var growing] || new FileInfo(growing).Length < 1 << 20)
            {
                if (molt.HasExited)
                {
                    Assert.Fail((await EndAsync(molt)).Error);
                }

                await Task.Delay(1, Cancel);
            }

            molt.Kill();
            await molt.WaitForExitAsync(Cancel);
        }

        Assert.Equal(2, Directory.GetFiles(_folder).Length);
        Assert.Equal(before, await File.ReadAllBytesAsync(backup.Path, Cancel));

        // The dead one's lease holds the old archive for an hour; what has been made is not made again.
        var states = command + " | ForEach-Object { \"$($_.Status) $($_.Old)\" }";
        using (var molt = Start(states, database.Uri))
        {
            var (exit, output, error) = await ReadAsync(molt);
            Assert.Equal((1, "Protected StillThere"), (exit, output.Trim()));
            Assert.Contains("is being read", error, StringComparison.Ordinal);
        }

        Assert.Equal(2, Directory.GetFiles(_folder, "*.tar").Length);
        Assert.Equal(before, await File.ReadAllBytesAsync(backup.Path, Cancel));
        Directory.Delete(backup.Path + ".records", recursive: true);
        using (var molt = Start(states, database.Uri))
        {
            var (exit, output, error) = await ReadAsync(molt);
            Assert.True(exit == 0, error);
            Assert.Equal("AlreadyThere Removed", output.Trim());
        }

        Assert.EndsWith(".tar", Assert.Single(Directory.GetFiles(_folder)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("INT", false, 130)]
    [InlineData("INT", true, 130)]
    [InlineData("TERM", false, 143)]
    public async Task A_backup_that_is_interrupted_ends_with_the_signals_code_and_leaves_nothing(string signal, bool wholeGroup, int code)
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        _tools.Replace("pg_dump", $"{_tools.Wait}; exec \"$real\" \"$@\"");
        using var molt = await StartBackupAsync(database);
        await InterruptAsync(molt, signal, wholeGroup, code);
        Assert.Empty(Directory.GetFiles(_folder));
        await bench.ExpectNothingLeftAsync(_folder);
    }

    [Theory]
    [InlineData("INT", false, 130)]
    [InlineData("INT", true, 130)]
    [InlineData("TERM", false, 143)]
    public async Task A_restore_that_is_interrupted_ends_with_the_signals_code_and_leaves_nothing(string signal, bool wholeGroup, int code)
    {
        var target = bench.Unique("restored");
        _tools.Replace("pg_restore", $"{_tools.Wait}; exec \"$real\" \"$@\"", "--section=data");
        using var molt = await StartRestoreAsync(target);
        await InterruptAsync(molt, signal, wholeGroup, code);
        await bench.ExpectNothingLeftAsync(null, target);
    }

    [Fact]
    public async Task A_full_temporary_folder_fails_the_restore_before_anything_is_made()
    {
        await using var disk = await SmallDisk.MountAsync(32 << 10, Cancel);
        await using var database = await bench.CreateSampleDatabaseAsync("SELECT lo_from_bytea(0, (SELECT string_agg(sha512(i::text::bytea), '') FROM generate_series(1, 3000) i));");
        var backup = await Workbench.BackUpAsync(database, _folder);
        var target = bench.Unique("restored");
        using var molt = Start($"Restore-MoltBackup -Path '{backup.Path}' -TargetDatabase {target} -Confirm:$false", (await bench.ServerAsync()).Uri(), ("TMPDIR", disk.Folder));
        var (exit, error) = await EndAsync(molt);
        Assert.Equal(1, exit);
        Assert.Contains(disk.Folder, error, StringComparison.Ordinal);
        await bench.ExpectNothingLeftAsync(null, target);
        Assert.Empty(Directory.GetFiles(disk.Folder, "molt-*"));
    }

    [Fact]
    public async Task Files_that_this_user_may_not_read_are_errors_and_the_others_are_listed()
    {
        foreach (var name in new[] { "open.tar", "closed.tar" })
        {
            await File.WriteAllBytesAsync(Path.Combine(_folder, name), await bench.SampleAsync(), Cancel);
        }

        await Tool.RunAsync("chmod", ["0755", _folder], cancel: Cancel);
        await Tool.RunAsync("chmod", ["0644", Path.Combine(_folder, "open.tar")], cancel: Cancel);
        await Tool.RunAsync("chmod", ["0000", Path.Combine(_folder, "closed.tar")], cancel: Cancel);
        using var molt = StartAsOther($"(Get-MoltBackup -Path '{_folder}').Name", "");
        var (_, output, error) = await ReadAsync(molt);
        Assert.Equal("open.tar", output.Trim());
        Assert.Contains("closed.tar", error, StringComparison.Ordinal);
        Assert.DoesNotContain("open.tar", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_that_this_user_may_not_write_is_named_and_one_open_to_others_is_warned_of()
    {
        await using var database = await bench.CreateSampleDatabaseAsync();
        var closed = Directory.CreateDirectory(Path.Combine(_folder, "closed")).FullName;
        await Tool.RunAsync("chmod", ["0755", _folder], cancel: Cancel);
        await Tool.RunAsync("chmod", ["0555", closed], cancel: Cancel);
        using (var molt = StartAsOther($"New-MoltBackup -Path '{closed}' -Confirm:$false", database.Uri))
        {
            var (exit, error) = await EndAsync(molt);
            Assert.Equal(1, exit);
            Assert.Contains($"Cannot write {closed}", error, StringComparison.Ordinal);
        }

        var wide = Directory.CreateDirectory(Path.Combine(_folder, "wide")).FullName;
        await Tool.RunAsync("chmod", ["0777", wide], cancel: Cancel);
        using (var molt = StartAsOther($"(New-MoltBackup -Path '{wide}' -Confirm:$false).Name", database.Uri))
        {
            var (exit, error) = await EndAsync(molt);
            Assert.True(exit == 0, error);
            Assert.Contains("(777)", error, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.GetFiles(closed));
        Assert.Single(Directory.GetFiles(wide));
    }

    private async Task<Process> StartBackupAsync(TestDatabase database)
    {
        var molt = Start($"New-MoltBackup -Path '{_folder}' -ClientToolPath '{_tools.Folder}' -Confirm:$false", database.Uri);
        await UntilWaitingAsync(molt);
        return molt;
    }

    private async Task<Process> StartRestoreAsync(string target)
    {
        var path = Path.Combine(_folder, "sample.tar");
        await File.WriteAllBytesAsync(path, await bench.SampleAsync(), Cancel);
        var molt = Start($"Restore-MoltBackup -Path '{path}' -TargetDatabase {target} -ClientToolPath '{_tools.Folder}' -Confirm:$false", (await bench.ServerAsync()).Uri());
        await UntilWaitingAsync(molt);
        return molt;
    }

    private async Task UntilWaitingAsync(Process molt)
    {
        try
        {
            await _tools.UntilWaitingAsync(molt.WaitForExitAsync(Cancel));
        }
        catch (Xunit.Sdk.XunitException)
        {
            Assert.Fail((await EndAsync(molt)).Error);
        }
    }

    /// <summary>In a process group of its own, as a terminal makes one, and not ignoring SIGINT as background jobs do.</summary>
    private static Process Start(string command, string url, params (string Name, string Value)[] environment) => Start([], command, url, environment);

    /// <summary>As a user to whom permissions matter.</summary>
    private static Process StartAsOther(string command, string url) =>
        Start(Environment.IsPrivilegedProcess ? ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] : [], command, url, ("HOME", "/nowhere"));

    private static Process Start(string[] prefix, string command, string url, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo("setsid", [.. prefix, "env", "--default-signal=INT", s_molt, "-NoProfile", "-Command", command])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["DATABASE_URL"] = url },
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    private static async Task InterruptAsync(Process molt, string signal, bool wholeGroup, int code)
    {
        await Tool.RunAsync("kill", ["-s", signal, "--", string.Create(CultureInfo.InvariantCulture, $"{(wholeGroup ? -molt.Id : molt.Id)}")], cancel: Cancel);
        var (exit, error) = await EndAsync(molt);
        Assert.True(exit == code, $"{exit}: {error}");
    }

    private static async Task<(int Exit, string Error)> EndAsync(Process molt)
    {
        var (exit, _, error) = await ReadAsync(molt);
        return (exit, error);
    }

    private static async Task<(int Exit, string Output, string Error)> ReadAsync(Process molt)
    {
        try
        {
            molt.StandardInput.Close();
            var output = molt.StandardOutput.ReadToEndAsync(Cancel);
            var error = molt.StandardError.ReadToEndAsync(Cancel);
            await molt.WaitForExitAsync(Cancel).WaitAsync(s_limit, Cancel);
            return (molt.ExitCode, await output, await error);
        }
        catch (TimeoutException)
        {
            molt.Kill(entireProcessTree: true);
            throw;
        }
    }
}
