using MoltBeat.DR.Help;
using Xunit;

namespace MoltBeat.DR.Tests;

public sealed class HelpTests : IDisposable
{
    private static readonly string Pages = Path.Combine(Staged.RepositoryFolder, "docs", "cmdlets");
    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    // Fails as well when a parameter is not described, or one is described that is not there.
    [Fact]
    public void The_help_in_the_repository_is_what_the_pages_and_the_cmdlets_make()
    {
        Assert.All(HelpFiles.Make(Staged.Manifest, Pages, Path.Combine(Staged.RepositoryFolder, "en-US")), file =>
            Assert.True(File.ReadAllText(file.Path) == file.Text, $"{file.Path} is out of date: ./build.sh docs"));
    }

    [Fact]
    public void The_shipped_help_is_that_of_the_repository()
    {
        var source = Path.Combine(Staged.RepositoryFolder, "en-US");
        Assert.Equal(["MoltBeat.DR.dll-Help.xml", "about_MoltBeat.DR.help.txt"], Directory.GetFiles(source).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(Directory.GetFiles(source), file =>
            Assert.Equal(File.ReadAllText(file), File.ReadAllText(Path.Combine(Staged.ModuleFolder, "en-US", Path.GetFileName(file)))));
    }

    [Theory]
    [InlineData("New-MoltBackup", "Makes one consistent backup", "-LockTimeout <TimeSpan>", "PS> New-MoltBackup -WhatIf")]
    [InlineData("Get-MoltBackup", "Lists backups, newest first", "-Before <DateTimeOffset>", "PS> Get-MoltBackup -Latest | Test-MoltBackup -Level Full")]
    [InlineData("Test-MoltBackup", "Verifies backups", "-Level <VerificationLevel>", "-MaxAge 1.00:00:00")]
    [InlineData("Restore-MoltBackup", "proves that it is all there", "-TargetDatabase <String>", "PS> $restore.Tables")]
    [InlineData("Get-MoltPlan", "Shows the plan that counts here", "-PlanPath <String>", "PS> Get-MoltPlan | Format-List")]
    [InlineData("New-MoltPlan", "Writes a first plan", "-Destination <String[]>", "PS> New-MoltPlan -Path ./plan.json")]
    [InlineData("Test-MoltPlan", "Checks a plan", "[-Online]", "PS> Test-MoltPlan -Online")]
    public void Get_Help_shows_synopsis_syntax_parameters_and_examples(string cmdlet, string synopsis, string parameter, string example)
    {
        var help = _module.Show("param($Name) Get-Help $Name -Full", ("Name", cmdlet));
        Assert.Contains(synopsis, help, StringComparison.Ordinal);
        Assert.Contains(parameter, help, StringComparison.Ordinal);
        Assert.Contains("Example 1: ", help, StringComparison.Ordinal);
        Assert.Contains(example, help, StringComparison.Ordinal);
        Assert.Equal(cmdlet is "New-MoltBackup" or "New-MoltPlan" or "Restore-MoltBackup", help.Contains("[-WhatIf]", StringComparison.Ordinal));
        Assert.Contains("Accept pipeline input?", help, StringComparison.Ordinal);
    }

    [Fact]
    public void About_the_module_can_be_asked_for()
    {
        Assert.Contains("molt, the small host", _module.Show("Get-Help about_MoltBeat.DR"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_page_that_describes_another_cmdlet_is_refused()
    {
        var folder = Directory.CreateTempSubdirectory("molt-help-").FullName;
        try
        {
            foreach (var page in Directory.GetFiles(Pages))
            {
                File.Copy(page, Path.Combine(folder, Path.GetFileName(page)));
            }

            var path = Path.Combine(folder, "Get-MoltBackup.md");
            File.WriteAllText(path, File.ReadAllText(path).Replace("### -Latest", "### -Newest", StringComparison.Ordinal));
            var error = Assert.Throws<HelpException>(() => HelpFiles.Make(Staged.Manifest, folder, folder));
            Assert.Contains("-Latest", error.Message, StringComparison.Ordinal);
            Assert.Contains("-Newest", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
