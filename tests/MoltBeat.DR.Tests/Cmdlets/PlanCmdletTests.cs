using System.Management.Automation;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>Get-, New- and Test-MoltPlan. Every plan is named: what the machine has is not for tests to read.</summary>
public sealed class PlanCmdletTests : IDisposable
{
    private readonly HostedModule _module = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-plan-").FullName;

    public void Dispose()
    {
        _module.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_new_plan_is_shown_and_passes_its_test()
    {
        var path = Path.Combine(_folder, "new", "plan.json");
        var output = _module.Run(
            """
            param($Path, $Folder)
            New-MoltPlan $Path -DatabaseUrl postgresql://u@h/d -MinimumCopies 2 -Destination $Folder, 's3://bucket/p?storageClass=STANDARD_IA' -Confirm:$false
            Get-MoltPlan $Path
            Get-MoltPlan -PlanPath $Path | Test-MoltPlan
            [IO.FileInfo]::new($Path) | Test-MoltPlan
            """, ("Path", path), ("Folder", _folder)).ThrowIfFailed().Output;
        Assert.Equal(4, output.Count);
        Assert.All(output.Take(2), p => Assert.Equal(path, p.Value<string>("Source")));
        Assert.Equal(2, output[0].Value<int>("MinimumCopies"));
        Assert.Equal(["local", "s3"], _module.Run("param($Path) (Get-MoltPlan $Path).Stores.Name", ("Path", path)).ThrowIfFailed().Values);
        Assert.All(output.Skip(2), t => Assert.True(t.Value<bool>("Passed")));
        Assert.StartsWith("//", File.ReadAllText(path), StringComparison.Ordinal);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(path) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Fact]
    public void WhatIf_writes_nothing()
    {
        var path = Path.Combine(_folder, "new", "plan.json");
        Assert.Empty(_module.Run("param($Path) New-MoltPlan $Path -WhatIf", ("Path", path)).ThrowIfFailed().Output);
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void A_plan_that_is_there_is_replaced_only_with_force()
    {
        var path = Write("old");
        var error = _module.Run("param($Path) New-MoltPlan $Path", ("Path", path)).Error;
        Assert.Equal("PlanExists,MoltBeat.DR.NewMoltPlanCommand", error.FullyQualifiedErrorId);
        Assert.Equal(ErrorCategory.ResourceExists, error.CategoryInfo.Category);
        Assert.Equal("old", File.ReadAllText(path));
        _module.Run("param($Path) New-MoltPlan $Path -Force", ("Path", path)).ThrowIfFailed();
        Assert.NotEqual("old", File.ReadAllText(path));
    }

    [Fact]
    public void A_relative_path_is_relative_to_the_sessions_own_location()
    {
        _module.Run("param($Folder) $ExecutionContext.SessionState.Path.SetLocation($Folder) > $null; New-MoltPlan plan.json -Destination backups", ("Folder", _folder)).ThrowIfFailed();
        Assert.Equal(Path.Combine(_folder, "backups"), Assert.Single(_module.Run("(Get-MoltPlan plan.json).Stores.Location").ThrowIfFailed().Values));
    }

    [Theory]
    [InlineData("New-MoltPlan $Path -DatabaseUrl postgresql://u:s3cret@h/d", "SecretInPlan,MoltBeat.DR.NewMoltPlanCommand", ErrorCategory.InvalidData)]
    [InlineData("New-MoltPlan $Path -MinimumCopies 5", "PlanInvalid,MoltBeat.DR.NewMoltPlanCommand", ErrorCategory.InvalidData)]
    [InlineData("Get-MoltPlan $Path", "PlanNotFound,MoltBeat.DR.GetMoltPlanCommand", ErrorCategory.ObjectNotFound)]
    [InlineData("Test-MoltPlan $Path", "PlanNotFound,MoltBeat.DR.TestMoltPlanCommand", ErrorCategory.ObjectNotFound)]
    public void What_cannot_be_done_is_an_error_with_a_remedy(string script, string id, ErrorCategory category)
    {
        var result = _module.Run("param($Path) " + script, ("Path", Path.Combine(_folder, "plan.json")));
        Assert.Empty(result.Output);
        Assert.Equal(id, result.Error.FullyQualifiedErrorId);
        Assert.Equal(category, result.Error.CategoryInfo.Category);
        Assert.NotEmpty(result.Error.ErrorDetails.RecommendedAction);
        Assert.DoesNotContain("s3cret", result.Error.Exception.ToString(), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public void A_test_that_fails_gives_its_result_and_an_error()
    {
        var path = Write("""{ "version": 1, "databases": [{ "name": "a", "url": "host=h dbnam=d" }], "store": [] }""");
        var result = _module.Run("param($Path) Test-MoltPlan $Path", ("Path", path));
        Assert.False(Assert.Single(result.Output).Value<bool>("Passed"));
        Assert.Equal("PlanCheckFailed,MoltBeat.DR.TestMoltPlanCommand", result.Error.FullyQualifiedErrorId);
        File.WriteAllText(path, """{ "version": 1, "databases": [{ "name": "a", "url": "host=h dbnam=d" }] }""");
        Assert.Contains("Databases", _module.Run("param($Path) Test-MoltPlan $Path", ("Path", path)).Error.Exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_vault_is_asked_by_its_own_command_and_its_secret_is_not_shown()
    {
        var path = Write("""{ "version": 1, "databases": [{ "name": "a", "url": "secret:db" }, { "name": "b", "url": "secret:other" }] }""");
        var without = _module.Run("param($Path) Test-MoltPlan $Path -Online", ("Path", path));
        Assert.Contains("no Get-Secret", without.Error.Exception.Message, StringComparison.Ordinal);
        var with = _module.Run(
            """
            param($Path)
            function global:Get-Secret([string] $Name, [switch] $AsPlainText) { if ($Name -eq 'db') { 'postgresql://u:s3cret@h/d' } else { throw 's3cret is not there' } }
            Test-MoltPlan $Path -Online -Verbose
            """, ("Path", path));
        Assert.Contains("secret:other", with.Error.Exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret:db", with.Error.Exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", with.Error.Exception + string.Concat(with.Verbose) + _module.Show("param($Path) Get-MoltPlan $Path; (Test-MoltPlan $Path -Online -ErrorAction Ignore).Checks", ("Path", path)), StringComparison.Ordinal);
    }

    [Fact]
    public void What_others_may_read_is_warned_of()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes.");
        var path = Write("""{ "version": 1 }""");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        }

        Assert.Contains("chmod 0600", Assert.Single(_module.Run("param($Path) Get-MoltPlan $Path", ("Path", path)).ThrowIfFailed().Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(80)]
    [InlineData(120)]
    public void A_plan_and_its_test_are_tables_that_fit(int columns)
    {
        using var module = new HostedModule(columns);
        foreach (var sample in Directory.GetFiles(Path.Combine(Staged.RepositoryFolder, "samples", "plans")))
        {
            var path = Write(File.ReadAllText(sample));
            var plan = module.Show("param($Path) Get-MoltPlan $Path", ("Path", path)).Split('\n');
            Assert.Matches(@"^Databases +Stores +Copies +Kept +Source$", plan[0]);
            Assert.Matches(@"^moltbeat +\w+: .* 2 daily: 30d ", plan[2]);
            var test = module.Show("param($Path) Test-MoltPlan $Path -ErrorAction Ignore", ("Path", path)).Split('\n');
            Assert.Matches(@"^Passed Checks +Source$", test[0]);
            Assert.Matches(@"^(True|False) +\d+ passed ", test[2]);
            Assert.All(plan.Concat(test), l => Assert.True(l.Length <= columns, l));
        }
    }

    private string Write(string text)
    {
        var path = Path.Combine(_folder, "plan.json");
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        return path;
    }
}
