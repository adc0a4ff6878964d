using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class KeyCmdletTests(ServerFixture fixture) : IDisposable
{
    private const string Passphrase = "a phrase of passing";

    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task A_private_key_is_proven_with_a_backup_and_its_proof_is_listed()
    {
        var backups = await fixture.BackupsAsync();
        await using var home = Keyring();
        var fingerprint = await home.CreateKeyAsync("Key <key@molt.test>", "ed25519", "cv25519", Passphrase);
        var open = await home.ExportAsync("key.asc", fingerprint);
        var secret = await home.ExportSecretAsync("secret.asc", Passphrase, fingerprint);
        var phrase = fixture.NewPath("phrase");
        await File.WriteAllTextAsync(phrase, Passphrase + "\n", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(phrase, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var folder = fixture.NewPath("sealed");
        _module.Run("param($Url, $Path, $Key) New-MoltBackup $Url -Path $Path -Recipient $Key", ("Url", backups.Url), ("Path", folder), ("Key", open)).ThrowIfFailed();

        var before = Assert.Single(_module.Run("param($Path) Get-MoltKey $Path", ("Path", folder)).ThrowIfFailed().Output);
        Assert.Equal((fingerprint, 1), (before.Value<string>("Fingerprint"), before.Value<int>("Backups")));
        Assert.Null(before.Properties["LastProof"].Value);
        Assert.Null(before.Properties["DaysSinceProof"].Value);

        // The wrong key, and the right one with the wrong passphrase.
        var other = await home.CreateKeyAsync("Other <other@molt.test>", "ed25519", "cv25519");
        var missing = _module.Run("param($Path, $Key) Get-MoltBackup $Path | Test-MoltKey -KeyFile $Key", ("Path", folder), ("Key", await home.ExportSecretAsync("other.asc", "", other)));
        Assert.Equal("PrivateKeyMissing,MoltBeat.DR.TestMoltKeyCommand", missing.Error.FullyQualifiedErrorId);
        var locked = _module.Run("param($Path, $Key) Get-MoltBackup $Path | Test-MoltKey -KeyFile $Key", ("Path", folder), ("Key", secret));
        Assert.Equal("PassphraseMissing,MoltBeat.DR.TestMoltKeyCommand", locked.Error.FullyQualifiedErrorId);

        var proof = Assert.Single(_module.Run("param($Path, $Key, $Phrase) Get-MoltBackup $Path | Test-MoltKey -KeyFile $Key -KeyPassphrase $Phrase",
            ("Path", folder), ("Key", secret), ("Phrase", $"file:{phrase}")).ThrowIfFailed().Output);
        Assert.Equal((fingerprint, true, "moltbeat"), (proof.Value<string>("Fingerprint"), proof.Value<bool>("Proven"), proof.Value<string>("Database")));
        var after = Assert.Single(_module.Run("param($Path) Get-MoltKey $Path -Database molt*", ("Path", folder)).ThrowIfFailed().Output);
        Assert.Equal(0, after.Value<int>("DaysSinceProof"));

        var none = _module.Run("param($Path) Test-MoltKey $Path", ("Path", backups.Newer));
        Assert.Equal("BackupNotEncrypted,MoltBeat.DR.TestMoltKeyCommand", none.Error.FullyQualifiedErrorId);
        Assert.Empty(_module.Run("param($Path) Get-MoltKey $Path", ("Path", backups.Folder)).ThrowIfFailed().Output);
        var table = _module.Show("param($Path) Get-MoltKey $Path", ("Path", folder));
        Assert.Contains(fingerprint[24..], table, StringComparison.Ordinal);
    }

    private static GnuPgHome Keyring()
    {
        try
        {
            return GnuPgHome.Create();
        }
        catch (TestServerMissingException e) when (Environment.GetEnvironmentVariable("CI") is not "true")
        {
            Assert.Skip(e.Message);
            throw;
        }
    }
}
