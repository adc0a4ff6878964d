using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class ProtectMoltBackupTests(ServerFixture fixture) : IDisposable
{
    private const string Passphrase = "a phrase of passing";

    private readonly HostedModule _module = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task Backups_come_through_the_pipeline_and_each_store_gets_the_new_archive()
    {
        var backups = await fixture.BackupsAsync();
        await using var home = await KeyringAsync();
        var (first, second) = (await home.CreateKeyAsync("First <first@molt.test>", "ed25519", "cv25519", Passphrase), await home.CreateKeyAsync("Second <second@molt.test>", "ed25519", "cv25519"));
        var (near, far) = (fixture.NewPath("near"), fixture.NewPath("far"));
        (string, object?)[] with =
        [
            ("Url", backups.Url), ("Near", near), ("Far", far), ("First", await home.ExportAsync("first.asc", first)), ("Second", await home.ExportAsync("second.asc", second)),
            ("Key", await home.ExportSecretAsync("first-secret.asc", Passphrase, first)), ("Other", await home.ExportSecretAsync("second-secret.asc", "", second)),
            ("Phrase", $"file:{await SecretAsync()}"),
            ("Gone", await home.ExportAsync("gone.asc", await home.CreateKeyAsync("Gone <gone@molt.test>", "ed25519", "cv25519", made: DateTimeOffset.UtcNow.AddYears(-3), expires: "1y", subkeyExpires: "1y"))),
        ];
        const string Parameters = "param($Url, $Near, $Far, $First, $Second, $Key, $Other, $Phrase, $Gone) ";
        var old = _module.Run(Parameters + "New-MoltBackup $Url -Path $Near, $Far -Recipient $First", with).ThrowIfFailed().Output.Single().Value<string>("Name");

        // Nothing is written by a question that is not answered with yes, nor with a key that does not open it.
        var preview = _module.Show(Parameters + "Get-MoltBackup $Near, $Far | Protect-MoltBackup -Recipient $Second -Only -KeyFile $Key -KeyPassphrase $Phrase -WhatIf", with);
        Assert.Contains(second, preview, StringComparison.Ordinal);
        Assert.Contains($"no more to {first}", preview.ReplaceLineEndings(" "), StringComparison.Ordinal);
        Assert.Equal("PrivateKeyMissing,MoltBeat.DR.ProtectMoltBackupCommand", _module.Run(Parameters + "Get-MoltBackup $Near | Protect-MoltBackup -Recipient $Second -KeyFile $Other -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.StartsWith("CannotAsk,", _module.Run(Parameters + "Get-MoltBackup $Near | Protect-MoltBackup -Recipient $Second -KeyFile $Key -KeyPassphrase $Phrase", with).Error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal("KeyExpired,MoltBeat.DR.ProtectMoltBackupCommand", _module.Run(Parameters + "Get-MoltBackup $Near | Protect-MoltBackup -Recipient $Gone -KeyFile $Key -KeyPassphrase $Phrase -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Equal("RecipientMissing,MoltBeat.DR.ProtectMoltBackupCommand", _module.Run(Parameters + "Get-MoltBackup $Near | Protect-MoltBackup -Recipient @() -KeyFile $Key -KeyPassphrase $Phrase -Confirm:$false", with).Error.FullyQualifiedErrorId);
        Assert.Equal([old, old], Directory.GetFileSystemEntries(near).Concat(Directory.GetFileSystemEntries(far)).Select(Path.GetFileName));

        var made = _module.Run(Parameters + "Get-MoltBackup $Near, $Far | Protect-MoltBackup -Recipient $Second -KeyFile $Key -KeyPassphrase $Phrase -Confirm:$false", with).ThrowIfFailed().Output;
        Assert.Equal([("Protected", "Removed"), ("Protected", "Removed")], made.Select(m => (m.Properties["Status"].Value.ToString(), m.Properties["Old"].Value.ToString())));
        foreach (var folder in new[] { near, far })
        {
            var name = Path.GetFileName(Assert.Single(Directory.GetFiles(folder)));
            Assert.Matches($@"^{old[..^4]}_k[0-9a-f]{{8}}\.tar$", name);
        }

        // Both keys open it, and the list shows one backup in two places.
        foreach (var key in new[] { "-KeyFile $Key -KeyPassphrase $Phrase", "-KeyFile $Other" })
        {
            Assert.True(Assert.Single(_module.Run(Parameters + "Get-MoltBackup $Near, $Far | Test-MoltBackup -Level Full " + key, with).ThrowIfFailed().Output).Value<bool>("Passed"));
        }

        Assert.Equal(2, Assert.Single(_module.Run(Parameters + "(Get-MoltBackup $Near, $Far).Locations.Count", with).ThrowIfFailed().Values));
        var unchanged = _module.Show(Parameters + "Get-MoltBackup $Near | Protect-MoltBackup -Recipient $First -KeyFile $Key -KeyPassphrase $Phrase", with);
        Assert.Matches(@"Unchanged +None", unchanged);
    }

    [Fact]
    public async Task Stopped_it_leaves_the_old_archive_and_nothing_else()
    {
        await using var home = await KeyringAsync();
        var fingerprint = await home.CreateKeyAsync("Stop <stop@molt.test>", "ed25519", "cv25519");
        await using var database = await fixture.CreateMoltbeatAsync(fixture.Unique("stopped"));
        await database.ExecuteAsync("CREATE TABLE noise AS SELECT i, sha512(i::text::bytea) AS a, sha512((-i)::text::bytea) AS b FROM generate_series(1, 300000) i", Cancel);
        var folder = fixture.NewPath("stopped");
        var backup = _module.Run("param($Url, $Path) New-MoltBackup $Url -Path $Path", ("Url", database.Uri), ("Path", folder)).ThrowIfFailed().Output.Single();
        using var powerShell = _module.Create("param($Path, $Key) Protect-MoltBackup $Path -Recipient $Key -Confirm:$false", ("Path", backup.Value<string>("Path")), ("Key", await home.ExportAsync("stop.asc", fingerprint)));
        var running = powerShell.InvokeAsync();
        while (!running.IsCompleted && Directory.GetFiles(folder, "*.partial").Length == 0)
        {
            await Task.Delay(1, Cancel);
        }

        Assert.False(running.IsCompleted, "It ended by itself.");
        await powerShell.StopAsync(null, null).WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        await Assert.ThrowsAsync<System.Management.Automation.PipelineStoppedException>(() => running);
        Assert.Equal([backup.Value<string>("Path")], Directory.GetFileSystemEntries(folder));
    }

    private async Task<string> SecretAsync()
    {
        var phrase = fixture.NewPath("phrase");
        await File.WriteAllTextAsync(phrase, Passphrase + "\n", Cancel);
        File.SetUnixFileMode(phrase, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return phrase;
    }

    private static Task<GnuPgHome> KeyringAsync()
    {
        try
        {
            return Task.FromResult(GnuPgHome.Create());
        }
        catch (TestServerMissingException e) when (Environment.GetEnvironmentVariable("CI") is not "true")
        {
            Assert.Skip(e.Message);
            throw;
        }
    }
}
