using System.Management.Automation;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

public sealed class RestoreMoltBackupTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Theory]
    [InlineData("Restore-MoltBackup $Path $Target -DatabaseUrl $Url -Confirm:$false")]
    [InlineData("$Path | Restore-MoltBackup -TargetDatabase $Target -DatabaseUrl $Url -Confirm:$false")]
    [InlineData("[IO.FileInfo]::new($Path) | Restore-MoltBackup -TargetDatabase $Target -DatabaseUrl $Url -Confirm:$false")]
    [InlineData("Get-MoltBackup $Path | Restore-MoltBackup -TargetDatabase $Target -DatabaseUrl $Url -Confirm:$false")]
    [InlineData("Test-MoltBackup $Path | Restore-MoltBackup -TargetDatabase $Target -ConnectionString $Url -Confirm:$false")]
    public async Task A_backup_binds_by_value_and_by_property_name_and_is_restored_and_proven(string script)
    {
        var backups = await fixture.CopyAsync();
        var target = fixture.Unique("restored");
        var result = _module.Run(
            "param($Path, $Target, $Url) " + script, ("Path", backups.Newer), ("Target", target), ("Url", backups.Url)).ThrowIfFailed();
        var restore = Assert.Single(result.Output);
        Assert.Equal("Proven", restore.Text("Proof"));
        Assert.Equal(target, restore.Value<string>("Database"));
        Assert.Equal(1203, restore.Value<long>("Rows"));
        var server = await fixture.ServerAsync();
        Assert.Equal(1200, await server.ScalarAsync<long>("SELECT count(*) FROM users", target, TestContext.Current.CancellationToken));
        await server.DropDatabaseAsync(target, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task WhatIf_makes_no_database_and_says_what_would_be_restored_where()
    {
        var backups = await fixture.CopyAsync();
        using var module = new HostedModule(500);
        string[] Files() => Directory.GetFileSystemEntries(backups.Folder, "*", SearchOption.AllDirectories);
        var before = Files();
        var said = module.Show(
            "param($Path, $Url) Restore-MoltBackup $Path -TargetDatabase never_made -DatabaseUrl $Url -WhatIf", ("Path", backups.Newer), ("Url", backups.Url));
        Assert.StartsWith("What if: ", said, StringComparison.Ordinal);
        Assert.Contains("1,203 rows of 3 tables", said, StringComparison.Ordinal);
        Assert.Contains(" UTC", said, StringComparison.Ordinal);
        Assert.Contains("owner postgres, encoding UTF8", said, StringComparison.Ordinal);
        Assert.Contains("new database never_made", said, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", said, StringComparison.Ordinal);
        Assert.DoesNotContain("never_made", await DatabasesAsync());
        Assert.Equal(before, Files());
    }

    [Fact]
    public async Task Old_backups_with_rows_are_chosen_and_only_looked_at()
    {
        var backups = await fixture.BackupsAsync();
        using var module = new HostedModule(500);
        const string Script = "param($Path, $Url, $Before) Get-MoltBackup $Path -Before $Before | Where-Object Rows -gt 0 | Restore-MoltBackup -DatabaseUrl $Url -WhatIf";
        Assert.Empty(module.Show(Script, ("Path", backups.Folder), ("Url", backups.Url), ("Before", "2026-01-31T12:00Z")));
        var said = module.Show(Script, ("Path", backups.Folder), ("Url", backups.Url), ("Before", DateTimeOffset.UtcNow.AddDays(1)));
        Assert.Equal(2, said.Split('\n').Length);
        Assert.Matches(@"new database moltbeat_restored_\d{8}_\d{6} ", said);
        Assert.DoesNotContain("shop", said, StringComparison.Ordinal);
        Assert.DoesNotContain(await DatabasesAsync(), d => d.StartsWith("moltbeat_restored_", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_a_person_to_ask_it_does_nothing_and_says_the_way_on()
    {
        var backups = await fixture.BackupsAsync();
        var result = Restore(backups.Newer, backups.Url, "never_made_either");
        Assert.Equal("CannotAsk,MoltBeat.DR.RestoreMoltBackupCommand", result.Error.FullyQualifiedErrorId);
        Assert.Contains("-Confirm:$false", result.Error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.DoesNotContain("never_made_either", await DatabasesAsync());
    }

    [Theory]
    [InlineData("notEmpty", "TargetNotEmpty", ErrorCategory.ResourceExists)]
    [InlineData("noBackup", "BackupNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("foreign", "NotAnArchive", ErrorCategory.InvalidData)]
    [InlineData("damaged", "ArchiveDamaged", ErrorCategory.InvalidData)]
    [InlineData("password", "AuthenticationFailed", ErrorCategory.AuthenticationError)]
    [InlineData("mayNot", "CannotCreateDatabase", ErrorCategory.PermissionDenied)]
    [InlineData("tools", "ClientToolsMissing", ErrorCategory.NotInstalled)]
    [InlineData("table", "TableNotFound", ErrorCategory.ObjectNotFound)]
    [InlineData("string", "ConnectionStringInvalid", ErrorCategory.InvalidArgument)]
    public async Task A_failure_has_its_id_its_category_and_a_way_on_and_leaves_no_database(string what, string id, ErrorCategory category)
    {
        var server = await fixture.ServerAsync();
        var backups = await fixture.CopyAsync();
        var (path, url, target, more) = (backups.Newer, backups.Url, fixture.Unique("failed"), "");
        switch (what)
        {
            case "notEmpty":
                target = "moltbeat";
                break;
            case "noBackup":
                path += ".gone";
                break;
            case "foreign":
                path = fixture.NewPath("foreign.tar");
                await File.WriteAllTextAsync(path, "This is no backup.", TestContext.Current.CancellationToken);
                break;
            case "damaged":
                TestMoltBackupTests.Damage(path);
                break;
            case "password":
                url = server.Uri("moltbeat", password: "s3cret but wrong");
                break;
            case "mayNot":
                var role = fixture.Unique("may_not");
                await server.ExecuteAsync($"CREATE ROLE {role} LOGIN PASSWORD 'x'", cancel: TestContext.Current.CancellationToken);
                url = server.Uri("postgres", role, "x");
                break;
            case "tools":
                more = "-ClientToolPath /proc";
                break;
            case "table":
                more = "-Table nobody";
                break;
            case "string":
                url = "postgresql://host:port:s3cret/";
                break;
        }

        // The rows, which are what is damaged, are read by the restore alone; all else is found by looking as well.
        foreach (var way in what == "damaged" ? new[] { "-Confirm:$false" } : ["-WhatIf", "-Confirm:$false"])
        {
            var result = Restore(path, url, target, $"{more} {way}");
            Assert.Empty(result.Output);
            Assert.Equal(id + ",MoltBeat.DR.RestoreMoltBackupCommand", result.Error.FullyQualifiedErrorId);
            Assert.Equal(category, result.Error.CategoryInfo.Category);
            Assert.NotNull(result.Error.TargetObject);
            Assert.NotEmpty(result.Error.ErrorDetails.RecommendedAction);
            Assert.DoesNotContain("s3cret", result.Error.Exception.ToString(), StringComparison.Ordinal);
        }

        Assert.DoesNotContain(await DatabasesAsync(), d => d == target && d != "moltbeat");
        Assert.Equal(0, await UnfinishedAsync(target));
    }

    [Fact]
    public async Task One_backup_that_fails_does_not_keep_the_next_from_being_restored()
    {
        var backups = await fixture.CopyAsync();
        TestMoltBackupTests.Damage(backups.Newer);
        var result = _module.Run(
            "param($Paths, $Url) $Paths | Restore-MoltBackup -DatabaseUrl $Url -Confirm:$false", ("Paths", new[] { backups.Newer, backups.Shop }), ("Url", backups.Url));
        Assert.Null(result.Terminating);
        Assert.Equal("ArchiveDamaged,MoltBeat.DR.RestoreMoltBackupCommand", result.Error.FullyQualifiedErrorId);
        var restored = Assert.Single(result.Output).Value<string>("Database");
        Assert.Matches(@"^shop_restored_\d{8}_\d{6}$", restored);
        await (await fixture.ServerAsync()).DropDatabaseAsync(restored, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Chosen_tables_alone_are_restored_and_a_skipped_proof_is_said()
    {
        var backups = await fixture.BackupsAsync();
        var target = fixture.Unique("chosen");
        var restore = Assert.Single(Restore(backups.Newer, backups.Url, target, "-Table Odd.Name -SkipProof -Confirm:$false").ThrowIfFailed().Output);
        Assert.Equal("Skipped", restore.Text("Proof"));
        Assert.Equal(3, restore.Value<long>("Rows"));
        await (await fixture.ServerAsync()).DropDatabaseAsync(target, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Verbose_tells_of_every_step()
    {
        var backups = await fixture.BackupsAsync();
        var target = fixture.Unique("verbose");
        var result = Restore(backups.Newer, backups.Url, target, "-Verbose -Confirm:$false").ThrowIfFailed();
        Assert.Contains(result.Verbose, v => v.Contains(target, StringComparison.Ordinal));
        Assert.Contains(result.Verbose, v => v.StartsWith("Schema: ", StringComparison.Ordinal) && v.EndsWith(" s", StringComparison.Ordinal) && !v.Contains(',', StringComparison.Ordinal));
        Assert.DoesNotContain(result.Verbose, v => v.Contains("s3cret", StringComparison.Ordinal));
        await (await fixture.ServerAsync()).DropDatabaseAsync(target, TestContext.Current.CancellationToken);
    }

    private HostedResult Restore(string path, string url, string target, string more = "") => _module.Run(
        $"param($Path, $Url, $Target) Restore-MoltBackup $Path -DatabaseUrl $Url -TargetDatabase $Target {more}",
        ("Path", path), ("Url", url), ("Target", target));

    private async Task<string[]> DatabasesAsync() => await (await fixture.ServerAsync()).ScalarAsync<string[]>(
        "SELECT array_agg(datname::text) FROM pg_database", cancel: TestContext.Current.CancellationToken);

    private async Task<long> UnfinishedAsync(string target) => await (await fixture.ServerAsync()).ScalarAsync<long>(
        $"SELECT count(*) FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE {Sql.Literal("%will be " + target)}",
        cancel: TestContext.Current.CancellationToken);
}
