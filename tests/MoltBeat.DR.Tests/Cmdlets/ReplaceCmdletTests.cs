using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>Restore-MoltBackup -Replace, and what goes with it.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class ReplaceCmdletTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new(240);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task A_live_database_is_looked_at_replaced_brought_back_and_the_other_removed()
    {
        var backups = await fixture.CopyAsync();
        var name = fixture.Unique("live");
        await using var live = await fixture.CreateMoltbeatAsync(name);
        await live.ExecuteAsync("DELETE FROM \"Odd.Name\"; DELETE FROM users", Cancel);
        (string, object?)[] with = [("Path", backups.Newer), ("Url", live.Uri), ("Name", name)];
        Task<long> UsersAsync() => live.ScalarAsync<long>("SELECT count(*) FROM users", Cancel);

        var readiness = Assert.Single(_module.Run("param($Path, $Url) Get-MoltBackup $Path | Test-MoltRestore -DatabaseUrl $Url -Replace", with[..2]).ThrowIfFailed().Output);
        Assert.True(readiness.Value<bool>("Go"));
        var shown = _module.Show("param($Path, $Url) Test-MoltRestore $Path -DatabaseUrl $Url -Replace", with[..2]);
        Assert.Contains("SchemaDrift: ", shown, StringComparison.Ordinal);
        Assert.Contains("SystemIdentifier", shown, StringComparison.Ordinal);

        const string Replace = "param($Path, $Url, $Name) Restore-MoltBackup $Path -DatabaseUrl $Url -Replace ";
        Assert.Empty(_module.Run(Replace + "-WhatIf", with).ThrowIfFailed().Output);
        Assert.Equal("NotConfirmed,MoltBeat.DR.RestoreMoltBackupCommand", _module.Answer("yes").Run(Replace, with).Error.FullyQualifiedErrorId);
        Assert.Equal("CannotAsk,MoltBeat.DR.RestoreMoltBackupCommand", _module.Run(Replace + "-Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Equal("ReplaceInvalid,MoltBeat.DR.RestoreMoltBackupCommand", _module.Run(Replace + "-TargetDatabase other -Force -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Equal("ReplaceInvalid,MoltBeat.DR.RestoreMoltBackupCommand", _module.Run(Replace + "-SkipProof -Force -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Equal("IncludeInvalid,MoltBeat.DR.RestoreMoltBackupCommand", _module.Run(Replace + "-Include Folders -FolderPath /tmp -Force -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Equal(0, await UsersAsync());

        var done = Assert.Single(_module.Answer(name, "Y").Run(Replace, with).ThrowIfFailed().Output);
        Assert.StartsWith($"{name}_before_", done.Text("Replaced"), StringComparison.Ordinal);
        Assert.Equal(1200, await UsersAsync());

        Assert.Empty(_module.Run("param($Url) Undo-MoltRestore $Url -WhatIf", with[1]).ThrowIfFailed().Output);
        Assert.Equal("CannotAsk,MoltBeat.DR.UndoMoltRestoreCommand", _module.Run("param($Url) Undo-MoltRestore $Url", with[1]).Error.FullyQualifiedErrorId);
        Assert.Equal(1200, await UsersAsync());
        var undone = Assert.Single(_module.Run("param($Url) Undo-MoltRestore -DatabaseUrl $Url -Confirm:$false", with[1]).ThrowIfFailed().Output);
        Assert.StartsWith($"{name}_before_", undone.Value<string>("BroughtBack"), StringComparison.Ordinal);
        Assert.Equal(0, await UsersAsync());

        Assert.Empty(_module.Run("param($Url) Remove-MoltPreviousDatabase $Url -WhatIf", with[1]).ThrowIfFailed().Output);
        Assert.Empty(_module.Run("param($Url) Remove-MoltPreviousDatabase $Url -OlderThan 1.00:00:00 -Confirm:$false", with[1]).ThrowIfFailed().Output);
        Assert.Single(_module.Run("param($Url) Remove-MoltPreviousDatabase $Url -Confirm:$false", with[1]).ThrowIfFailed().Output);
        Assert.Equal("NothingToUndo,MoltBeat.DR.UndoMoltRestoreCommand", _module.Run("param($Url) Undo-MoltRestore $Url -Confirm:$false", with[1]).Error.FullyQualifiedErrorId);
        Assert.Equal(0, await (await fixture.ServerAsync()).ScalarAsync<long>($"SELECT count(*) FROM pg_database WHERE datname LIKE '{name}\\_before%'", cancel: Cancel));
    }

    [Fact]
    public async Task A_production_database_is_undone_only_when_its_name_is_typed()
    {
        var backups = await fixture.CopyAsync();
        var name = fixture.Unique("production");
        await using var live = await fixture.CreateMoltbeatAsync(name);
        var plan = fixture.NewPath("plan.json");
        await File.WriteAllTextAsync(plan, $$"""{ "version": 1, "databases": [{ "name": "main", "url": "env:REPLACED_URL", "production": true }] }""", Cancel);
        File.SetUnixFileMode(plan, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (string, object?)[] with = [("Path", backups.Newer), ("Url", live.Uri), ("Plan", plan)];
        const string Begin = "param($Path, $Url, $Plan) $env:REPLACED_URL = $Url; ";
        Assert.Single(_module.Run(Begin + "Restore-MoltBackup $Path -PlanPath $Plan -Replace -Force -Confirm:$false", with).ThrowIfFailed().Output);
        Assert.Equal("NotConfirmed,MoltBeat.DR.UndoMoltRestoreCommand", _module.Answer("yes").Run(Begin + "Undo-MoltRestore -PlanPath $Plan", with).Error.FullyQualifiedErrorId);
        Assert.Equal("CannotAsk,MoltBeat.DR.UndoMoltRestoreCommand", _module.Run(Begin + "Undo-MoltRestore -PlanPath $Plan -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Single(_module.Answer(name, "Y").Run(Begin + "Undo-MoltRestore -PlanPath $Plan", with).ThrowIfFailed().Output);
        Assert.Single(_module.Run(Begin + "Undo-MoltRestore -PlanPath $Plan -Force -Confirm:$false", with).ThrowIfFailed().Output);
        Assert.Single(_module.Run(Begin + "Remove-MoltPreviousDatabase -PlanPath $Plan -Confirm:$false", with).ThrowIfFailed().Output);
    }
}
