using System.Management.Automation;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

public sealed class GetMoltBackupTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Fact]
    public void These_tests_run_with_decimal_commas_and_far_from_UTC()
    {
        Assert.Equal("1,5", 1.5.ToString(System.Globalization.CultureInfo.CurrentCulture));
        Assert.Equal(30, Math.Abs(TimeZoneInfo.Local.BaseUtcOffset.Minutes));
        Assert.Equal("1,5", Assert.Single(_module.Run("1.5.ToString()").Values));
    }

    [Fact]
    public async Task Backups_come_newest_first_with_all_that_a_list_shows()
    {
        var backups = await fixture.BackupsAsync();
        var list = Get(backups);
        Assert.Equal([backups.Newer, backups.Shop, backups.Older], list.Select(b => b.Value<string>("Path")));
        var newest = list[0];
        Assert.Equal("moltbeat", newest.Value<string>("Database"));
        Assert.Equal("Manual", newest.Text("Kind"));
        Assert.Equal(1203, newest.Value<long>("Rows"));
        Assert.Equal(3, newest.Value<int>("Tables"));
        Assert.Equal(new FileInfo(backups.Newer).Length, newest.Value<long>("Size"));
        Assert.Equal("-", newest.Value<string>("Verified"));
        Assert.Equal(TimeSpan.Zero, newest.Value<DateTimeOffset>("Created").Offset);
        Assert.InRange(newest.Value<DateTimeOffset>("Created"), DateTimeOffset.UtcNow.AddMinutes(-30), DateTimeOffset.UtcNow);
        Assert.Equal(32, newest.Value<string>("Id").Length);
    }

    [Theory]
    [InlineData("-Latest", "newer shop")]
    [InlineData("-Database shop", "shop")]
    [InlineData("-Database M*T, missing", "newer older")]
    [InlineData("-Kind Weekly", "shop")]
    [InlineData("-Kind Daily, Manual", "newer older")]
    [InlineData("-Kind Daily -Latest", "older")]
    [InlineData("-Id $Newer.Id", "newer")]
    [InlineData("-Id $Newer.Id.Substring(0, 7).ToUpper(), $Shop.Id", "newer shop")]
    [InlineData("-Id ''", "")]
    [InlineData("-Before $Newer.Created", "shop older")]
    [InlineData("-Before $Newer.Created -Latest", "shop older")]
    [InlineData("-After $Shop.Created", "newer shop")]
    [InlineData("-After $Shop.Created -Before $Newer.Created", "shop")]
    [InlineData("-Before 2026-01-31T12:00Z", "")]
    [InlineData("-After 2026-01-31T12:00+01:00", "newer shop older")]
    [InlineData("-Before $Newer.Created.UtcDateTime", "shop older")]
    [InlineData("-Before $Newer.Created.LocalDateTime", "shop older")]
    [InlineData("-Before $Newer.Created.ToString('o', [cultureinfo]::InvariantCulture)", "shop older")]
    public async Task Filters_choose(string filter, string expected)
    {
        var backups = await fixture.BackupsAsync();
        var found = _module.Run(
            $$"""
            param($Folder, $Paths)
            $all = Get-MoltBackup -Path $Folder
            $Newer = $all.Where{ $_.Path -eq $Paths.Newer }[0]
            $Shop = $all.Where{ $_.Path -eq $Paths.Shop }[0]
            Get-MoltBackup -Path $Folder {{filter}}
            """,
            ("Folder", backups.Folder), ("Paths", backups)).ThrowIfFailed().Output;
        var names = new Dictionary<string, string> { [backups.Newer] = "newer", [backups.Older] = "older", [backups.Shop] = "shop" };
        Assert.Equal(expected, string.Join(' ', found.Select(b => names[b.Value<string>("Path")])));
    }

    [Theory]
    [InlineData("2026-01-31T12:00")]
    [InlineData("31.01.2026")]
    public async Task A_time_that_means_different_moments_on_different_machines_is_refused(string time)
    {
        var backups = await fixture.BackupsAsync();
        var result = _module.Run("param($Folder, $Time) Get-MoltBackup $Folder -Before $Time", ("Folder", backups.Folder), ("Time", time));
        Assert.Empty(result.Output);
        Assert.Equal(ErrorCategory.InvalidData, result.Error.CategoryInfo.Category);
        Assert.StartsWith("ParameterArgumentTransformationError,", result.Error.FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("$Folder | Get-MoltBackup")]
    [InlineData("Get-MoltBackup -Path $Folder")]
    [InlineData("[IO.DirectoryInfo]::new($Folder) | Get-MoltBackup")]
    [InlineData("[pscustomobject]@{ Path = $Folder; Database = 'moltbeat', 'shop' } | Get-MoltBackup")]
    public async Task The_folder_binds_by_value_and_by_property_name(string script)
    {
        var backups = await fixture.BackupsAsync();
        Assert.Equal(3, _module.Run("param($Folder) " + script, ("Folder", backups.Folder)).ThrowIfFailed().Output.Count);
    }

    [Theory]
    [InlineData("Get-MoltBackup $File")]
    [InlineData("[IO.FileInfo]::new($File) | Get-MoltBackup")]
    [InlineData("Get-MoltBackup $Folder -Kind Daily | Get-MoltBackup")]
    public async Task One_backup_can_be_named_too(string script)
    {
        var backups = await fixture.BackupsAsync();
        var found = _module.Run("param($Folder, $File) " + script, ("Folder", backups.Folder), ("File", backups.Older)).ThrowIfFailed().Output;
        Assert.Equal(backups.Older, Assert.Single(found).Value<string>("Path"));
    }

    [Fact]
    public async Task A_relative_path_is_relative_to_the_sessions_own_location()
    {
        var backups = await fixture.BackupsAsync();
        var found = _module.Run(
            "param($Parent, $Name) $ExecutionContext.SessionState.Path.SetLocation($Parent) > $null; Get-MoltBackup \"./$Name\"",
            ("Parent", Path.GetDirectoryName(backups.Folder)), ("Name", Path.GetFileName(backups.Folder))).ThrowIfFailed().Output;
        Assert.Equal(backups.Newer, found[0].Value<string>("Path"));
    }

    [Fact]
    public async Task A_damaged_and_a_foreign_file_are_errors_of_their_own_and_the_list_goes_on()
    {
        var backups = await fixture.CopyAsync();
        var cut = Path.Combine(backups.Folder, "cut_short.tar");
        var bytes = await File.ReadAllBytesAsync(backups.Newer, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(cut, bytes[..(bytes.Length / 2)], TestContext.Current.CancellationToken);
        var foreign = Path.Combine(backups.Folder, "holidays.tar");
        await File.WriteAllTextAsync(foreign, "This is no backup.", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(Path.Combine(backups.Folder, "notes.txt"), "Not even a tar.", TestContext.Current.CancellationToken);

        var result = _module.Run("param($Folder) Get-MoltBackup $Folder", ("Folder", backups.Folder));
        Assert.Null(result.Terminating);
        Assert.Equal(3, result.Output.Count);
        Assert.Equal([cut, foreign], result.Errors.Select(e => (string)e.TargetObject).Order(StringComparer.Ordinal));
        Assert.All(result.Errors, e =>
        {
            Assert.Equal("NotAnArchive,MoltBeat.DR.GetMoltBackupCommand", e.FullyQualifiedErrorId);
            Assert.Equal(ErrorCategory.InvalidData, e.CategoryInfo.Category);
            Assert.NotEmpty(e.ErrorDetails.RecommendedAction);
        });

        var stopped = _module.Run("param($Folder) Get-MoltBackup $Folder -ErrorAction Stop", ("Folder", backups.Folder));
        Assert.NotNull(stopped.Terminating);
        var quiet = _module.Run("param($Folder) Get-MoltBackup $Folder -ErrorAction Ignore", ("Folder", backups.Folder));
        Assert.Empty(quiet.Errors);
        Assert.Equal(3, quiet.Output.Count);
    }

    [Fact]
    public void A_folder_that_is_not_there_says_how_to_name_another()
    {
        var path = fixture.NewPath();
        var error = _module.Run("param($Path) Get-MoltBackup $Path", ("Path", path)).Error;
        Assert.Equal("StoreNotFound,MoltBeat.DR.GetMoltBackupCommand", error.FullyQualifiedErrorId);
        Assert.Equal(ErrorCategory.ObjectNotFound, error.CategoryInfo.Category);
        Assert.Equal(path, error.TargetObject);
        Assert.Contains("BACKUP_DIR", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.False(Directory.Exists(path));
    }

    [Fact]
    public void One_bad_folder_does_not_keep_the_next_from_being_listed()
    {
        var result = _module.Run("param($A, $B) $A, $B | Get-MoltBackup", ("A", fixture.NewPath()), ("B", fixture.NewPath()));
        Assert.Null(result.Terminating);
        Assert.Equal(2, result.Errors.Count);
    }

    private IReadOnlyList<PSObject> Get(Backups backups) =>
        _module.Run("param($Folder) Get-MoltBackup -Path $Folder", ("Folder", backups.Folder)).ThrowIfFailed().Output;
}
