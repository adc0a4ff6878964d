using System.Text;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.TestServers;
using Org.BouncyCastle.Bcpg.OpenPgp;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Encryption;

public sealed class PublicKeysTests(GnuPgFixture gnupg)
{
    private static readonly DateTimeOffset s_then = DateTimeOffset.UtcNow.AddYears(-3);

    [Theory]
    [InlineData("keys.asc")]
    [InlineData("keys.gpg")]
    public async Task A_file_may_hold_several_keys_armored_or_not(string name)
    {
        var keys = await gnupg.KeysAsync();
        var found = await keys.RecipientsAsync(await keys.Home.ExportAsync(name, keys.Rsa, keys.Curve));
        Assert.Equal(new[] { keys.Rsa, keys.Curve }.Order(), found.Select(k => k.Info.Fingerprint).Order());
    }

    [Fact]
    public async Task Armored_keys_behind_one_another_are_all_read_and_each_is_taken_once()
    {
        var keys = await gnupg.KeysAsync();
        var text = new StringBuilder();
        foreach (var key in new[] { keys.Rsa, keys.Curve, keys.Rsa })
            text.Append("Some words of a mail.\r\n\r\n").Append((await File.ReadAllTextAsync(await keys.Home.ExportAsync("one.asc", key), TestContext.Current.CancellationToken)).ReplaceLineEndings("\r\n"));
        var file = keys.Home.File("mails.asc");
        await File.WriteAllTextAsync(file, text.ToString(), TestContext.Current.CancellationToken);
        Assert.Equal([keys.Rsa, keys.Curve], (await keys.RecipientsAsync(file, keys.Curve)).Select(k => k.Info.Fingerprint));
    }

    [Fact]
    public async Task The_keyring_is_asked_by_fingerprint_key_id_or_address()
    {
        var keys = await gnupg.KeysAsync();
        var ids = await keys.Home.KeyIdsAsync(keys.Curve);
        foreach (var spec in new[] { keys.Curve, keys.Curve.ToLowerInvariant(), "0x" + keys.Curve, ids[0], ids[1], "kurt@molt.test", "<kurt@molt.test>", " kurt@molt.test " })
        {
            var found = Assert.Single(await keys.RecipientsAsync(spec));
            Assert.Equal((keys.Curve, ids[1]), (found.Info.Fingerprint, found.Info.KeyId));
            Assert.Equal(["Kurt <kurt@molt.test>"], found.Key.UserIds);
            Assert.Null(found.Expires);
        }
    }

    [Fact]
    public async Task Names_that_could_match_anybody_are_no_names()
    {
        var keys = await gnupg.KeysAsync();
        foreach (var spec in new[] { "Kurt", "kurt", keys.Curve[..8], "", "--export", "a key" })
            Assert.Equal("KeyNotNamed", await Messages.IdAsync(() => keys.RecipientsAsync(spec)));
        Assert.Equal("KeyFileMissing", await Messages.IdAsync(() => keys.RecipientsAsync("/nowhere/key.asc")));
        Assert.Equal("KeyFileMissing", await Messages.IdAsync(() => keys.RecipientsAsync("key.asc")));
        Assert.Equal("KeyNotFound", await Messages.IdAsync(() => keys.RecipientsAsync(new string('A', 40))));
        // It ends like an address that is there.
        await using var other = GnuPgHome.Create();
        await other.CreateKeyAsync("Mallory <xkurt@molt.test>", "ed25519", "cv25519");
        Assert.Equal("KeyNotFound", await Messages.IdAsync(() => new PublicKeys(other.Path).RecipientsAsync(["kurt@molt.test"], TestContext.Current.CancellationToken)));
    }

    [Fact]
    public async Task An_address_of_two_keys_is_refused_with_both_fingerprints()
    {
        await gnupg.KeysAsync();
        await using var home = GnuPgHome.Create();
        var first = await home.CreateKeyAsync("Old <two@molt.test>", "ed25519", "cv25519");
        var second = await home.CreateKeyAsync("New <two@molt.test>", "ed25519", "cv25519");
        var error = await Assert.ThrowsAsync<MoltException>(() => new PublicKeys(home.Path).RecipientsAsync(["two@molt.test"], TestContext.Current.CancellationToken));
        Assert.Equal("KeyAmbiguous", error.Id);
        Assert.Contains(first, error.Message, StringComparison.Ordinal);
        Assert.Contains(second, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_private_key_is_not_taken_where_a_public_one_belongs()
    {
        var keys = await gnupg.KeysAsync();
        var secret = await keys.SecretAsync(keys.Curve);
        Assert.Equal("KeyFileIsPrivate", await Messages.IdAsync(() => keys.RecipientsAsync(secret)));
    }

    [Fact]
    public async Task Keys_that_cannot_be_used_are_refused_with_the_reason_the_fingerprint_and_the_user()
    {
        await gnupg.KeysAsync();
        await using var home = GnuPgHome.Create();
        var expired = await home.CreateKeyAsync("Gone <gone@molt.test>", "ed25519", "cv25519", made: s_then, expires: "1y");
        await RefusedAsync(home, expired, "KeyExpired");

        var subkeyExpired = await home.CreateKeyAsync("Half <half@molt.test>", "ed25519", "cv25519", made: s_then, subkeyExpires: "1y");
        await RefusedAsync(home, subkeyExpired, "KeyExpired");
        Assert.Contains("subkey", (await Assert.ThrowsAsync<MoltException>(() => FindAsync(home, subkeyExpired))).Message, StringComparison.Ordinal);

        var signs = await home.CreateKeyAsync("Sign <sign@molt.test>", "ed25519", null);
        await RefusedAsync(home, signs, "KeyCannotEncrypt");

        var small = await home.CreateKeyAsync("Small <small@molt.test>", "rsa2048", "rsa1024");
        await RefusedAsync(home, small, "KeyAlgorithmNotSupported");

        var elgamal = await home.CreateKeyAsync("Elga <elga@molt.test>", "rsa2048", "elg2048");
        await RefusedAsync(home, elgamal, "KeyAlgorithmNotSupported");

        var revoked = await home.CreateKeyAsync("Back <back@molt.test>", "ed25519", "cv25519");
        await home.RevokeAsync(revoked);
        await RefusedAsync(home, revoked, "KeyRevoked");

        var subkeyRevoked = await home.CreateKeyAsync("Sub <sub@molt.test>", "ed25519", "cv25519");
        await home.EditAsync(subkeyRevoked, "key 1", "revkey", "y", "0", "", "y", "save");
        await RefusedAsync(home, subkeyRevoked, "KeyRevoked");
    }

    [Fact]
    public async Task The_newest_good_subkey_is_chosen_as_gpg_chooses_it()
    {
        await gnupg.KeysAsync();
        await using var home = GnuPgHome.Create();
        var fingerprint = await home.CreateKeyAsync("Many <many@molt.test>", "ed25519", "cv25519", made: s_then);
        await AgreesAsync();
        await home.RunAsync([.. GnuPgHome.Time(s_then.AddYears(1)), "--pinentry-mode", "loopback", "--passphrase", "", "--quick-add-key", fingerprint, "rsa2048", "encr", "never"]);
        await AgreesAsync();
        await home.RunAsync([.. GnuPgHome.Time(s_then.AddYears(1).AddDays(1)), "--pinentry-mode", "loopback", "--passphrase", "", "--quick-add-key", fingerprint, "cv25519", "encr", "1y"]);
        await home.RunAsync(["--pinentry-mode", "loopback", "--passphrase", "", "--quick-add-key", fingerprint, "ed25519", "sign", "never"]);
        await AgreesAsync();
        await home.EditAsync(fingerprint, "key 2", "revkey", "y", "0", "", "y", "save");
        await AgreesAsync();

        async Task AgreesAsync()
        {
            var ours = Assert.Single(await FindAsync(home, fingerprint)).Info.KeyId;
            var (_, _, error) = await home.TryRunAsync(["--status-fd", "2", "--list-packets"], await home.RunAsync(["--recipient", fingerprint, "--encrypt"], "x"u8.ToArray()));
            Assert.Contains($"ENC_TO {ours} ", error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_key_that_was_prolonged_is_good_again_and_its_expiry_is_told()
    {
        await gnupg.KeysAsync();
        await using var home = GnuPgHome.Create();
        var fingerprint = await home.CreateKeyAsync("Long <long@molt.test>", "ed25519", "cv25519", made: s_then, expires: "1y", subkeyExpires: "1y");
        await RefusedAsync(home, fingerprint, "KeyExpired");
        await home.RunAsync(["--pinentry-mode", "loopback", "--passphrase", "", "--quick-set-expire", fingerprint, "2y"]);
        await RefusedAsync(home, fingerprint, "KeyExpired");
        await home.RunAsync(["--pinentry-mode", "loopback", "--passphrase", "", "--quick-set-expire", fingerprint, "1y", (await home.SubkeysAsync(fingerprint))[0]]);
        var key = Assert.Single(await FindAsync(home, fingerprint));
        Assert.InRange(key.Expires!.Value, DateTimeOffset.UtcNow.AddDays(360), DateTimeOffset.UtcNow.AddDays(370));
        Assert.InRange(key.Key.Expires!.Value, DateTimeOffset.UtcNow.AddDays(720), DateTimeOffset.UtcNow.AddDays(735));
    }

    [Fact]
    public async Task A_subkey_that_the_key_never_signed_is_not_used()
    {
        var keys = await gnupg.KeysAsync();
        // Another's subkey, with its binding to that other, put under a key that has none.
        await using var home = GnuPgHome.Create();
        var victim = await home.CreateKeyAsync("Vic <vic@molt.test>", "ed25519", null);
        var victims = Ring(await home.RunAsync(["--export", victim]));
        var others = Ring(await keys.Home.RunAsync(["--export", keys.Curve]));
        var file = home.File("grafted.gpg");
        await File.WriteAllBytesAsync(file, PgpPublicKeyRing.InsertPublicKey(victims, others.GetPublicKeys().Last()).GetEncoded(), TestContext.Current.CancellationToken);
        Assert.Equal("KeyCannotEncrypt", await Messages.IdAsync(() => keys.RecipientsAsync(file)));

        // And a user id whose signature was cut off.
        var bare = PgpPublicKey.RemoveCertification(others.GetPublicKey(), "Kurt <kurt@molt.test>");
        await File.WriteAllBytesAsync(file, PgpPublicKeyRing.InsertPublicKey(others, bare).GetEncoded(), TestContext.Current.CancellationToken);
        Assert.Equal("KeyInvalid", await Messages.IdAsync(() => keys.RecipientsAsync(file)));

        static PgpPublicKeyRing Ring(byte[] bytes) => new(bytes);
    }

    [Fact]
    public async Task Whatever_the_bytes_of_a_key_file_no_other_error_than_ours_comes()
    {
        var keys = await gnupg.KeysAsync();
        var seed = await keys.Home.RunAsync(["--export", keys.Curve]);
        var random = new Random(4);
        var file = keys.Home.File("fuzz.gpg");
        for (var i = 0; i < 1500; i++)
        {
            var bytes = seed.ToArray();
            for (var n = random.Next(1, 4); n > 0; n--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (i % 3 == 0)
                bytes = bytes[..random.Next(bytes.Length)];
            await File.WriteAllBytesAsync(file, bytes, TestContext.Current.CancellationToken);
            try
            {
                // What is not signed may change without harm; but never is another key taken for this one.
                Assert.All(await keys.RecipientsAsync(file), k => Assert.Equal(keys.Curve, k.Info.Fingerprint));
            }
            catch (MoltException e)
            {
                Assert.NotNull(e.Remedy);
            }
        }
    }

    private static Task<IReadOnlyList<RecipientKey>> FindAsync(GnuPgHome home, string fingerprint) =>
        new PublicKeys(home.Path).RecipientsAsync([fingerprint], TestContext.Current.CancellationToken);

    private static async Task RefusedAsync(GnuPgHome home, string fingerprint, string id)
    {
        var error = await Assert.ThrowsAsync<MoltException>(() => FindAsync(home, fingerprint));
        Assert.Equal(id, error.Id);
        Assert.Contains(fingerprint, error.Message, StringComparison.Ordinal);
        Assert.Contains("@molt.test>", error.Message, StringComparison.Ordinal);
    }
}
