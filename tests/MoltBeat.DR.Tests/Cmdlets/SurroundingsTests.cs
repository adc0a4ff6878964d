using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>What the environment says when the parameters do not. One class, so that one test at a time changes the variables.</summary>
public sealed class SurroundingsTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("BACKUP_DIR", null);
        Environment.SetEnvironmentVariable("DATABASE_URL", null);
        _module.Dispose();
    }

    [Fact]
    public async Task The_folder_and_the_database_can_come_from_the_environment()
    {
        var backups = await fixture.BackupsAsync();
        var folder = fixture.NewPath();
        Environment.SetEnvironmentVariable("BACKUP_DIR", folder);
        Environment.SetEnvironmentVariable("DATABASE_URL", backups.Url);
        var result = _module.Run(
            """
            New-MoltBackup
            Get-MoltBackup
            Get-MoltBackup -Latest | Test-MoltBackup
            Get-MoltBackup -Latest | Restore-MoltBackup -TargetDatabase from_environment -Confirm:$false
            """).ThrowIfFailed();
        Assert.Equal(4, result.Output.Count);
        Assert.Equal("moltbeat", result.Output[0].Value<string>("Database"));
        Assert.Equal(result.Output[0].Value<string>("Path"), result.Output[1].Value<string>("Path"));
        Assert.True(result.Output[2].Value<bool>("Passed"));
        Assert.Equal("Proven", result.Output[3].Text("Proof"));
        Assert.StartsWith(folder, result.Output[3].Value<string>("Path"), StringComparison.Ordinal);
        await (await fixture.ServerAsync()).DropDatabaseAsync("from_environment", TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Parameters_go_over_the_environment()
    {
        var backups = await fixture.BackupsAsync();
        Environment.SetEnvironmentVariable("BACKUP_DIR", fixture.NewPath());
        Assert.Equal(3, _module.Run("param($Path) Get-MoltBackup $Path", ("Path", backups.Folder)).ThrowIfFailed().Output.Count);
    }
}
