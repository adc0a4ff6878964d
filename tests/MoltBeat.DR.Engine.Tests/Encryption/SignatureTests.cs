using MoltBeat.DR.Engine.Encryption;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Encryption;

public sealed class SignatureTests(GnuPgFixture gnupg)
{
    private static readonly byte[] s_manifest = "{\"a\": \"manifest\"}\n"u8.ToArray();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Gpg_verifies_what_we_sign_and_so_do_we()
    {
        var keys = await gnupg.KeysAsync();
        foreach (var (fingerprint, passphrase) in new[] { (keys.Rsa, ""), (keys.Curve, GnuPgFixture.Passphrase) })
        {
            using var signer = new OpenPgpSigner(await keys.SecretAsync(fingerprint), passphrase);
            Assert.Equal(fingerprint, signer.Fingerprint);
            for (var i = 0; i < 20; i++)
            {
                var signature = await signer.SignAsync(s_manifest, Cancel);
                var (code, error) = await VerifyByGpgAsync(keys.Home, s_manifest, signature);
                Assert.Equal(0, code);
                Assert.Contains($"VALIDSIG {fingerprint}", error, StringComparison.Ordinal);
                Assert.Equal(fingerprint, (await VerifierAsync(keys.Home, fingerprint)).Verify(s_manifest, signature, "archive"));
            }
        }
    }

    [Fact]
    public async Task We_verify_what_gpg_signs_by_itself_or_for_us()
    {
        var keys = await gnupg.KeysAsync();
        var verifier = await VerifierAsync(keys.Home, keys.Rsa, keys.Curve);
        var curve = Assert.Single(await new PublicKeys(keys.Home.Path).FindAsync([keys.Curve], TestContext.Current.CancellationToken));
        using var signer = new GpgAgentSigner(GnuPg.Find(keys.Home.Path), curve, GnuPgFixture.Passphrase);
        Assert.Equal(keys.Curve, verifier.Verify(s_manifest, await signer.SignAsync(s_manifest, Cancel), "archive"));
        Assert.Equal(keys.Rsa, verifier.Verify(s_manifest, await SignByGpgAsync(keys.Home, keys.Rsa), "archive"));
        // Two signatures, one of a stranger: what counts is that one is good.
        await using var stranger = GnuPgHome.Create();
        var strange = await stranger.CreateKeyAsync("Str <str@molt.test>", "ed25519", null);
        byte[] both = [.. await SignByGpgAsync(stranger, strange), .. await signer.SignAsync(s_manifest, Cancel)];
        Assert.Equal(keys.Curve, verifier.Verify(s_manifest, both, "archive"));
    }

    [Fact]
    public async Task A_subkey_may_sign_for_its_owner()
    {
        await gnupg.KeysAsync();
        await using var home = GnuPgHome.Create();
        var fingerprint = await home.CreateKeyAsync("Sub <sub@molt.test>", "ed25519", null);
        await home.RunAsync(["--pinentry-mode", "loopback", "--passphrase", "", "--quick-add-key", fingerprint, "rsa2048", "sign", "never"]);
        using var signer = new OpenPgpSigner(await home.ExportSecretAsync("sub.asc", "", fingerprint), []);
        var signature = await signer.SignAsync(s_manifest, Cancel);
        Assert.Contains((await home.KeyIdsAsync(fingerprint))[1], (await VerifyByGpgAsync(home, s_manifest, signature)).Error, StringComparison.Ordinal);
        Assert.Equal(fingerprint, (await VerifierAsync(home, fingerprint)).Verify(s_manifest, signature, "archive"));
    }

    [Fact]
    public async Task Missing_wrong_and_strange_signatures_are_told_apart()
    {
        var keys = await gnupg.KeysAsync();
        var verifier = await VerifierAsync(keys.Home, keys.Rsa);
        var signature = await SignByGpgAsync(keys.Home, keys.Rsa);
        Assert.Equal("SignatureMissing", Id(verifier, s_manifest, null));
        Assert.Equal("SignatureMissing", Id(verifier, s_manifest, []));
        Assert.Equal("SignatureWrong", Id(verifier, "another manifest"u8.ToArray(), signature));
        Assert.Equal("SignerNotTrusted", Id(verifier, s_manifest, await keys.SignAsync(keys.Curve)));
        Assert.Equal("SignatureWrong", Id(verifier, s_manifest, "no signature"u8.ToArray()));
        Assert.Equal("SignatureWrong", Id(verifier, s_manifest, await keys.Home.RunAsync(["--export", keys.Rsa])));
        Assert.Equal("SignatureWrong", Id(verifier, s_manifest, await keys.Home.RunAsync(["--local-user", keys.Rsa, "--digest-algo", "SHA1", "--detach-sign"], s_manifest)));
        Assert.Equal("SignatureWrong", Id(verifier, s_manifest, await keys.Home.RunAsync(["--local-user", keys.Rsa, "--textmode", "--detach-sign"], s_manifest)));
    }

    [Fact]
    public async Task Any_change_of_a_signature_is_refused_and_with_no_other_error_than_ours()
    {
        var keys = await gnupg.KeysAsync();
        var verifier = await VerifierAsync(keys.Home, keys.Rsa, keys.Curve);
        foreach (var signature in new[] { await SignByGpgAsync(keys.Home, keys.Rsa), await keys.SignAsync(keys.Curve) })
        {
            for (var at = 0; at < signature.Length; at++)
            {
                foreach (var bit in new byte[] { 1, 0x10, 0x80 })
                {
                    var changed = signature.ToArray();
                    changed[at] ^= bit;
                    try
                    {
                        // What is outside of the signed part may change: the hint of the digest, the issuer's id.
                        Assert.Contains(verifier.Verify(s_manifest, changed, "archive"), new[] { keys.Rsa, keys.Curve });
                    }
                    catch (MoltException e)
                    {
                        Assert.Contains(e.Id, new[] { "SignatureWrong", "SignerNotTrusted" });
                    }
                }

                Assert.Contains(Id(verifier, s_manifest, signature[..at]), new[] { "SignatureWrong", "SignatureMissing", "SignerNotTrusted" });
            }
        }
    }

    [Fact]
    public async Task An_expired_key_vouches_only_for_what_it_signed_before()
    {
        await gnupg.KeysAsync();
        await using var home = GnuPgHome.Create();
        var then = DateTimeOffset.UtcNow.AddYears(-3);
        var fingerprint = await home.CreateKeyAsync("Exp <exp@molt.test>", "ed25519", null, made: then, expires: "1y");
        var verifier = await VerifierAsync(home, fingerprint);
        Assert.Equal(fingerprint, verifier.Verify(s_manifest, await SignByGpgAsync(home, fingerprint, then.AddDays(30)), "archive"));

        // gpg refuses to sign with it now; the same key without its expiry would, so sign as one that has been prolonged and verify as one that was not.
        var old = await home.ExportAsync("expired.asc", fingerprint);
        await home.RunAsync(["--pinentry-mode", "loopback", "--passphrase", "", "--quick-set-expire", fingerprint, "never"]);
        var late = await SignByGpgAsync(home, fingerprint);
        Assert.Equal(fingerprint, (await VerifierAsync(home, fingerprint)).Verify(s_manifest, late, "archive"));
        Assert.Equal("SignerNotTrusted", Id(await VerifierAsync(home, old), s_manifest, late));
    }

    [Theory]
    [InlineData("1", false)]
    [InlineData("2", true)]
    public async Task A_stolen_key_vouches_for_nothing_and_a_retired_one_for_what_it_signed_before(string reason, bool believed)
    {
        await gnupg.KeysAsync();
        await using var home = GnuPgHome.Create();
        var fingerprint = await home.CreateKeyAsync("Rev <rev@molt.test>", "ed25519", null, made: DateTimeOffset.UtcNow.AddYears(-1));
        var before = await SignByGpgAsync(home, fingerprint, DateTimeOffset.UtcNow.AddDays(-100));
        var later = await SignByGpgAsync(home, fingerprint, DateTimeOffset.UtcNow.AddHours(1));
        await home.RevokeAsync(fingerprint, reason);
        var verifier = await VerifierAsync(home, fingerprint);
        if (believed)
            Assert.Equal(fingerprint, verifier.Verify(s_manifest, before, "archive"));
        else
            Assert.Equal("SignerNotTrusted", Id(verifier, s_manifest, before));
        Assert.Equal("SignerNotTrusted", Id(verifier, s_manifest, later));
    }

    [Fact]
    public async Task Keys_that_cannot_sign_are_refused_before_anything_is_signed()
    {
        var keys = await gnupg.KeysAsync();
        var curve = await keys.SecretAsync(keys.Curve);
        Assert.Equal("PassphraseWrong", Assert.Throws<MoltException>(() => new OpenPgpSigner(curve, "no")).Id);
        Assert.Equal("PassphraseMissing", Assert.Throws<MoltException>(() => new OpenPgpSigner(curve, [])).Id);
        Assert.Equal("KeyAmbiguous", Assert.Throws<MoltException>(() => new OpenPgpSigner(
            keys.Home.ExportSecretAsync("two.asc", GnuPgFixture.Passphrase, keys.Rsa, keys.Curve).GetAwaiter().GetResult(), [])).Id);
        await using var home = GnuPgHome.Create();
        var expired = await home.CreateKeyAsync("Gone <gone@molt.test>", "ed25519", null, made: DateTimeOffset.UtcNow.AddYears(-3), expires: "1y");
        var file = await home.ExportSecretAsync("gone.asc", "", expired);
        Assert.Equal("KeyExpired", Assert.Throws<MoltException>(() => new OpenPgpSigner(file, [])).Id);
        // The public key is there, the private one is not.
        await using var empty = GnuPgHome.Create();
        await empty.RunAsync(["--import", await keys.Home.ExportAsync("curve.asc", keys.Curve)]);
        var key = Assert.Single(await new PublicKeys(empty.Path).FindAsync([keys.Curve], TestContext.Current.CancellationToken));
        using var signer = new GpgAgentSigner(GnuPg.Find(empty.Path), key, []);
        Assert.Equal("PrivateKeyMissing", (await Assert.ThrowsAsync<MoltException>(() => signer.SignAsync(s_manifest, Cancel))).Id);
    }

    [Fact]
    public async Task An_agent_that_waits_for_somebody_is_given_up_and_can_be_interrupted()
    {
        await using var home = GnuPgHome.Create();
        // The agent's window for the passphrase, and nobody there to see it.
        var pinentry = home.File("pinentry");
        await File.WriteAllTextAsync(pinentry + ".text", "#!/bin/sh\necho \"$$\" >\"$0.pid\"\necho OK\nexec sleep 600\n", Cancel);
        // By another program: a file that this one has open for writing while another test starts a child cannot be run.
        await Tool.RunAsync("sh", ["-c", $"cp '{pinentry}.text' '{pinentry}' && chmod 700 '{pinentry}'"], cancel: Cancel);
        await File.AppendAllTextAsync(Path.Combine(home.Path, "gpg-agent.conf"), $"pinentry-program {pinentry}\n", Cancel);
        var fingerprint = await home.CreateKeyAsync("Slow <slow@molt.test>", "ed25519", null, GnuPgFixture.Passphrase);
        var key = Assert.Single(await new PublicKeys(home.Path).FindAsync([fingerprint], Cancel));

        await home.StopAgentAsync(); // it knows the passphrase from making the key
        try
        {
            using var signer = new GpgAgentSigner(GnuPg.Find(home.Path), key, []) { Limit = TimeSpan.FromSeconds(3) };
            var e = await Assert.ThrowsAsync<MoltException>(() => signer.SignAsync(s_manifest, Cancel));
            Assert.Equal(("AgentTimedOut", ErrorKind.Timeout), (e.Id, e.Kind));
            Assert.True(File.Exists(pinentry + ".pid"), "nobody was asked");

            using var patient = new GpgAgentSigner(GnuPg.Find(home.Path), key, []);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            stop.CancelAfter(TimeSpan.FromSeconds(1));
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => patient.SignAsync(s_manifest, stop.Token).WaitAsync(TimeSpan.FromSeconds(20), Cancel));
        }
        finally
        {
            if (File.Exists(pinentry + ".pid"))
            {
                await Tool.RunAsync("sh", ["-c", $"kill $(cat '{pinentry}.pid') 2>/dev/null || true"], cancel: Cancel);
            }
        }
    }

    private static string Id(OpenPgpVerifier verifier, byte[] manifest, byte[]? signature) =>
        Assert.Throws<MoltException>(() => verifier.Verify(manifest, signature is null ? (ReadOnlyMemory<byte>?)null : signature, "archive")).Id;

    private static async Task<OpenPgpVerifier> VerifierAsync(GnuPgHome home, params string[] keys) =>
        new(await new PublicKeys(home.Path).FindAsync(keys, TestContext.Current.CancellationToken));

    private static Task<byte[]> SignByGpgAsync(GnuPgHome home, string fingerprint, DateTimeOffset? at = null) =>
        home.RunAsync([.. GnuPgHome.Time(at), "--local-user", fingerprint, "--detach-sign"], s_manifest);

    private static async Task<(int ExitCode, string Error)> VerifyByGpgAsync(GnuPgHome home, byte[] manifest, byte[] signature)
    {
        var (data, detached) = (home.File("manifest.json"), home.File("manifest.sig"));
        await File.WriteAllBytesAsync(data, manifest, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(detached, signature, TestContext.Current.CancellationToken);
        var (code, _, error) = await home.TryRunAsync(["--status-fd", "2", "--verify", detached, data]);
        return (code, error);
    }
}

internal static class SigningExtensions
{
    public static async Task<byte[]> SignAsync(this GnuPgFixture.Keys keys, string fingerprint)
    {
        using var signer = new OpenPgpSigner(await keys.SecretAsync(fingerprint), GnuPgFixture.Passphrase);
        return await signer.SignAsync("{\"a\": \"manifest\"}\n"u8.ToArray(), TestContext.Current.CancellationToken);
    }
}
