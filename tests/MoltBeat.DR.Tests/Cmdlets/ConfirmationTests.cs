using System.Management.Automation;
using System.Reflection;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>What asks, what it asks for, and that it never waits for one who is not there.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class ConfirmationTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Fact]
    public void Whatever_writes_can_be_previewed_and_whatever_takes_away_asks()
    {
        var assembly = (Assembly)Assert.Single(_module.Run("(Get-Module MoltBeat.DR).ImplementingAssembly").ThrowIfFailed().Values);
        var cmdlets = assembly.GetExportedTypes().Select(t => t.GetCustomAttribute<CmdletAttribute>()).OfType<CmdletAttribute>().ToList();
        Assert.All(cmdlets, c => Assert.Equal(c.VerbName is "New" or "Copy" or "Set" or "Remove" or "Restore" or "Protect" or "Undo" or "Register" or "Unregister" or "Invoke" or "Send" or "Export" || (c.VerbName, c.NounName) is ("Test", "MoltStore") or ("Test", "MoltAlert"), c.SupportsShouldProcess));
        Assert.Equal(["Export-MoltBackup", "Invoke-MoltRecovery", "Protect-MoltBackup", "Remove-MoltBackup", "Remove-MoltPreviousDatabase", "Restore-MoltBackup", "Restore-MoltRow", "Undo-MoltRestore", "Unregister-MoltSchedule"], cmdlets.Where(c => c.ConfirmImpact == ConfirmImpact.High).Select(c => $"{c.VerbName}-{c.NounName}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_last_good_backup_goes_only_when_its_databases_name_is_typed()
    {
        var backups = await fixture.CopyAsync();
        (string, object?)[] with = [("Shop", backups.Shop)];
        var wrong = _module.Answer("Y", "moltbeat").Run("param($Shop) Remove-MoltBackup $Shop -Force", with);
        Assert.Equal("NotConfirmed,MoltBeat.DR.RemoveMoltBackupCommand", wrong.Error.FullyQualifiedErrorId);
        Assert.DoesNotContain("moltbeat", wrong.Error.Exception.Message, StringComparison.Ordinal);
        Assert.Contains("Type its name, shop, to go on.", _module.TakeScreen(), StringComparison.Ordinal);
        Assert.True(File.Exists(backups.Shop));

        // Nobody there: neither the first question nor the second is waited for.
        Assert.Equal("CannotAsk,MoltBeat.DR.RemoveMoltBackupCommand", _module.Run("param($Shop) Remove-MoltBackup $Shop -Force", with).Error.FullyQualifiedErrorId);
        Assert.Equal("CannotAsk,MoltBeat.DR.RemoveMoltBackupCommand", _module.Answer("Y").Run("param($Shop) Remove-MoltBackup $Shop -Force", with).Error.FullyQualifiedErrorId);
        Assert.Equal("CannotAsk,MoltBeat.DR.RemoveMoltBackupCommand", _module.Run("param($Shop) & { $ConfirmPreference = 'None'; Remove-MoltBackup $Shop -Force }", with).Error.FullyQualifiedErrorId);
        Assert.True(File.Exists(backups.Shop));

        Assert.Equal("Removed", _module.Answer("Y", "shop").Run("param($Shop) Remove-MoltBackup $Shop -Force", with).ThrowIfFailed().Output.Single().Text("Status"));
        Assert.False(File.Exists(backups.Shop));
    }

    [Fact]
    public async Task Force_and_Confirm_false_are_enough_for_the_last_good_backup_and_others_need_no_name()
    {
        var backups = await fixture.CopyAsync();
        Assert.Equal("Removed", _module.Run("param($P) Remove-MoltBackup $P -Force -Confirm:$false", ("P", backups.Shop)).ThrowIfFailed().Output.Single().Text("Status"));
        Assert.Equal("Removed", _module.Answer("Y").Run("param($P) Remove-MoltBackup $P -Force", ("P", backups.Older)).ThrowIfFailed().Output.Single().Text("Status"));
    }

    [Fact]
    public async Task A_restore_under_the_name_of_a_production_database_wants_that_name()
    {
        var backups = await fixture.BackupsAsync();
        var server = await fixture.ServerAsync();
        var (name, other, plan) = (fixture.Unique("production"), fixture.Unique("rehearsal"), fixture.NewPath("plan.json"));
        await File.WriteAllTextAsync(plan, $$"""{ "version": 1, "databases": [{ "name": "main", "url": "postgresql://127.0.0.1/{{name}}", "production": true }] }""", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(plan, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        (string, object?)[] with = [("Path", backups.Newer), ("Url", backups.Url), ("Plan", plan), ("Name", name), ("Other", other)];
        const string Restore = "param($Path, $Url, $Plan, $Name, $Other) Restore-MoltBackup $Path -DatabaseUrl $Url -PlanPath $Plan -TargetDatabase ";
        Assert.Equal("NotConfirmed,MoltBeat.DR.RestoreMoltBackupCommand", _module.Answer("yes").Run(Restore + "$Name", with).Error.FullyQualifiedErrorId);
        Assert.Equal("CannotAsk,MoltBeat.DR.RestoreMoltBackupCommand", _module.Run(Restore + "$Name -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Equal("CannotAsk,MoltBeat.DR.RestoreMoltBackupCommand", _module.Run(Restore + "main -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Empty(_module.Run(Restore + "$Name -WhatIf", with).ThrowIfFailed().Output);

        Assert.Single(_module.Answer(name, "Y").Run(Restore + "$Name", with).ThrowIfFailed().Output);
        await server.DropDatabaseAsync(name, TestContext.Current.CancellationToken);
        Assert.Single(_module.Run(Restore + "$Name -Force -Confirm:$false", with).ThrowIfFailed().Output);
        await server.DropDatabaseAsync(name, TestContext.Current.CancellationToken);

        // Any other name is no production database.
        Assert.Single(_module.Run(Restore + "$Other -Confirm:$false", with).ThrowIfFailed().Output);
        await server.DropDatabaseAsync(other, TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("param($P, $Url) Restore-MoltBackup $P -DatabaseUrl $Url")]
    [InlineData("param($P, $Url) Remove-MoltBackup $P")]
    [InlineData("param($P, $Url) Copy-MoltBackup $P -Destination /tmp/none -Confirm")]
    [InlineData("param($P, $Url) Set-MoltBackup $P -Unpin -Reason x -Confirm")]
    [InlineData("param($P, $Url) New-MoltBackup $Url -Path /tmp/none -Confirm")]
    [InlineData("param($P, $Url) New-MoltPlan /tmp/none/plan.json -Confirm")]
    public async Task A_question_that_nobody_can_answer_is_an_error(string script)
    {
        var backups = await fixture.BackupsAsync();
        Assert.StartsWith("CannotAsk,", _module.Run(script, ("P", backups.Newer), ("Url", backups.Url)).Error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.False(Path.Exists("/tmp/none"));
    }

    [Fact]
    public async Task On_a_terminal_the_name_is_typed()
    {
        var backups = await fixture.CopyAsync();
        var result = await MoltProcess.RunOnTerminalAsync($"$ConfirmPreference = \"None\"; Remove-MoltBackup \"{backups.Shop}\" -Force", "Name: ", "shop\n");
        Assert.Equal(0, result.ExitCode);
        Assert.False(File.Exists(backups.Shop));
    }
}
