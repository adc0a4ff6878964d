using System.Management.Automation;
using System.Text.Json;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>Invoke-MoltRecovery and Export-MoltRecoveryKit, with a plan of the test's own.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class RecoveryCmdletTests(ServerFixture fixture) : IAsyncDisposable
{
    private readonly HostedModule _module = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-recovery-").FullName;
    private TestDatabase? _database;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Plan => Path.Combine(_folder, "plan.json");

    private string Incidents => Path.Combine(_folder, "incidents");

    private string Log => Path.Combine(_folder, "hooks");

    public async ValueTask DisposeAsync()
    {
        _module.Dispose();
        if (_database is not null)
        {
            foreach (var previous in await ScalarAsync($"SELECT coalesce(string_agg(datname, ','), '') FROM pg_database WHERE datname LIKE '{_database.Name}\\_before%'") is { Length: > 0 } names ? names.Split(',') : [])
            {
                await _database.Server.DropDatabaseAsync(previous, CancellationToken.None);
            }

            await _database.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task WhatIf_prints_the_runbook_with_this_sites_own_names_and_does_nothing()
    {
        await MakeAsync("echo stop >> \"$0\"", "echo start >> \"$0\"");
        var result = Run("Invoke-MoltRecovery DatabaseCorruption -PlanPath $Plan -IncidentPath $Incidents -WhatIf").ThrowIfFailed();
        Assert.Equal(8, result.Output.Count);
        Assert.All(result.Output, s => Assert.Equal("Planned", s.Text("Status")));
        Assert.Contains(_database!.Name, result.Output[3].Value<string>("Detail"), StringComparison.Ordinal);
        Assert.Contains("moltbeat_backup_", result.Output[0].Value<string>("Detail").Replace(_database.Name, "moltbeat", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.False(Directory.Exists(Incidents));
        Assert.False(File.Exists(Log));
        using var narrow = new HostedModule(120);
        var lines = narrow.Show("param($Plan, $Incidents) Invoke-MoltRecovery DatabaseCorruption -PlanPath $Plan -IncidentPath $Incidents -WhatIf", ("Plan", Plan), ("Incidents", Incidents)).Split('\n').Where(l => l.Length > 0).ToArray();
        Assert.Matches("^Step +Name +Status +Duration +Detail$", lines[0]);
        Assert.All(lines, l => Assert.True(l.Length <= 120, l));
    }

    [Fact]
    public async Task The_name_of_the_database_is_to_be_typed()
    {
        await MakeAsync("echo stop >> \"$0\"", "echo start >> \"$0\"");
        var refused = _module.Answer("something else").Run("param($Plan, $Incidents) Invoke-MoltRecovery DatabaseCorruption -PlanPath $Plan -IncidentPath $Incidents", ("Plan", Plan), ("Incidents", Incidents));
        Assert.Equal("NotConfirmed,MoltBeat.DR.InvokeMoltRecoveryCommand", refused.Error.FullyQualifiedErrorId);
        Assert.False(Directory.Exists(Incidents));
        var stopped = _module.Answer(_database!.Name, "Y", "N").Run("param($Plan, $Incidents) Invoke-MoltRecovery DatabaseCorruption -PlanPath $Plan -IncidentPath $Incidents", ("Plan", Plan), ("Incidents", Incidents)).ThrowIfFailed();
        Assert.Equal(["Done", "Done", "Done", "Declined"], stopped.Output.Select(s => s.Text("Status")));
        Assert.Equal("damaged", await StateAsync());
    }

    // The hooks kill the process that runs them, as the kernel does when memory is short: once before the replacement, once after it.
    [Fact]
    public async Task Killed_twice_and_taken_up_again_it_comes_to_its_end_and_has_replaced_once()
    {
        const string Once = "echo {0} >> \"$0\"; if [ ! -e \"$0.{0}\" ]; then touch \"$0.{0}\"; kill -9 $PPID; fi";
        await MakeAsync(Once.Replace("{0}", "stop", StringComparison.Ordinal), Once.Replace("{0}", "start", StringComparison.Ordinal));
        var command = $"Invoke-MoltRecovery DatabaseCorruption -PlanPath '{Plan}' -IncidentPath '{Incidents}' -Force -Confirm:$false";
        Assert.Equal(137, (await RunMoltAsync(command)).ExitCode);
        Assert.Equal("damaged", await StateAsync());
        Assert.Equal(137, (await RunMoltAsync(command + " -Resume")).ExitCode);
        Assert.Equal("good", await StateAsync());
        var last = await RunMoltAsync(command + " -Resume");
        Assert.Equal((0, ""), (last.ExitCode, last.Error));
        Assert.Equal(["stop", "stop", "start", "start"], await File.ReadAllLinesAsync(Log, Cancel));
        Assert.Equal("1", await ScalarAsync($"SELECT count(*)::text FROM pg_database WHERE datname LIKE '{_database!.Name}\\_before%'"));
        Assert.Equal("good", await StateAsync());
        Assert.Contains("is recovered", await File.ReadAllTextAsync(Path.Combine(Assert.Single(Directory.GetDirectories(Incidents)), "incident.md"), Cancel), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Invoke-MoltRecovery DatabaseCorruption -PlanPath $Plan -IncidentPath $Incidents -Resume -Force -Confirm:$false", "RecoveryNothingToResume", ErrorCategory.ObjectNotFound)]
    [InlineData("Invoke-MoltRecovery DatabaseCorruption -Database nobody -PlanPath $Plan -IncidentPath $Incidents -Force -Confirm:$false", "DatabaseNotChosen", ErrorCategory.InvalidArgument)]
    [InlineData("Invoke-MoltRecovery DatabaseCorruption -BackedUpAs other -PlanPath $Plan -IncidentPath $Incidents -Force -Confirm:$false", "NoGoodBackup", ErrorCategory.ObjectNotFound)]
    public async Task What_cannot_be_done_is_an_error_with_a_remedy(string script, string id, ErrorCategory category)
    {
        await MakeAsync("echo stop >> \"$0\"", "echo start >> \"$0\"");
        var error = Run(script).Error;
        Assert.StartsWith(id + ",", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal(category, error.CategoryInfo.Category);
        Assert.NotEmpty(error.ErrorDetails.RecommendedAction);
        Assert.False(File.Exists(Log));
    }

    [Fact]
    public async Task The_kit_says_all_that_is_needed_and_no_secret()
    {
        var backup = await MakeAsync("echo stop >> \"$0\"", "echo start >> \"$0\"");
        var kit = Path.Combine(_folder, "kit");
        Assert.Empty(Run("param($Plan, $Kit) Export-MoltRecoveryKit $Kit -PlanPath $Plan -WhatIf", ("Kit", kit)).ThrowIfFailed().Output);
        Assert.False(Directory.Exists(kit));
        var result = Assert.Single(Run("param($Plan, $Kit) Export-MoltRecoveryKit $Kit -PlanPath $Plan", ("Kit", kit)).ThrowIfFailed().Output);
        Assert.Equal(2, result.Value<IReadOnlyList<string>>("Files").Count);
        var page = System.Net.WebUtility.HtmlDecode(await File.ReadAllTextAsync(Path.Combine(kit, "recovery-kit.html"), Cancel));
        foreach (var needed in new[] { Path.GetFileName(backup), Path.GetDirectoryName(backup)!, _database!.Name, "Ada <&>", "+49 1", "after 15 min", "restore.sh", "gpg --decrypt", "echo stop", "file:" + Path.Combine(_folder, "url"), "DatabaseCorruption", "the server is gone", "rows were deleted" })
        {
            Assert.Contains(needed, page, StringComparison.Ordinal);
        }

        var password = new Uri(_database.Uri).UserInfo.Split(':')[1];
        Assert.NotEmpty(password);
        Assert.All(Directory.GetFiles(kit), f => Assert.DoesNotContain(password, File.ReadAllText(f), StringComparison.Ordinal));
        Assert.All(Directory.GetFiles(kit), f => Assert.Equal("600", Convert.ToString((int)File.GetUnixFileMode(f), 8)));
        Assert.Equal("KitExists,MoltBeat.DR.ExportMoltRecoveryKitCommand", Run("param($Plan, $Kit) Export-MoltRecoveryKit $Kit -PlanPath $Plan", ("Kit", kit)).Error.FullyQualifiedErrorId);
        Run("param($Plan, $Kit) Export-MoltRecoveryKit $Kit -PlanPath $Plan -Force", ("Kit", kit)).ThrowIfFailed();
    }

    /// <returns>The backup's path.</returns>
    private async Task<string> MakeAsync(string stop, string start)
    {
        _database = await (await fixture.ServerAsync()).CreateDatabaseAsync(fixture.Unique("recover"));
        await _database.ExecuteAsync("CREATE TABLE state (v text); INSERT INTO state SELECT 'good' FROM generate_series(1, 300)");
        var store = Path.Combine(_folder, "store");
        var backup = _module.Run("param($Url, $Store) New-MoltBackup $Url -Path $Store", ("Url", _database.Uri), ("Store", store)).ThrowIfFailed().Output.Single().Value<string>("Path");
        await _database.ExecuteAsync("UPDATE state SET v = 'damaged'");
        var url = Path.Combine(_folder, "url");
        Write(url, _database.Uri);
        string Hook(string script) => $$"""{ "command": ["/bin/sh", "-c", {{JsonSerializer.Serialize(script)}}, {{JsonSerializer.Serialize(Log)}}] }""";
        Write(Plan, $$"""
            { "version": 1, "databases": [{ "name": "main", "url": {{JsonSerializer.Serialize("file:" + url)}} }], "stores": [{ "name": "near", "location": {{JsonSerializer.Serialize(store)}} }],
              "hooks": { "stop": [{{Hook(stop)}}], "start": [{{Hook(start)}}] },
              "contacts": [{ "role": "On call", "name": "Ada <&>", "reach": "+49 1", "afterMinutes": 0 }, { "role": "Lead", "afterMinutes": 15 }] }
            """);
        return backup;
    }

    private HostedResult Run(string script, params (string Name, object? Value)[] more)
        => _module.Run(script.StartsWith("param", StringComparison.Ordinal) ? script : "param($Plan, $Incidents) " + script, script.StartsWith("param", StringComparison.Ordinal) ? [("Plan", Plan), .. more] : [("Plan", Plan), ("Incidents", Incidents)]);

    private Task<ProcessResult> RunMoltAsync(string command) => MoltProcess.RunWithAsync(new Dictionary<string, string?> { ["MOLTBEAT_AUDIT"] = Path.Combine(_folder, "audit") }, "-Command", command);

    private async Task<string> StateAsync()
    {
        await using var connection = await _database!.Server.OpenAsync(_database.Name, cancel: Cancel);
        await using var command = new Npgsql.NpgsqlCommand("SELECT string_agg(DISTINCT v, ',') FROM state", connection);
        return (string)(await command.ExecuteScalarAsync(Cancel))!;
    }

    private async Task<string> ScalarAsync(string sql)
    {
        await using var connection = await _database!.Server.OpenAsync("postgres");
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    private static void Write(string path, string text)
    {
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }
}
