using System.Management.Automation;
using System.Text.Json;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>What the commands leave in the audit log. Each test has a log of its own: it runs molt with the variable set.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class AuditTests(ServerFixture fixture)
{
    private readonly string _log = fixture.NewPath("audit");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_operation_is_one_line_and_looking_is_none()
    {
        var (store, other, plan) = (fixture.NewPath(), fixture.NewPath(), Path.Combine(fixture.NewPath(), "plan.json"));
        var target = fixture.Unique("audited_copy");
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("audited"));
        var lines = await RunAsync($$"""
            $ErrorActionPreference = 'Stop'
            $ConfirmPreference = 'None'
            $b = New-MoltBackup '{{Quote(database.Uri)}}' -Path '{{store}}'
            $null = Get-MoltBackup '{{store}}'
            $null = New-MoltBackup '{{Quote(database.Uri)}}' -Path '{{store}}' -WhatIf
            $null = $b | Test-MoltBackup -Level Full
            $null = $b | Copy-MoltBackup -Destination '{{other}}'
            $null = $b | Set-MoltBackup -Pin -Reason 'before the migration'
            $null = $b | Set-MoltBackup -Unpin -Reason 'it went well'
            $null = $b | Restore-MoltBackup -DatabaseUrl '{{Quote(database.Uri)}}' -TargetDatabase {{target}}
            $null = Remove-MoltBackup -Path $b.Path -Force -Confirm:$false
            $null = Test-MoltStore '{{store}}' -Except Permissions
            $null = Test-MoltStore '{{store}}' -Repair -Except Permissions
            $null = New-MoltPlan '{{plan}}' -Destination '{{store}}'
            $null = Get-MoltPlan '{{plan}}'
            $null = Test-MoltPlan '{{plan}}'
            """);
        await (await fixture.ServerAsync()).DropDatabaseAsync(target, Cancel);
        Assert.Equal(["Backup", "Verify", "Copy", "Pin", "Unpin", "Restore", "Remove", "Sweep", "WritePlan"], lines.Select(l => Text(l, "action")));
        Assert.All(lines, l => Assert.Equal("Succeeded", Text(l, "result")));
        Assert.All(lines.Take(7), l => Assert.Equal(database.Name, Text(l, "database")));
        Assert.Single(lines.Take(7).Select(l => Text(l, "backup")).Distinct());
        Assert.Single(lines.Take(7).Select(l => Text(l, "backupId")).Distinct());
        Assert.Equal([other, target, plan], new[] { 2, 5, 8 }.Select(i => Text(lines[i], "target")));
        Assert.Equal("before the migration", Text(lines[3], "detail"));
        Assert.Equal("Full", Text(lines[1], "detail"));
        Assert.Contains("127.0.0.1", Text(lines[0], "server"), StringComparison.Ordinal);
        Assert.Equal(store, lines[0].GetProperty("stores")[0].GetString());
        Assert.Equal("0.1.0", Text(lines[0], "version"));
        Assert.Equal(lines.Count, lines.Select(l => Text(l, "correlation")).Distinct().Count());
    }

    [Fact]
    public async Task Encrypting_anew_is_a_line_that_says_to_whom_and_what_became_of_the_old_archive()
    {
        await using var home = MoltBeat.TestServers.GnuPgHome.Create();
        var key = await home.CreateKeyAsync("Audit <audit@molt.test>", "ed25519", "cv25519");
        var backups = await fixture.CopyAsync();
        var lines = await RunAsync($$"""
            $null = Protect-MoltBackup '{{backups.Shop}}' -Recipient '{{await home.ExportAsync("audit.asc", key)}}' -KeepOld -WhatIf
            $null = Protect-MoltBackup '{{backups.Shop}}' -Recipient '{{await home.ExportAsync("audit.asc", key)}}' -KeepOld -Confirm:$false
            """, expectedExit: null);
        var line = Assert.Single(lines);
        Assert.Equal(("Protect", "Succeeded", "shop", Path.GetFileName(backups.Shop)), (Text(line, "action"), Text(line, "result"), Text(line, "database"), Text(line, "backup")));
        Assert.Equal($"to {key}; old archive: Kept", Text(line, "detail"));
        Assert.Matches(@"_k[0-9a-f]{8}\.tar$", Text(line, "target")!);
    }

    [Fact]
    public async Task Every_refusal_and_failure_is_a_line_with_its_error()
    {
        var backups = await fixture.CopyAsync();
        var lines = await RunAsync($$"""
            $ErrorActionPreference = 'SilentlyContinue'
            New-MoltBackup 'postgresql://127.0.0.1:1/nothing' -Path '{{backups.Folder}}'
            try { New-MoltBackup 'postgresql://[' -Path '{{backups.Folder}}' } catch { }
            try { New-MoltBackup -Database nobody } catch { }
            try { Restore-MoltBackup '{{backups.Newer}}' -DatabaseUrl '{{Quote(backups.Url)}}' } catch { }
            Restore-MoltBackup '{{backups.Newer}}' -DatabaseUrl '{{Quote(backups.Url)}}' -TargetDatabase moltbeat -Confirm:$false
            Restore-MoltBackup '{{backups.Folder}}/none.tar' -Confirm:$false
            Restore-MoltBackup '{{backups.Folder}}/none.tar' -WhatIf
            Remove-MoltBackup '{{backups.Shop}}' -Confirm:$false
            try { Remove-MoltBackup '{{backups.Shop}}' } catch { }
            $null = Set-MoltBackup '{{backups.Newer}}' -Pin -Reason x
            Remove-MoltBackup '{{backups.Newer}}' -Confirm:$false
            """, expectedExit: null, "");
        Assert.Equal(
            [
                "Backup Failed ServerUnreachable", "Backup Refused ConnectionStringInvalid", "Backup Refused DatabaseNotPlanned", "Restore Refused CannotAsk", "Restore Refused TargetNotEmpty",
                "Restore Failed BackupNotFound", "Remove Refused LastGoodBackup", "Remove Refused CannotAsk", "Pin Succeeded ", "Remove Refused BackupPinned",
            ],
            lines.Select(l => $"{Text(l, "action")} {Text(l, "result")} {Text(l, "errorId")}"));
    }

    [Fact]
    public async Task One_pipeline_has_one_correlation_id_which_verbose_shows_and_a_verification_that_fails_is_failed()
    {
        var backups = await fixture.CopyAsync();
        TestMoltBackupTests.Damage(backups.Newer);
        var result = await MoltAsync($"Get-MoltBackup '{backups.Folder}' -Database moltbeat | Test-MoltBackup | Copy-MoltBackup -Destination '{fixture.NewPath()}' -Verbose -ErrorAction SilentlyContinue; Test-MoltBackup '{backups.Shop}'");
        var lines = Lines();
        var (verified, copied) = (lines.Where(l => Text(l, "action") == "Verify").ToList(), lines.Where(l => Text(l, "action") == "Copy").ToList());
        Assert.Equal((3, 2), (verified.Count, copied.Count));
        Assert.Single(verified.Take(2).Concat(copied).Select(l => Text(l, "correlation")).Distinct());
        Assert.NotEqual(Text(verified[0], "correlation"), Text(verified[2], "correlation"));
        Assert.Contains($"correlation id {Text(copied[0], "correlation")}", result.Error, StringComparison.Ordinal);
        Assert.Equal(["Failed VerificationFailed", "Succeeded ", "Succeeded "], verified.Select(l => $"{Text(l, "result")} {Text(l, "errorId")}"));
    }

    [Fact]
    public async Task Ctrl_C_and_a_declined_question_are_lines()
    {
        // In this process, hence in the log that all of its tests share.
        using var module = new HostedModule();
        var backups = await fixture.CopyAsync();
        var declined = module.Answer("N").Run("param($Path) Remove-MoltBackup $Path", ("Path", backups.Newer)).ThrowIfFailed();
        Assert.Empty(declined.Output);
        Assert.True(File.Exists(backups.Newer));

        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("stopped_audited"));
        await database.ExecuteAsync("CREATE TABLE large AS SELECT i, md5(i::text) || md5((-i)::text) AS a FROM generate_series(1, 300000) i", Cancel);
        var folder = fixture.NewPath();
        using var powerShell = module.Create("param($Url, $Path) New-MoltBackup $Url -Path $Path -CompressionLevel 19 -Jobs 1", ("Url", database.Uri), ("Path", folder));
        var running = powerShell.InvokeAsync();
        while (!running.IsCompleted && !(Directory.Exists(folder) && Directory.GetFiles(folder, "*.partial").Length > 0))
        {
            await Task.Delay(20, Cancel);
        }

        await powerShell.StopAsync(null, null);
        await Assert.ThrowsAsync<PipelineStoppedException>(() => running);
        var records = module.Run("param($Folder, $Database) Get-MoltAudit -Cmdlet Remove-* | Where-Object { $_.Stores -contains $Folder }; Get-MoltAudit -Database $Database", ("Folder", backups.Folder), ("Database", database.Name)).ThrowIfFailed().Output;
        Assert.Equal(["Remove Refused Declined", "Backup Stopped "], records.Select(r => $"{r.Text("Action")} {r.Text("Result")} {r.Properties["ErrorId"].Value}"));
    }

    [Fact]
    public async Task Without_a_log_backups_go_on_with_an_error_and_what_takes_away_is_refused()
    {
        await File.WriteAllTextAsync(_log, "a file where the folder should be", Cancel);
        var backups = await fixture.CopyAsync();
        var (store, target) = (fixture.NewPath(), fixture.Unique("not_made"));
        var result = await MoltAsync($$"""
            New-MoltBackup '{{Quote(backups.Url)}}' -Path '{{store}}' -ErrorVariable e | ForEach-Object { "made $($_.Database)" }
            "$($e.Count) $($e[0].FullyQualifiedErrorId)"
            Restore-MoltBackup '{{backups.Newer}}' -DatabaseUrl '{{Quote(backups.Url)}}' -TargetDatabase {{target}} -Confirm:$false -ErrorVariable e
            "$($e.Count) $($e[0].FullyQualifiedErrorId)"
            Remove-MoltBackup '{{backups.Newer}}' -Confirm:$false
            Remove-MoltBackup '{{backups.Newer}}' -WhatIf
            """);
        Assert.StartsWith("made moltbeat\n1 AuditNotWritable,MoltBeat.DR.NewMoltBackupCommand\n1 AuditNotWritable,MoltBeat.DR.RestoreMoltBackupCommand\n", result.Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("Nothing was done, because it could not be written down.", result.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(backups.Newer));
        Assert.Single(Directory.GetFiles(store, "*.tar"));
        Assert.Equal(0, await (await fixture.ServerAsync()).ScalarAsync<long>($"SELECT count(*) FROM pg_database WHERE datname = '{target}'", cancel: Cancel));

        var plan = fixture.NewPath("plan.json");
        await File.WriteAllTextAsync(plan, $$"""{ "version": 1, "stores": [{ "name": "s", "location": "{{store}}" }], "audit": { "required": true } }""", Cancel);
        File.SetUnixFileMode(plan, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        result = await MoltAsync($"New-MoltBackup '{Quote(backups.Url)}' -PlanPath '{plan}'");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("Nothing was done, because it could not be written down.", result.Error, StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(store, "*.tar"));
    }

    [Fact]
    public async Task The_log_can_be_filtered_and_what_is_damaged_is_an_error_of_its_line()
    {
        var backups = await fixture.CopyAsync();
        await MoltAsync($"Test-MoltBackup '{backups.Newer}'; Test-MoltBackup '{backups.Shop}'; Test-MoltBackup '{backups.Older}'; Set-MoltBackup '{backups.Older}' -Pin -Reason x; Remove-MoltBackup '{backups.Older}' -Confirm:$false");
        using var module = new HostedModule(120);
        (string, object?)[] path = [("Path", _log)];
        long[] Found(string filter) => [.. module.Run($"param($Path) Get-MoltAudit $Path {filter}", path).ThrowIfFailed().Output.Select(r => r.Value<long>("Sequence"))];
        Assert.Equal([1, 2, 3, 4, 5], Found(""));
        Assert.Equal([4, 5], Found("-Last 2"));
        Assert.Equal([2], Found("-Database sh*"));
        Assert.Equal([4], Found("-Cmdlet set-*"));
        Assert.Equal([5], Found("-Result Refused"));
        Assert.Equal([1, 2, 3, 4, 5], Found("-After 2026-01-01T00:00Z"));
        Assert.Empty(Found("-Before 2026-01-01T00:00Z"));
        Assert.Equal([3], Found($"-Correlation {Text(Lines()[2], "correlation")}"));
        Assert.True(module.Run("param($Path) Test-MoltAudit $Path", path).ThrowIfFailed().Output.Single().Value<bool>("Passed"));
        Assert.Matches(@"^Time +User +Action +Result +What\n-.*\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ \S+ +Verify +Succeeded +moltbeat_backup_", module.Show("param($Path) Get-MoltAudit $Path", path));

        var file = Path.Combine(_log, "audit.jsonl");
        var lines = await File.ReadAllLinesAsync(file, Cancel);
        lines[1] = lines[1].Replace("\"shop\"", "\"shoe\"", StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, string.Concat(lines.Select(l => l + "\n")), Cancel);
        var listed = module.Run("param($Path) Get-MoltAudit $Path", path);
        Assert.Equal(4, listed.Output.Count);
        Assert.Equal("AuditLineDamaged,MoltBeat.DR.GetMoltAuditCommand", listed.Error.FullyQualifiedErrorId);
        Assert.Contains("Line 2 of ", listed.Error.Exception.Message, StringComparison.Ordinal);
        var tested = module.Run("param($Path) Test-MoltAudit $Path", path);
        Assert.False(Assert.Single(tested.Output).Value<bool>("Passed"));
        Assert.Equal("AuditTestFailed,MoltBeat.DR.TestMoltAuditCommand", tested.Error.FullyQualifiedErrorId);
        Assert.Contains("audit.jsonl:2: ", tested.Error.Exception.Message, StringComparison.Ordinal);
        var shown = string.Join(' ', module.Show("param($Path) Test-MoltAudit $Path -ErrorAction Ignore", path).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("Changed audit.jsonl:2: line 2 of the log was changed after it was written", shown, StringComparison.Ordinal);
        Assert.Equal(1, (await MoltAsync("Test-MoltAudit")).ExitCode);
    }

    [Fact]
    public void Without_a_log_looking_for_one_is_an_error()
    {
        using var module = new HostedModule();
        Assert.Equal("AuditNotFound,MoltBeat.DR.GetMoltAuditCommand", module.Run("param($Path) Get-MoltAudit $Path", ("Path", _log)).Error.FullyQualifiedErrorId);
        Assert.Equal("AuditNotFound,MoltBeat.DR.TestMoltAuditCommand", module.Run("param($Path) Test-MoltAudit $Path", ("Path", _log)).Error.FullyQualifiedErrorId);
    }

    [Fact]
    public async Task A_copy_of_the_log_goes_where_the_plan_says_and_its_failure_is_a_warning()
    {
        var backups = await fixture.CopyAsync();
        var (store, plan) = (fixture.NewPath(), fixture.NewPath("plan.json"));
        await File.WriteAllTextAsync(plan, $$"""{ "version": 1, "stores": [{ "name": "offsite", "location": "{{store}}" }], "audit": { "store": "offsite", "syslog": "no-such-host.invalid:514" } }""", Cancel);
        File.SetUnixFileMode(plan, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var result = await MoltAsync($"$null = Test-MoltBackup '{backups.Newer}' -PlanPath '{plan}'; $null = Test-MoltBackup '{backups.Shop}' -PlanPath '{plan}'");
        Assert.Equal(0, result.ExitCode);
        Assert.Contains("could not be sent to syslog", result.Error, StringComparison.Ordinal);
        var copies = Directory.GetFiles(store, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal);
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(_log, "audit.jsonl"), Cancel), string.Concat(copies.Select(File.ReadAllText)));
    }

    private static string Quote(string text) => text.Replace("'", "''", StringComparison.Ordinal);

    private static string? Text(JsonElement line, string name) => line.TryGetProperty(name, out var value) ? value.ToString() : null;

    private Task<ProcessResult> MoltAsync(string script)
        => MoltProcess.RunWithAsync(new Dictionary<string, string?> { ["MOLTBEAT_AUDIT"] = _log }, "-NonInteractive", "-Command", script);

    private async Task<List<JsonElement>> RunAsync(string script, int? expectedExit = 0, string expectedError = "")
    {
        var result = await MoltAsync(script);
        if (expectedExit is not null)
        {
            Assert.Equal((expectedExit, expectedError), (result.ExitCode, result.Error));
        }

        return Lines();
    }

    private List<JsonElement> Lines() => File.ReadAllLines(Path.Combine(_log, "audit.jsonl")).Select(l => JsonElement.Parse(l)).ToList();
}
