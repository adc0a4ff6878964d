using System.Reflection;
using System.Runtime.Loader;
using Xunit;

namespace MoltBeat.DR.Tests;

public sealed class IsolationTests
{
    // A process of its own for each: what is loaded first can only be chosen in a fresh one.
    [Theory]
    [InlineData("Npgsql", "9.0.3.0")]
    [InlineData("System.IO.Hashing", "6.0.0.0")]
    public async Task Our_own_version_is_loaded_though_another_was_there_first(string name, string foreignVersion)
    {
        var result = await MoltProcess.RunAsync("-c", $$"""
            $foreign = [Reflection.Assembly]::LoadFrom('{{Path.Combine(Staged.ForeignFolder, name + ".dll")}}')
            Import-Module MoltBeat.DR
            $context = [Runtime.Loader.AssemblyLoadContext]::All.Where{ $_.Name -eq 'MoltBeat.DR' }[0]
            $ours = $context.LoadFromAssemblyName([Reflection.AssemblyName]::new('{{name}}'))
            "$($foreign.GetName().Version)"
            "$($ours.GetName().Version)"
            "$($ours.Location)"
            """);
        var lines = result.Output.Split('\n');
        var expected = AssemblyName.GetAssemblyName(Path.Combine(Staged.ModuleFolder, "dependencies", name + ".dll")).Version!;
        Assert.Equal(foreignVersion, lines[0]);
        Assert.Equal(expected.ToString(), lines[1]);
        Assert.NotEqual(lines[0], lines[1]);
        Assert.StartsWith(Path.Combine(Staged.ModuleFolder, "dependencies"), lines[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_module_and_an_old_AWS_SDK_live_side_by_side()
    {
        var result = await MoltProcess.RunAsync("-c", $$"""
            $aws = [Reflection.Assembly]::LoadFrom('{{Path.Combine(Staged.ForeignFolder, "AWSSDK.Core.dll")}}')
            Import-Module MoltBeat.DR -ErrorAction Stop
            "$([Runtime.Loader.AssemblyLoadContext]::GetLoadContext($aws).Name)"
            "$([Runtime.Loader.AssemblyLoadContext]::GetLoadContext((Get-Module MoltBeat.DR).ImplementingAssembly).Name)"
            """);
        Assert.Equal(["Default", "MoltBeat.DR", ""], result.Output.Split('\n'));
        Assert.Empty(result.Error);
    }

    [Fact]
    public async Task Our_dependencies_are_not_served_to_others()
    {
        var result = await MoltProcess.RunAsync("-c", """
            Import-Module MoltBeat.DR
            try { [Reflection.Assembly]::Load('Npgsql').Location } catch { 'not found' }
            """);
        Assert.Equal("not found\n", result.Output);
    }

    [Fact]
    public void Importing_again_with_force_and_after_a_removal_serves_the_same_assembly()
    {
        using var module = new HostedModule();
        var result = module.Run("""
            param($Manifest)
            (Get-Module MoltBeat.DR).ImplementingAssembly
            Import-Module $Manifest -Force
            (Get-Module MoltBeat.DR).ImplementingAssembly
            Remove-Module MoltBeat.DR
            Import-Module $Manifest
            (Get-Module MoltBeat.DR).ImplementingAssembly
            """, ("Manifest", Staged.Manifest)).ThrowIfFailed();
        Assert.Equal(3, result.Values.Count);
        Assert.Single(result.Values.Distinct());
        Assert.Single(AssemblyLoadContext.All, c => c.Name == "MoltBeat.DR");
    }

    [Fact]
    public void A_second_runspace_shares_the_context()
    {
        using var first = new HostedModule();
        using var second = new HostedModule();
        const string Script = "(Get-Module MoltBeat.DR).ImplementingAssembly";
        Assert.Same(Assert.Single(first.Run(Script).ThrowIfFailed().Values), Assert.Single(second.Run(Script).ThrowIfFailed().Values));
    }
}
