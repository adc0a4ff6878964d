using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>Environment files and folders as a prompt sees them, encrypted to a real key of GnuPG's.</summary>
public sealed class ExtrasCmdletTests(ServerFixture fixture) : IAsyncDisposable
{
    private const string Secret = "s3cret-of-the-file";
    private readonly HostedModule _module = new(200);
    private readonly string _app = Directory.CreateTempSubdirectory("molt-app-").FullName;
    private GnuPgHome? _keys;

    public async ValueTask DisposeAsync()
    {
        _module.Dispose();
        if (_keys is not null)
        {
            await _keys.DisposeAsync();
        }

        Directory.Delete(_app, recursive: true);
    }

    [Fact]
    public async Task A_whole_application_is_backed_up_verified_shown_and_restored_and_no_value_is_ever_seen()
    {
        var (backup, keyFile) = await BackUpAsync();
        Assert.Equal("Environment app.env (1)\nFolder uploads (3)", _module.Show("param($Path) Get-MoltBackup $Path | ForEach-Object { $_.Extras | ForEach-Object { \"$_\" } }", ("Path", backup)));
        var check = _module.Run("param($Path, $Key) (Test-MoltBackup $Path -Level Full -KeyFile $Key).Checks.Where({ $_.Name -eq 'Extras' })", ("Path", backup), ("Key", keyFile)).ThrowIfFailed();
        Assert.Equal("Passed", Assert.Single(check.Output).Text("Status"));

        const string Script = "param($Path, $Key, $To) Restore-MoltBackup $Path -KeyFile $Key -Include Folders, Environment -EnvironmentPath \"$To/env\" -FolderPath $To";
        var to = fixture.NewPath("restored");
        var whatIf = _module.Show(Script + " -WhatIf", ("Path", backup), ("Key", keyFile), ("To", to));
        Assert.Contains("Restore folder uploads, 3 files and folders", whatIf, StringComparison.Ordinal);
        Assert.Contains("Write environment file app.env, a new file: adds API_KEY, DEBUG", whatIf, StringComparison.Ordinal);
        Assert.False(Directory.Exists(to));

        var shown = _module.Show(Script + " -Confirm:$false", ("Path", backup), ("Key", keyFile), ("To", to));
        Assert.Contains("adds API_KEY, DEBUG", shown, StringComparison.Ordinal);
        Assert.Contains(Path.Combine(to, "uploads"), shown, StringComparison.Ordinal);
        Assert.Equal(await ReadAsync(_app, "app/.env"), await ReadAsync(to, "env/.env"));
        Assert.Equal("picture", await ReadAsync(to, "uploads/2026/a.png"));

        // Again, with another value there: refused as a whole, with what differs, and nothing is touched.
        await File.WriteAllTextAsync(Path.Combine(to, "env", ".env"), $"API_KEY={Secret}-of-today\nNEW=1\n", TestContext.Current.CancellationToken);
        var again = _module.Run(Script + " -Confirm:$false", ("Path", backup), ("Key", keyFile), ("To", to));
        Assert.Equal(["EnvironmentFileExists", "FolderExists"], again.Errors.Select(e => e.FullyQualifiedErrorId.Split(',')[0]).Order());
        Assert.Contains(again.Errors, e => e.Exception.Message.Contains("adds DEBUG; removes NEW; changes API_KEY", StringComparison.Ordinal));
        Assert.Empty(again.Output);

        var forced = _module.Run(Script + " -Force -Confirm:$false", ("Path", backup), ("Key", keyFile), ("To", to)).ThrowIfFailed();
        Assert.Equal(["FolderRestoreResult", "EnvironmentRestoreResult"], forced.Output.Select(o => o.BaseObject.GetType().Name));
        Assert.Equal("picture", await ReadAsync(forced.Output[0].Value<string>("Kept"), "2026/a.png"));
        Assert.Contains("NEW=1", await File.ReadAllTextAsync(forced.Output[1].Value<string>("Kept"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, whatIf + shown + string.Concat(again.Errors.Select(e => e.ToString() + e.Exception)) + string.Concat(forced.Verbose), StringComparison.Ordinal);
        Assert.Equal(-1, (await File.ReadAllBytesAsync(backup, TestContext.Current.CancellationToken)).AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(Secret)));
    }

    [Fact]
    public async Task Environment_files_without_a_recipient_are_refused_before_anything_is_made()
    {
        var backups = await fixture.BackupsAsync();
        Write("app/.env", $"API_KEY={Secret}");
        var store = fixture.NewPath("store");
        var result = _module.Run("param($Url, $Store, $File) New-MoltBackup $Url -Destination $Store -EnvironmentFile $File", ("Url", backups.Url), ("Store", store), ("File", Path.Combine(_app, "app/.env")));
        Assert.Equal("EnvironmentNeedsRecipient,MoltBeat.DR.NewMoltBackupCommand", result.Error.FullyQualifiedErrorId);
        Assert.Contains("-Recipient", result.Error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.False(Directory.Exists(store));
    }

    [Fact]
    public async Task What_the_plan_names_goes_along_with_its_databases_and_with_no_other()
    {
        var backups = await fixture.BackupsAsync();
        Write("uploads/a.txt", "x");
        Write("uploads/b.bak", "x");
        var store = fixture.NewPath("store");
        var plan = Write("plan.json", $$"""
            { "version": 1, "stores": [{ "name": "s", "location": "{{store}}" }], "databases": [{ "name": "shop", "url": "env:MOLT_TEST_URL" }],
              "folders": [{ "name": "files", "path": "{{_app}}/uploads", "exclude": ["*.bak"] }] }
            """);
        const string Script = "param($Plan, $Url) $env:MOLT_TEST_URL = $Url; try { New-MoltBackup -PlanPath $Plan; New-MoltBackup $Url -PlanPath $Plan } finally { $env:MOLT_TEST_URL = $null }";
        var server = await fixture.ServerAsync();
        await using var database = await server.CreateDatabaseAsync(fixture.Unique("planned"), cancel: TestContext.Current.CancellationToken);
        var made = _module.Run(Script.Replace("; New-MoltBackup $Url", "; [Threading.Thread]::Sleep(1100); New-MoltBackup $Url", StringComparison.Ordinal), ("Plan", plan), ("Url", database.Uri)).ThrowIfFailed().Output;
        Assert.Equal(["Folder files (2)", ""], made.Select(b => string.Join(", ", b.Value<System.Collections.IEnumerable>("Extras").Cast<object>())));
        Assert.NotEmpty(backups.Url);
    }

    [Theory]
    [InlineData("-Include Environment", "nothing says where to")]
    [InlineData("-Include Folders -EnvironmentInPlace", "does not name Environment")]
    [InlineData("-FolderPath /x", "does not name Folders")]
    [InlineData("-Include Environment -EnvironmentInPlace -EnvironmentPath /x", "cannot go both")]
    public async Task What_to_restore_and_where_to_have_to_go_together(string parameters, string says)
    {
        var backups = await fixture.BackupsAsync();
        var result = _module.Run($"param($Path) Restore-MoltBackup $Path {parameters} -Confirm:$false", ("Path", backups.Newer));
        Assert.Equal("IncludeInvalid,MoltBeat.DR.RestoreMoltBackupCommand", result.Error.FullyQualifiedErrorId);
        Assert.Contains(says, result.Error.Exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backup_without_any_says_so()
    {
        var backups = await fixture.BackupsAsync();
        var result = _module.Run("param($Path) Restore-MoltBackup $Path -Include Folders -FolderPath /nowhere -Confirm:$false", ("Path", backups.Newer));
        Assert.Equal("ExtraNotInBackup,MoltBeat.DR.RestoreMoltBackupCommand", result.Error.FullyQualifiedErrorId);
    }

    [Fact]
    public async Task When_the_database_fails_nothing_else_is_touched()
    {
        var (backup, keyFile) = await BackUpAsync();
        var to = fixture.NewPath("untouched");
        var result = _module.Run(
            "param($Path, $Key, $To, $Url) Restore-MoltBackup $Path -KeyFile $Key -Include Database, Environment, Folders -EnvironmentPath $To -FolderPath $To -DatabaseUrl $Url -TargetDatabase moltbeat -Confirm:$false",
            ("Path", backup), ("Key", keyFile), ("To", to), ("Url", (await fixture.BackupsAsync()).Url));
        Assert.Equal("TargetNotEmpty,MoltBeat.DR.RestoreMoltBackupCommand", result.Error.FullyQualifiedErrorId);
        Assert.Contains(result.Warnings, w => w.Contains("nothing else was touched", StringComparison.Ordinal));
        Assert.Empty(result.Output);
        Assert.False(Directory.Exists(to));
    }

    private async Task<(string Backup, string KeyFile)> BackUpAsync()
    {
        var backups = await fixture.BackupsAsync();
        try
        {
            _keys = GnuPgHome.Create();
        }
        catch (TestServerMissingException e) when (Environment.GetEnvironmentVariable("CI") is not "true")
        {
            Assert.Skip(e.Message);
        }

        var fingerprint = await _keys.CreateKeyAsync("Ops <ops@example.org>", "ed25519", "cv25519");
        var publicKey = await _keys.ExportAsync("ops.asc", fingerprint);
        var keyFile = await _keys.ExportSecretAsync("ops.key", "", fingerprint);
        Write("app/.env", $"API_KEY={Secret}\nDEBUG=1\n");
        Write("uploads/2026/a.png", "picture");
        Write("uploads/app.log", "noise");
        var made = _module.Run("param($Url, $Store, $Key, $App) New-MoltBackup $Url -Destination $Store -Recipient $Key -EnvironmentFile \"$App/app/.env\" -Folder \"$App/uploads\"",
            ("Url", backups.Url), ("Store", fixture.NewPath("store")), ("Key", publicKey), ("App", _app)).ThrowIfFailed();
        return (Assert.Single(made.Output).Value<string>("Path"), keyFile);
    }

    private string Write(string path, string text)
    {
        var full = Path.Combine(_app, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(full, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        return full;
    }

    private static Task<string> ReadAsync(string folder, string path) => File.ReadAllTextAsync(Path.Combine(folder, path), TestContext.Current.CancellationToken);
}
