using MoltBeat.DR.Engine.Encryption;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Encryption;

public sealed class SealTests(GnuPgFixture gnupg)
{
    public static TheoryData<int> Lengths =>
    [
        0, 1, 15, 16, 17, 183, 184, 185, 186, 187, 190, 191, 192, 193, 511, 512, 513, 8377, 8378, 8383, 8384,
        65490, 65500, 65504, 65505, 65506, 65529, 65530, 65531, 65535, 65536, 65537, 131065, 131066, 131067, 131072, 200_001,
    ];

    [Theory]
    [MemberData(nameof(Lengths))]
    public async Task Gpg_opens_what_we_encrypt(int length)
    {
        var keys = await gnupg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var plain = Messages.Random(length);
        Assert.Equal(plain, await keys.Home.RunAsync(["--decrypt"], seal.Seal(plain)));
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public async Task We_open_what_we_encrypt(int length)
    {
        var keys = await gnupg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Curve));
        using var opener = await keys.OpenerAsync(keys.Curve);
        var plain = Messages.Random(length);
        Assert.Equal(plain, await opener.OpenAsync(seal.Seal(plain, step: Math.Max(1, length / 3 + 7))));
    }

    [Fact]
    public async Task Gpg_opens_tens_of_megabytes_without_a_word_of_warning()
    {
        var keys = await gnupg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var plain = Messages.Random(40 << 20);
        var (code, output, error) = await keys.Home.TryRunAsync(["--status-fd", "2", "--decrypt"], seal.Seal(plain, step: 100_003));
        Assert.Equal(0, code);
        Assert.True(plain.AsSpan().SequenceEqual(output));
        Assert.Contains("[GNUPG:] GOODMDC", error, StringComparison.Ordinal);
        Assert.DoesNotContain("WARNING", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_of_two_recipients_opens_it_with_gpg()
    {
        var keys = await gnupg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa, keys.Curve));
        var plain = Messages.Random(1000);
        var message = seal.Seal(plain);
        foreach (var (fingerprint, passphrase) in new[] { (keys.Rsa, ""), (keys.Curve, GnuPgFixture.Passphrase) })
        {
            await using var other = MoltBeat.TestServers.GnuPgHome.Create();
            var secret = await keys.Home.ExportSecretAsync($"only-{fingerprint}.asc", passphrase, fingerprint);
            await other.RunAsync(["--pinentry-mode", "loopback", "--passphrase", passphrase, "--import", secret]);
            Assert.Equal(plain, await other.RunAsync(["--pinentry-mode", "loopback", "--passphrase", passphrase, "--decrypt"], message));
        }
    }

    [Theory]
    [InlineData("nistp256")]
    [InlineData("nistp384")]
    [InlineData("nistp521")]
    public async Task Keys_on_NIST_curves_serve_too(string curve)
    {
        var keys = await gnupg.KeysAsync();
        var fingerprint = await keys.Home.CreateKeyAsync($"Nist <{curve}@molt.test>", curve, curve);
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(fingerprint));
        using var opener = OpenPgpOpener.FromFile(await keys.Home.ExportSecretAsync($"{curve}.gpg", "", fingerprint), []);
        var message = seal.Seal("hello"u8);
        Assert.Equal("hello"u8.ToArray(), await keys.Home.RunAsync(["--decrypt"], message));
        Assert.Equal("hello"u8.ToArray(), await opener.OpenAsync(message));
    }

    [Fact]
    public async Task Several_members_are_encrypted_at_once_and_no_two_alike()
    {
        var keys = await gnupg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        var plain = Messages.Random(300_000);
        var messages = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => seal.Seal(plain, step: 1000))));
        Assert.Equal(8, messages.Select(Convert.ToHexString).Distinct().Count());
        foreach (var message in messages)
            Assert.Equal(plain, await opener.OpenAsync(message));
    }

    [Fact]
    public async Task Recipients_are_told_by_fingerprint_and_by_the_key_that_the_messages_name()
    {
        var keys = await gnupg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa, keys.Curve));
        Assert.Equal([keys.Rsa, keys.Curve], seal.Recipients.Select(r => r.Fingerprint));
        Assert.Equal([(await keys.Home.KeyIdsAsync(keys.Rsa))[1], (await keys.Home.KeyIdsAsync(keys.Curve))[1]], seal.Recipients.Select(r => r.KeyId));
        var (_, _, error) = await keys.Home.TryRunAsync(["--status-fd", "2", "--list-packets"], seal.Seal("x"u8));
        foreach (var recipient in seal.Recipients)
            Assert.Contains($"ENC_TO {recipient.KeyId} ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_seal_without_recipients_and_one_that_is_wiped_encrypt_nothing()
    {
        Assert.Throws<ArgumentException>(() => new OpenPgpSeal([]));
        var keys = await gnupg.KeysAsync();
        var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        seal.Dispose();
        Assert.Throws<ObjectDisposedException>(() => seal.Begin());
    }
}
