using System.Diagnostics;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>The samples do what they say, run as people run them.</summary>
public sealed class SampleTests(ServerFixture fixture)
{
    [Fact]
    public async Task The_quick_start_makes_a_backup_that_passes_and_changes_no_database()
    {
        var backups = await fixture.BackupsAsync();
        var folder = fixture.NewPath();
        var result = await MoltProcess.RunAsync(
            "-NonInteractive", "-File", Path.Combine(Staged.RepositoryFolder, "samples", "quickstart.ps1"), "-DatabaseUrl", backups.Url, "-Path", folder);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Matches(@"(?m)^True   Full  moltbeat   \d passed ", result.Output);
        Assert.Contains("What if: ", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\x1b', result.Output);
        Assert.Single(Directory.GetFiles(folder));
    }

    [Fact]
    public async Task The_demo_brings_the_lost_table_back_and_leaves_nothing()
    {
        _ = await fixture.ServerAsync();
        using var demo = Process.Start(new ProcessStartInfo("bash", ["samples/demo.sh", PostgresBinaries.Find().BinFolder])
        {
            WorkingDirectory = Staged.RepositoryFolder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = demo.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = demo.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        try
        {
            await demo.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(5), TestContext.Current.CancellationToken);
        }
        finally
        {
            if (!demo.HasExited)
            {
                MoltProcess.Signal(demo, "TERM");
            }
        }

        Assert.Equal((0, ""), (demo.ExitCode, await error));
        var lines = (await output).TrimEnd().Split('\n');
        Assert.Equal("== They are equal: the lost posts are back.", lines[^1]);
        Assert.False(Directory.Exists(lines[0].Split(' ')[^1]), lines[0]);
    }
}
