using System.Management.Automation;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

public sealed class TestMoltBackupTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Theory]
    [InlineData("Test-MoltBackup $Path")]
    [InlineData("$Path | Test-MoltBackup")]
    [InlineData("[IO.FileInfo]::new($Path) | Test-MoltBackup")]
    [InlineData("Get-MoltBackup $Path | Test-MoltBackup")]
    [InlineData("Get-MoltBackup $Path | Test-MoltBackup -Level Full")]
    [InlineData("Get-MoltBackup $Path | Test-MoltBackup | Test-MoltBackup -Level Full")]
    public async Task A_backup_binds_by_value_and_by_property_name(string script)
    {
        var backups = await fixture.CopyAsync();
        var result = Assert.Single(_module.Run("param($Path) " + script, ("Path", backups.Newer)).ThrowIfFailed().Output);
        Assert.True(result.Value<bool>("Passed"));
        Assert.Equal(backups.Newer, result.Value<string>("Path"));
        Assert.Equal("moltbeat", result.Value<string>("Database"));
    }

    [Fact]
    public async Task The_result_is_seen_in_the_list_from_then_on()
    {
        var backups = await fixture.CopyAsync();
        var verified = _module.Run(
            """
            param($Path)
            (Get-MoltBackup $Path).Verified
            $null = Test-MoltBackup $Path
            (Get-MoltBackup $Path).Verified
            $null = Test-MoltBackup $Path -Level Full
            (Get-MoltBackup $Path).Verified
            $null = Test-MoltBackup $Path -MinimumSize 1GB -ErrorAction Ignore
            (Get-MoltBackup $Path).Verified
            """, ("Path", backups.Newer)).ThrowIfFailed();
        Assert.Equal(["-", "Quick", "Full", "FAILED"], verified.Values);
    }

    [Fact]
    public async Task A_failed_verification_is_an_object_that_says_why_and_an_error()
    {
        var backups = await fixture.CopyAsync();
        Damage(backups.Newer);
        var result = _module.Run("param($Folder) Get-MoltBackup $Folder | Test-MoltBackup", ("Folder", backups.Folder));
        Assert.Null(result.Terminating);
        Assert.Equal([false, true, true], result.Output.Select(r => r.Value<bool>("Passed")));
        Assert.Equal("VerificationFailed,MoltBeat.DR.TestMoltBackupCommand", result.Error.FullyQualifiedErrorId);
        Assert.Equal(ErrorCategory.InvalidData, result.Error.CategoryInfo.Category);
        Assert.Equal(backups.Newer, result.Error.TargetObject);
        Assert.Contains("another backup", result.Error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        Assert.Contains("Members", result.Error.Exception.Message, StringComparison.Ordinal);

        var stopped = _module.Run("param($Folder) Get-MoltBackup $Folder | Test-MoltBackup -ErrorAction Stop", ("Folder", backups.Folder));
        Assert.NotNull(stopped.Terminating);
        Assert.Single(stopped.Output);
    }

    [Fact]
    public void A_backup_that_is_not_there_is_an_error_of_its_own()
    {
        var result = _module.Run("param($A, $B) $A, $B | Test-MoltBackup", ("A", fixture.NewPath()), ("B", Path.GetTempPath()));
        Assert.Null(result.Terminating);
        Assert.All(result.Errors, e =>
        {
            Assert.Equal("BackupNotFound,MoltBeat.DR.TestMoltBackupCommand", e.FullyQualifiedErrorId);
            Assert.Equal(ErrorCategory.ObjectNotFound, e.CategoryInfo.Category);
            Assert.Contains("Get-MoltBackup", e.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        });
        Assert.Equal(2, result.Errors.Count);
    }

    [Theory]
    [InlineData("-MaxAge 0.001", false)]
    [InlineData("-MaxAge 1.00:00:00", true)]
    [InlineData("-MaxAge 86400", true)]
    [InlineData("-MaxAge '86400'", true)]
    [InlineData("-MinimumSize 1GB", false)]
    [InlineData("-MinimumSize 1kB", true)]
    public async Task Age_and_size_are_checked(string parameters, bool passed)
    {
        var backups = await fixture.CopyAsync();
        var result = _module.Run($"param($Path) Test-MoltBackup $Path {parameters} -ErrorAction Ignore", ("Path", backups.Newer)).ThrowIfFailed();
        Assert.Equal(passed, Assert.Single(result.Output).Value<bool>("Passed"));
    }

    [Fact]
    public async Task Verbose_tells_of_every_check()
    {
        var backups = await fixture.CopyAsync();
        var result = _module.Run("param($Path) Test-MoltBackup $Path -Verbose", ("Path", backups.Newer)).ThrowIfFailed();
        Assert.Contains(result.Verbose, v => v.StartsWith("Members: Passed.", StringComparison.Ordinal));
    }

    /// <summary>Flips a bit in the middle of the rows.</summary>
    internal static void Damage(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var at = bytes.AsSpan().IndexOf("data/1_"u8);

        // Behind the part's tar header.
        bytes[at + 512 + 10] ^= 1;
        File.WriteAllBytes(path, bytes);
    }
}
