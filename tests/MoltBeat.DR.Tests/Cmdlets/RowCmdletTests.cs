using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>Restore-MoltRow, Find-MoltRow and Compare-MoltBackup as an operator meets them.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class RowCmdletTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task Lost_rows_are_found_previewed_restored_and_taken_out_again()
    {
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("lost"));
        var folder = fixture.NewPath("rows");
        (string, object?)[] with = [("Url", database.Uri), ("Folder", folder)];
        const string Begin = "param($Url, $Folder) $ErrorActionPreference = 'Stop'; ";
        _module.Run(Begin + "New-MoltBackup $Url -Path $Folder", with).ThrowIfFailed();
        await Task.Delay(1100, Cancel);
        await database.ExecuteAsync("DELETE FROM \"Odd.Name\" WHERE user_id IN (1, 2); DELETE FROM users WHERE id IN (1, 2)", Cancel);
        _module.Run(Begin + "New-MoltBackup $Url -Path $Folder", with).ThrowIfFailed();

        var found = _module.Run(Begin + "Get-MoltBackup $Folder | Find-MoltRow -Table users -Where 'id IN (1, 2)' -DatabaseUrl $Url", with).ThrowIfFailed().Output.Single();
        Assert.Equal(2L, found.Value<long>("Rows"));
        Assert.True(found.Value<DateTimeOffset>("LastSeen") < found.Value<DateTimeOffset>("GoneBy"));

        const string Restore = Begin + "Get-MoltBackup $Folder | Find-MoltRow -Table users -Where 'id IN (1, 2)' -DatabaseUrl $Url | Restore-MoltRow -Table users -Where 'id IN (1, 2)' -IncludeDependents -DatabaseUrl $Url -UndoPath $Folder ";
        var preview = _module.Run(Restore + "-WhatIf", with).ThrowIfFailed().Output;
        Assert.Equal(["public.users 2 False", "public.Odd.Name 2 False"], preview.Select(t => $"{t.Text("Table")} {t.Value<long>("Inserted")} {t.Value<bool>("IsDone")}"));
        Assert.Equal(1198L, await database.ScalarAsync<long>("SELECT count(*) FROM users", Cancel));
        Assert.Empty(Directory.GetFiles(folder, "*.sql"));

        Assert.StartsWith("CannotAsk,", _module.Run(Restore, with).Error.FullyQualifiedErrorId, StringComparison.Ordinal);
        var done = _module.Run(Restore + "-Confirm:$false", with).ThrowIfFailed().Output;
        Assert.All(done, t => Assert.True(t.Value<bool>("IsDone")));
        Assert.Equal(1200L, await database.ScalarAsync<long>("SELECT count(*) FROM users", Cancel));
        Assert.Equal(Assert.Single(Directory.GetFiles(folder, "*.sql")), done[0].Text("UndoFile"));

        var same = _module.Run(Begin + "Get-MoltBackup $Folder | Find-MoltRow -Table users -Where 'id = 1' -DatabaseUrl $Url | Compare-MoltBackup -DatabaseUrl $Url", with).ThrowIfFailed().Output;
        Assert.Equal(3, same.Count);
        Assert.All(same, t => Assert.Equal("Equal", t.Text("Status")));
        var rows = _module.Run(Begin + "Get-MoltBackup $Folder -Latest | Compare-MoltBackup -DatabaseUrl $Url -Table users -Detail", with).ThrowIfFailed().Output;
        Assert.Equal(["public.users Extra id=1", "public.users Extra id=2"], rows.Select(r => r.BaseObject.ToString()));
        Assert.Contains("public.users", _module.Show("param($Url, $Folder) Get-MoltBackup $Folder -Latest | Compare-MoltBackup -DatabaseUrl $Url -Table users -Detail; Get-MoltBackup $Folder | Find-MoltRow -Table users -Where 'id = 3' -DatabaseUrl $Url; Get-MoltBackup $Folder -Latest | Restore-MoltRow -Table users -Where 'id = 3' -DatabaseUrl $Url", with), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_production_database_wants_its_name_and_no_backup_is_an_error()
    {
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("live"));
        var (folder, plan) = (fixture.NewPath("rows"), fixture.NewPath("plan.json"));
        await File.WriteAllTextAsync(plan, $$"""{ "version": 1, "databases": [{ "name": "main", "url": "postgresql://127.0.0.1/{{database.Name}}", "production": true }] }""", Cancel);
        File.SetUnixFileMode(plan, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (string, object?)[] with = [("Url", database.Uri), ("Folder", folder), ("Plan", plan)];
        _module.Run("param($Url, $Folder) New-MoltBackup $Url -Path $Folder", ("Url", database.Uri), ("Folder", folder)).ThrowIfFailed();
        await database.ExecuteAsync("DELETE FROM users WHERE id = 7", Cancel);
        const string Restore = "param($Url, $Folder, $Plan) Get-MoltBackup $Folder -Latest | Restore-MoltRow -Table users -Where 'id = 7' -DatabaseUrl $Url -PlanPath $Plan -UndoPath $Folder ";
        Assert.Equal("NotConfirmed,MoltBeat.DR.RestoreMoltRowCommand", _module.Answer("yes").Run(Restore, with).Error.FullyQualifiedErrorId);
        Assert.Equal("CannotAsk,MoltBeat.DR.RestoreMoltRowCommand", _module.Run(Restore + "-Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Single(_module.Run(Restore + "-WhatIf", with).ThrowIfFailed().Output);
        Assert.Equal(0L, await database.ScalarAsync<long>("SELECT count(*) FROM users WHERE id = 7", Cancel));
        Assert.True(_module.Answer(database.Name, "Y").Run(Restore, with).ThrowIfFailed().Output.Single().Value<bool>("IsDone"));
        Assert.Equal(1L, await database.ScalarAsync<long>("SELECT count(*) FROM users WHERE id = 7", Cancel));

        foreach (var cmdlet in new[] { "Restore-MoltRow -Table users -Where true", "Find-MoltRow -Table users -Where true", "Compare-MoltBackup" })
            Assert.StartsWith("BackupNotFound,", _module.Run("param($Url, $Folder, $Plan) Get-MoltBackup $Folder -Before 2000-01-01T00:00Z | " + cmdlet + " -DatabaseUrl $Url", with).Error.FullyQualifiedErrorId, StringComparison.Ordinal);
    }
}
