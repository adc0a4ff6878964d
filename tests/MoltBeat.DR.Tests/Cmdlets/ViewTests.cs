using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>What people see, at two widths, with decimal commas and local time all around.</summary>
public sealed class ViewTests(ServerFixture fixture)
{
    private const string Minute = @"\d{4}-\d\d-\d\d \d\d:\d\dZ";
    private const string Time = @"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ";

    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public async Task A_list_of_backups_is_a_table_with_a_line_for_each(int columns)
    {
        var backups = await fixture.BackupsAsync();
        var lines = Show(columns, "Get-MoltBackup $Path", backups.Folder);
        Assert.Equal(5, lines.Length);
        Assert.Matches(@"^Id +Database +Kind +Created +Size Ratio +Rows +In Verified$", lines[0]);
        Assert.Matches($@"^[0-9a-f]{{7}} moltbeat +Manual  {Minute} +\d+(\.\d+)? kB +\d+\.\d\d +1,203 +1 -$", lines[2]);
        Assert.Matches($@"^[0-9a-f]{{7}} shop +Weekly  {Minute} +\d+(\.\d+)? kB +0\.00 +0 +1 -$", lines[3]);
        Assert.All(lines, l => Assert.True(l.Length <= columns, l));
    }

    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public async Task A_verification_shows_at_once_that_it_passed(int columns)
    {
        var backups = await fixture.CopyAsync();
        var lines = Show(columns, "Get-MoltBackup $Path -Latest -Database moltbeat | Test-MoltBackup -Level Full", backups.Folder);
        Assert.Equal(3, lines.Length);
        Assert.Matches(@"^Passed Level Database +Checks +Duration Name$", lines[0]);
        Assert.Matches(@"^True   Full  moltbeat   \d passed +\d+\.\d s moltbeat_backup_\d{8}_\d{6}\.tar$", lines[2]);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public async Task A_verification_that_failed_shows_what_failed(int columns)
    {
        var backups = await fixture.CopyAsync();
        TestMoltBackupTests.Damage(backups.Newer);
        var lines = Show(columns, "Test-MoltBackup $Path -Level Full -ErrorAction Ignore", backups.Newer);
        Assert.Matches(@"^False  Full  moltbeat +\d passed +\d+\.\d s moltbeat_backup_\d{8}_\d{6}\.tar$", lines[2]);
        Assert.Matches(@"^ +2 failed +FAILED Members: damaged: ", lines[3]);
        Assert.Contains(lines, l => l.TrimStart().StartsWith("FAILED Rows: ", StringComparison.Ordinal));
        Assert.All(lines, l => Assert.True(l.Length <= columns, l));
    }

    [Fact]
    public async Task A_check_that_could_not_be_done_is_told_apart_from_one_that_passed()
    {
        var backups = await fixture.CopyAsync();
        var text = string.Join('\n', Show(120, "Test-MoltBackup $Path -Level Full -ClientToolPath /proc", backups.Newer));
        Assert.Matches(@"True +Full +moltbeat +\d passed", text);
        Assert.Contains("1 skipped", text, StringComparison.Ordinal);
        Assert.Contains("skipped Dump: ", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_archive_is_shown_without_a_database()
    {
        var path = fixture.NewPath("foreign.tar");
        await File.WriteAllTextAsync(path, "This is no backup.", TestContext.Current.CancellationToken);
        Assert.Matches(@"^False +Quick \? +1 failed", Show(120, "Test-MoltBackup $Path -ErrorAction Ignore", path)[2]);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public async Task Checks_are_a_table_that_is_broken_between_words(int columns)
    {
        var backups = await fixture.CopyAsync();
        var lines = Show(columns, "(Test-MoltBackup $Path).Checks", backups.Newer);
        Assert.Matches(@"^Status  Name      Proves +Detail$", lines[0]);
        Assert.Contains(lines, l => l.StartsWith("Passed  Members   Every stored byte is the one", StringComparison.Ordinal));
        Assert.All(lines, l => Assert.True(l.Length <= columns, l));
    }

    [Fact]
    public async Task A_restore_is_a_list_with_its_steps_and_its_tables_are_a_table()
    {
        var backups = await fixture.BackupsAsync();
        using var module = new HostedModule(80);
        var target = fixture.Unique("shown");
        var lines = module.Show(
            "param($Path, $Url, $Target) ($global:r = Restore-MoltBackup $Path -DatabaseUrl $Url -TargetDatabase $Target -Confirm:$false)",
            ("Path", backups.Newer), ("Url", backups.Url), ("Target", target)).Split('\n');
        var text = string.Join('\n', lines);
        Assert.StartsWith($"Database : {target}\n", text, StringComparison.Ordinal);
        Assert.Matches($@"\nStateOf  : {Time}\nProof    : Proven: row counts and digests", text);
        Assert.Matches(@"\nRows     : 1,203\nDuration : \d+\.\d s\nSteps    :  +\d+\.\d s  Preflight\n +\d+\.\d s  Schema\n", text);
        Assert.DoesNotContain("LeftOut", text, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", text, StringComparison.Ordinal);
        Assert.Matches(@"\npublic\.users +1,200 True +[0-9a-f]{32}$", module.Show("$r.Tables"));
        Assert.Matches(@"^Duration Name\n-+ -+\n +\d+\.\d s Preflight\n", module.Show("$r.Steps"));
        await (await fixture.ServerAsync()).DropDatabaseAsync(target, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_long_name_is_broken_and_never_cut()
    {
        await using var database = await fixture.CreateMoltbeatAsync("a_database_with_quite_a_long_name");
        var lines = Show(80, "param($Path, $Url) New-MoltBackup $Url -Path $Path", fixture.NewPath(), database.Uri);
        Assert.DoesNotContain('…', string.Concat(lines));
        var name = string.Concat(lines.Skip(2).Select(l => l.Length > 8 ? l[8..Math.Min(16, l.Length)].Trim() : ""));
        Assert.Equal(database.Name, name);
    }

    private static string[] Show(int columns, string script, string path, string? url = null)
    {
        using var module = new HostedModule(columns);
        var full = script.StartsWith("param", StringComparison.Ordinal) ? script : "param($Path, $Url) " + script;
        return module.Show(full, ("Path", path), ("Url", url)).Split('\n');
    }
}
