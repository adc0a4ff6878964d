using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>The commands that move, keep and remove copies, as they are used together.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class StoreCmdletTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task A_copy_makes_one_line_with_two_places_and_each_can_be_verified()
    {
        var (backups, other) = (await fixture.CopyAsync(), fixture.NewPath());
        var copied = Assert.Single(_module.Run("param($Path, $Other) Get-MoltBackup $Path -Latest -Database moltbeat | Copy-MoltBackup -Destination $Other", ("Path", backups.Folder), ("Other", other)).ThrowIfFailed().Output);
        Assert.Equal(("Copied", true), (copied.Text("Status"), copied.Value<bool>("Verified")));
        Assert.Equal(["AlreadyThere"], _module.Run("param($Path, $Other) (Copy-MoltBackup -Latest -Source $Path -Destination $Other | Where-Object Name -like moltbeat*).Status", ("Path", backups.Folder), ("Other", other)).ThrowIfFailed().Values.Select(v => v.ToString()));

        var merged = _module.Run("param($Path, $Other) Get-MoltBackup $Path, $Other -Database moltbeat", ("Path", backups.Folder), ("Other", other)).ThrowIfFailed().Output;
        Assert.Equal(2, merged.Count);
        Assert.Equal([2, 1], merged.Select(b => ((Array)b.Properties["Locations"].Value).Length));

        var tested = _module.Run("param($Path, $Other) Get-MoltBackup $Path, $Other -Database moltbeat -Latest | Test-MoltBackup -AllCopies", ("Path", backups.Folder), ("Other", other)).ThrowIfFailed().Output;
        Assert.Equal([true, true], tested.Select(t => t.Value<bool>("Passed")));
    }

    [Fact]
    public async Task A_restore_takes_the_other_copy_when_one_is_damaged()
    {
        var (backups, other) = (await fixture.CopyAsync(), fixture.NewPath());
        _module.Run("param($Path, $Other) Get-MoltBackup $Path -Latest -Database moltbeat | Copy-MoltBackup -Destination $Other", ("Path", backups.Folder), ("Other", other)).ThrowIfFailed();
        var bytes = await File.ReadAllBytesAsync(backups.Newer, TestContext.Current.CancellationToken);
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(backups.Newer, bytes, TestContext.Current.CancellationToken);
        var name = fixture.Unique("fallback");
        var result = _module.Run("param($Path, $Other, $Url, $Name) Get-MoltBackup $Path, $Other -Latest -Database moltbeat | Restore-MoltBackup -DatabaseUrl $Url -TargetDatabase $Name -Confirm:$false 3>&1",
            ("Path", backups.Folder), ("Other", other), ("Url", backups.Url), ("Name", name)).ThrowIfFailed();
        Assert.Contains(result.Output, o => o.ToString().Contains($"Restoring from the copy in {other}", StringComparison.Ordinal));
        await (await fixture.ServerAsync()).ExecuteAsync($"DROP DATABASE {name}", cancel: TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_folder_into_which_one_cannot_look_harms_no_other_place()
    {
        var backups = await fixture.BackupsAsync();
        var root = Directory.CreateTempSubdirectory("molt-closed-");
        try
        {
            File.SetUnixFileMode(root.FullName, (UnixFileMode)0b111_111_111);
            var closed = Directory.CreateDirectory(Path.Combine(root.FullName, "closed"));
            File.SetUnixFileMode(closed.FullName, (UnixFileMode)0b011_011_011);
            var environment = new Dictionary<string, string?> { ["DATABASE_URL"] = backups.ShopDatabase.Uri, ["HOME"] = root.FullName, ["MOLTBEAT_AUDIT"] = Path.Combine(root.FullName, "audit") };
            var result = await MoltProcess.RunAsOrdinaryUserAsync(environment, "-NonInteractive", "-Command",
                $"$b = New-MoltBackup -Destination '{root.FullName}/closed', '{root.FullName}/open' -Confirm:$false; \"$($b.Locations) $($b.Failures.ErrorId) $($error[0].FullyQualifiedErrorId)\"");
            Assert.Equal($"{root.FullName}/open/{Path.GetFileName(Assert.Single(Directory.GetFiles(Path.Combine(root.FullName, "open"), "*.tar")))} StoreNotReadable StoreNotReadable,MoltBeat.DR.NewMoltBackupCommand", result.Output.Trim());
        }
        finally
        {
            root.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("Get-MoltBackup 's3:/bucket'")]
    [InlineData("Get-MoltBackup 'https://bucket/x'")]
    [InlineData("New-MoltBackup -DatabaseUrl postgresql://x -Destination 'gs://bucket' -Confirm:$false")]
    [InlineData("Test-MoltStore 's3://x'")]
    public void What_names_no_store_is_an_error_with_a_way_on(string command)
    {
        var error = _module.Run(command).Error;
        Assert.StartsWith("StoreInvalid,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains("s3://bucket/prefix", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_pinned_or_the_last_of_its_kind_is_not_removed()
    {
        var backups = await fixture.CopyAsync();
        (string, object?)[] with = [("Path", backups.Newer), ("Shop", backups.Shop)];
        var pinned = Assert.Single(_module.Run("param($Path) Set-MoltBackup $Path -Pin -Reason 'before the migration'", with).ThrowIfFailed().Output);
        Assert.NotNull(pinned.Properties["Pin"].Value);
        Assert.Equal("BackupPinned,MoltBeat.DR.RemoveMoltBackupCommand", _module.Run("param($Path) Remove-MoltBackup $Path -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Equal("BackupPinned,MoltBeat.DR.RemoveMoltBackupCommand", _module.Run("param($Path) Remove-MoltBackup $Path -Force -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Equal("LastGoodBackup,MoltBeat.DR.RemoveMoltBackupCommand", _module.Run("param($Shop) Remove-MoltBackup $Shop -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.True(File.Exists(backups.Newer) && File.Exists(backups.Shop));

        _module.Run("param($Path) Set-MoltBackup $Path -Unpin -Reason 'the migration went well'", with).ThrowIfFailed();
        _module.Run("param($Path) Remove-MoltBackup $Path -WhatIf", with).ThrowIfFailed();
        Assert.True(File.Exists(backups.Newer));
        Assert.Equal("Removed", Assert.Single(_module.Run("param($Path) Get-MoltBackup $Path | Remove-MoltBackup -Confirm:$false", with).ThrowIfFailed().Output).Text("Status"));
        Assert.False(File.Exists(backups.Newer) || Directory.Exists(backups.Newer + ".records"));
        Assert.Equal("Removed", Assert.Single(_module.Run("param($Shop) Remove-MoltBackup $Shop -Force -Confirm:$false", with).ThrowIfFailed().Output).Text("Status"));
    }

    [Fact]
    public async Task The_plans_rules_remove_what_is_old_and_say_why_the_rest_stays()
    {
        var backups = await fixture.CopyAsync();
        var plan = fixture.NewPath("plan") + ".json";
        var folder = System.Text.Json.JsonSerializer.Serialize(backups.Folder);
        await File.WriteAllTextAsync(plan, $$"""
            { "version": 1, "stores": [ { "name": "here", "location": {{folder}} } ],
              "retention": { "daily": { "keep": "PT1S", "atLeast": 0 }, "weekly": { "keep": "PT1S", "atLeast": 0 }, "manual": { "keep": "PT1S", "atLeast": 0 } } }
            """, TestContext.Current.CancellationToken);
        File.SetUnixFileMode(plan, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        List<string> Remove(string more) => [.. _module.Run($"param($Plan) Remove-MoltBackup -Expired -PlanPath $Plan {more}", ("Plan", plan)).ThrowIfFailed().Output.Select(r => $"{r.Text("Kind")} {r.Text("Status")} {r.Text("Rule")}").Order(StringComparer.Ordinal)];

        // Older than the second for which they are kept, however fast they were made. Nothing was verified: nothing goes.
        await Task.Delay(1100, TestContext.Current.CancellationToken);
        Assert.Equal(["Daily Kept NothingNewerVerified", "Manual Kept NothingNewerVerified", "Weekly Kept NothingNewerVerified"], Remove("-Confirm:$false"));
        _module.Run("param($Plan) Get-MoltBackup here -PlanPath $Plan -Latest | Test-MoltBackup", ("Plan", plan)).ThrowIfFailed();
        Assert.Equal(["Daily WouldBeRemoved Expired", "Manual Kept NewestVerified", "Weekly Kept NewestVerified"], Remove("-WhatIf"));
        Assert.True(File.Exists(backups.Older));
        Assert.Equal(["Daily Removed Expired", "Manual Kept NewestVerified", "Weekly Kept NewestVerified"], Remove("-Confirm:$false"));
        Assert.False(File.Exists(backups.Older));
        Assert.Equal(["Manual Kept NewestVerified", "Weekly Kept NewestVerified"], Remove("-Confirm:$false"));
    }

    [Fact]
    public async Task A_plan_says_what_is_backed_up_and_where_to()
    {
        var backups = await fixture.BackupsAsync();
        var (plan, folder) = (fixture.NewPath("plan") + ".json", fixture.NewPath());
        await File.WriteAllTextAsync(plan, $$"""
            { "version": 1, "minimumCopies": 2,
              "databases": [ { "name": "shop", "url": "env:MOLT_TEST_SHOP" }, { "name": "other", "url": "env:MOLT_TEST_NOT_SET" } ],
              "stores": [ { "name": "near", "location": "{{folder}}" }, { "name": "far", "location": "{{folder}}-far" } ] }
            """, TestContext.Current.CancellationToken);
        File.SetUnixFileMode(plan, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Environment.SetEnvironmentVariable("MOLT_TEST_SHOP", backups.ShopDatabase.Uri);
        var made = Assert.Single(_module.Run("param($Plan) New-MoltBackup -PlanPath $Plan -Database sh* -Kind Daily", ("Plan", plan)).ThrowIfFailed().Output);
        Assert.Equal(2, ((Array)made.Properties["Locations"].Value).Length);
        Assert.Single(Directory.GetFiles(folder + "-far", "*.tar"));
        Assert.Equal("SecretUnavailable", _module.Run("param($Plan) New-MoltBackup -PlanPath $Plan -Database other", ("Plan", plan)).Error.FullyQualifiedErrorId.Split(',')[0]);
        Assert.Equal("DatabaseNotPlanned", _module.Run("param($Plan) New-MoltBackup -PlanPath $Plan -Database nothing", ("Plan", plan)).Error.FullyQualifiedErrorId.Split(',')[0]);
    }

    [Fact]
    public async Task A_stores_health_names_what_is_wrong_and_repairs_what_is_left_over()
    {
        var backups = await fixture.CopyAsync();
        File.SetUnixFileMode(backups.Folder, (UnixFileMode)0b111_000_000);
        var healthy = Assert.Single(_module.Run("param($Path) Test-MoltStore $Path", ("Path", backups.Folder)).ThrowIfFailed().Output);
        Assert.True(healthy.Value<bool>("Passed"));

        var old = Path.Combine(backups.Folder, "shop_backup_20200101_000000.tar.partial");
        await File.WriteAllBytesAsync(old, [1, 2, 3], TestContext.Current.CancellationToken);
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-2));
        _module.Run("param($Path) Test-MoltStore $Path -Repair -WhatIf -ErrorAction SilentlyContinue", ("Path", backups.Folder));
        Assert.True(File.Exists(old));
        _module.Run("param($Path) Test-MoltStore $Path -Repair -Confirm:$false", ("Path", backups.Folder));
        Assert.False(File.Exists(old));

        File.SetUnixFileMode(backups.Folder, (UnixFileMode)0b111_101_101);
        Assert.Equal("StoreCheckFailed,MoltBeat.DR.TestMoltStoreCommand", _module.Run("param($Path) Test-MoltStore $Path", ("Path", backups.Folder)).Error.FullyQualifiedErrorId);
    }
}
