using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Encryption;

public sealed class OpenerTests(GnuPgFixture gnupg)
{
    [Theory]
    [InlineData("--compress-algo", "none")]
    [InlineData("--compress-algo", "zip")]
    [InlineData("--compress-algo", "zlib")]
    [InlineData("--compress-algo", "bzip2")]
    [InlineData("--cipher-algo", "AES")]
    [InlineData("--cipher-algo", "AES192")]
    [InlineData("--cipher-algo", "AES256")]
    [InlineData("--hidden-recipient", "rosa@molt.test")]
    [InlineData("--set-filename", "a name.txt")]
    public async Task We_open_what_gpg_encrypts_from_a_pipe(string option, string value)
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        // Half of it compresses well; from a pipe, gpg writes lengths in pieces.
        byte[] plain = [.. Messages.Random(100_000), .. new byte[100_000]];
        var message = await keys.Home.RunAsync(["--recipient", keys.Rsa, option, value, "--encrypt"], plain);
        Assert.Equal(plain, await opener.OpenAsync(message));
    }

    [Theory]
    [InlineData("none")]
    [InlineData("zlib")]
    public async Task We_open_what_gpg_encrypts_from_a_file(string compression)
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Curve);
        foreach (var length in new[] { 0, 1, 500, 9000, 70_000 })
        {
            var plain = Messages.Random(length);
            var file = keys.Home.File($"plain-{compression}-{length}");
            await File.WriteAllBytesAsync(file, plain, TestContext.Current.CancellationToken);
            var message = await keys.Home.RunAsync(["--recipient", keys.Curve, "--compress-algo", compression, "--output", "-", "--encrypt", file]);
            Assert.Equal(plain, await opener.OpenAsync(message));
        }
    }

    [Fact]
    public async Task We_open_what_gpg_signs_and_encrypts()
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        var plain = Messages.Random(5000);
        Assert.Equal(plain, await opener.OpenAsync(await keys.Home.RunAsync(["--recipient", keys.Rsa, "--local-user", keys.Rsa, "--sign", "--encrypt"], plain)));
    }

    [Theory]
    [InlineData("CAST5")]
    [InlineData("3DES")]
    [InlineData("TWOFISH")]
    public async Task Other_ciphers_than_AES_are_refused_by_name(string cipher)
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        using var agent = OpenPgpOpener.FromAgent(GnuPg.Find(keys.Home.Path), []);
        var message = await keys.Home.RunAsync(["--recipient", keys.Rsa, "--cipher-algo", cipher, "--force-mdc", "--encrypt"], "hello"u8.ToArray());
        foreach (var by in new[] { opener, agent })
        {
            var error = await Assert.ThrowsAsync<MoltException>(() => by.OpenAsync(message));
            Assert.Equal("EncryptionNotSupported", error.Id);
            Assert.Contains(cipher, error.Message, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public async Task A_message_without_an_integrity_check_is_refused()
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        var message = await keys.Home.RunAsync(["--recipient", keys.Rsa, "--rfc2440", "--cipher-algo", "AES256", "--disable-mdc", "--encrypt"], "hello"u8.ToArray());
        // 2.2 makes the check in spite of its options: then take it away as an attacker would, by calling the packet one without.
        var at = message.AsSpan().IndexOf((byte)0xD2);
        if (at >= 0)
            message[at] = 0xC9;
        Assert.Contains(await Messages.IdAsync(() => opener.OpenAsync(message)), new[] { "EncryptionNotSupported", "MemberNotOpenPgp" });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Any_byte_changed_or_cut_off_is_found(bool ours)
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Curve);
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Curve));
        var message = ours
            ? seal.Seal(Messages.Random(60))
            : await keys.Home.RunAsync(["--recipient", keys.Curve, "--compress-algo", "zip", "--encrypt"], new byte[300]);
        var plain = await opener.OpenAsync(message);
        // Tag, length, version, key id, algorithm, and the point of Curve25519: one bit of its coordinate and one of its length in bits have no meaning.
        const int highBit = 2 + 1 + 8 + 1 + 2 + 32;
        for (var at = 0; at < message.Length; at++)
        {
            foreach (var bit in new byte[] { 1, 0x20, 0x80 })
            {
                var changed = message.ToArray();
                changed[at] ^= bit;
                if (at == highBit && bit == 0x80 || at == highBit - 33 && bit == 1)
                {
                    Assert.Equal(plain, await opener.OpenAsync(changed));
                    continue;
                }

                Assert.Contains(await Messages.IdAsync(() => opener.OpenAsync(changed)),
                    new[] { "MemberTampered", "MemberNotOpenPgp", "PrivateKeyMissing", "EncryptionNotSupported" });
            }

            Assert.Contains(await Messages.IdAsync(() => opener.OpenAsync(message[..at])), new[] { "MemberTampered", "MemberNotOpenPgp" });
        }

        Assert.Equal("MemberTampered", await Messages.IdAsync(() => opener.OpenAsync([.. message, 0])));
        Assert.Equal("MemberTampered", await Messages.IdAsync(() => opener.OpenAsync([.. message, .. message])));
    }

    [Fact]
    public async Task A_change_deep_inside_is_found_at_the_end_at_the_latest()
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var message = seal.Seal(Messages.Random(1 << 20));
        foreach (var at in new[] { 1000, 66_000, 500_000, message.Length - 30, message.Length - 1 })
        {
            var changed = message.ToArray();
            changed[at] ^= 4;
            Assert.Equal("MemberTampered", await Messages.IdAsync(() => opener.OpenAsync(changed)));
        }
    }

    [Fact]
    public async Task Whatever_the_bytes_no_other_error_than_ours_comes()
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Curve);
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Curve, keys.Rsa));
        byte[][] seeds =
        [
            seal.Seal(Messages.Random(200)),
            await keys.Home.RunAsync(["--recipient", keys.Curve, "--compress-algo", "bzip2", "--encrypt"], new byte[300]),
            await keys.Home.RunAsync(["--recipient", keys.Curve, "--compress-algo", "zlib", "--encrypt"], new byte[300]),
        ];
        byte[][] plain = [await opener.OpenAsync(seeds[0]), new byte[300], new byte[300]];
        var random = new Random(20261125);
        for (var i = 0; i < 3000; i++)
        {
            var seed = seeds[i % seeds.Length];
            List<byte> bytes = [.. seed];
            for (var n = random.Next(1, 5); n > 0; n--)
            {
                var at = random.Next(bytes.Count);
                switch (random.Next(4))
                {
                    case 0:
                        bytes[at] = (byte)random.Next(256);
                        break;
                    case 1:
                        bytes.Insert(at, (byte)random.Next(256));
                        break;
                    case 2:
                        bytes.RemoveRange(at, Math.Min(random.Next(1, 30), bytes.Count - at));
                        bytes.Add(0xC1);
                        break;
                    default:
                        bytes.AddRange(seed[random.Next(seed.Length)..]);
                        break;
                }
            }

            try
            {
                // What is for another recipient may change without harm; never does anything else come out.
                Assert.Equal(plain[i % seeds.Length], await opener.OpenAsync([.. bytes]));
            }
            catch (MoltException e)
            {
                Assert.NotNull(e.Remedy);
            }
        }
    }

    [Fact]
    public async Task Inner_packets_that_lie_are_found_although_the_check_agrees()
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Curve);
        byte[] literal = [.. PacketBytes.Packet(11, [(byte)'b', 0, 0, 0, 0, 0, 1, 2, 3])];
        byte[][] inner =
        [
            [],
            [0],
            [.. literal, .. literal],
            [.. literal, 0xCB],
            literal[..^1],
            PacketBytes.Packet(9, [1, 2, 3]),
            PacketBytes.Packet(8, [9, 1, 2, 3]),
            PacketBytes.Packet(8, [1]),
            PacketBytes.Packet(8, [2, 1, 2, 3, 4, 5]),
            PacketBytes.Packet(8, [3, (byte)'B', (byte)'Z', (byte)'h', (byte)'9', 1, 2, 3]),
            PacketBytes.Packet(8, [0, .. PacketBytes.Packet(8, [0, .. literal])]),
            PacketBytes.Packet(11, [(byte)'b', 200, 1, 2, 3]),
        ];
        foreach (var packets in inner)
        {
            var message = await MessageOfAsync(keys, packets);
            Assert.Contains(await Messages.IdAsync(() => opener.OpenAsync(message)), new[] { "MemberTampered", "EncryptionNotSupported" });
        }

        Assert.Equal(new byte[] { 1, 2, 3 }, await opener.OpenAsync(await MessageOfAsync(keys, PacketBytes.Packet(8, [0, .. literal]))));
        Assert.Equal(new byte[] { 1, 2, 3 }, await opener.OpenAsync(await MessageOfAsync(keys, [0xAF, (byte)'b', 0, 0, 0, 0, 0, 1, 2, 3])));
    }

    [Fact]
    public async Task A_reader_that_does_not_wait_and_one_that_does_get_the_same_however_the_bytes_arrive()
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var plain = Messages.Random(150_000);
        var message = seal.Seal(plain);
        foreach (var step in new[] { 1, 17, 4096 })
        {
            await using var opened = await opener.OpenAsync(new DrippingStream(message, step), "member.gpg", TestContext.Current.CancellationToken);
            using var all = new MemoryStream();
            var buffer = new byte[1000];
            for (var turn = 0; ; turn++)
            {
                // Both ways in turn, on one stream.
                var n = turn % 2 == 0 ? await opened.ReadAsync(buffer, TestContext.Current.CancellationToken) : opened.Read(buffer);
                if (n == 0)
                    break;
                all.Write(buffer, 0, n);
            }

            Assert.Equal(plain, all.ToArray());
            Assert.Equal(0, opened.Read(buffer));
        }
    }

    [Fact]
    public async Task An_error_of_the_store_stays_what_it_is()
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var message = seal.Seal(Messages.Random(200_000));
        await using var opened = await opener.OpenAsync(new DrippingStream(message, 4096, failAt: 100_000), "member.gpg", TestContext.Current.CancellationToken);
        var error = await Assert.ThrowsAsync<IOException>(() => opened.CopyToAsync(Stream.Null, TestContext.Current.CancellationToken));
        Assert.Equal("The cable is out.", error.Message);
    }

    [Fact]
    public async Task The_stored_bytes_are_closed_with_what_is_read_and_when_opening_fails()
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var good = new DrippingStream(seal.Seal("x"u8), 4096);
        await (await opener.OpenAsync(good, "member.gpg", TestContext.Current.CancellationToken)).DisposeAsync();
        Assert.True(good.IsClosed);
        var bad = new DrippingStream([1, 2, 3], 4096);
        Assert.Equal("MemberNotOpenPgp", await Messages.IdAsync(() => opener.OpenAsync(bad, "member.gpg", TestContext.Current.CancellationToken)));
        Assert.True(bad.IsClosed);
    }

    [Fact]
    public async Task A_wrong_passphrase_a_missing_one_and_a_missing_key_are_told_apart()
    {
        var keys = await gnupg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Curve));
        var message = seal.Seal("x"u8);
        using var wrong = await keys.OpenerAsync(keys.Curve, "five light caves");
        Assert.Equal("PassphraseWrong", await Messages.IdAsync(() => wrong.OpenAsync(message)));
        using var none = await keys.OpenerAsync(keys.Curve, "");
        Assert.Equal("PassphraseMissing", await Messages.IdAsync(() => none.OpenAsync(message)));
        using var other = await keys.OpenerAsync(keys.Rsa, "");
        var error = await Assert.ThrowsAsync<MoltException>(() => other.OpenAsync(message));
        Assert.Equal("PrivateKeyMissing", error.Id);
        Assert.Contains(seal.Recipients[0].KeyId, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_of_several_private_keys_opens_what_is_for_any_of_them()
    {
        var keys = await gnupg.KeysAsync();
        var file = await keys.Home.ExportSecretAsync("both.gpg", GnuPgFixture.Passphrase, keys.Rsa, keys.Curve);
        using var opener = OpenPgpOpener.FromFile(file, GnuPgFixture.Passphrase);
        foreach (var fingerprint in new[] { keys.Rsa, keys.Curve })
        {
            using var seal = new OpenPgpSeal(await keys.RecipientsAsync(fingerprint));
            Assert.Equal("x"u8.ToArray(), await opener.OpenAsync(seal.Seal("x"u8)));
        }
    }

    [Fact]
    public async Task Files_that_hold_no_private_key_are_refused_without_repeating_them()
    {
        var keys = await gnupg.KeysAsync();
        Assert.Equal("KeyFileMissing", Assert.Throws<MoltException>(() => OpenPgpOpener.FromFile(keys.Home.File("nowhere.asc"), [])).Id);
        var open = await keys.Home.ExportAsync("public.asc", keys.Rsa);
        Assert.Equal("KeyFileInvalid", Assert.Throws<MoltException>(() => OpenPgpOpener.FromFile(open, [])).Id);
        var secret = await File.ReadAllTextAsync(await keys.Home.ExportSecretAsync("whole.asc", "", keys.Rsa), TestContext.Current.CancellationToken);
        foreach (var (name, text) in new[] { ("cut.asc", secret[..(secret.Length / 2)]), ("changed.asc", Change(secret)), ("empty.asc", ""), ("prose.asc", "hello") })
        {
            await File.WriteAllTextAsync(keys.Home.File(name), text, TestContext.Current.CancellationToken);
            var error = Assert.Throws<MoltException>(() => OpenPgpOpener.FromFile(keys.Home.File(name), []));
            Assert.Equal("KeyFileInvalid", error.Id);
            Assert.DoesNotContain(secret[200..220], error.ToString(), StringComparison.Ordinal);
        }

        static string Change(string text) => text[..300] + (text[300] == 'A' ? 'B' : 'A') + text[301..];
    }

    [Fact]
    public async Task A_key_whose_private_half_is_elsewhere_is_missing()
    {
        var keys = await gnupg.KeysAsync();
        await using var other = GnuPgHome.Create();
        // Only the primary key's private half; of the subkey gpg then exports a stub.
        var fingerprint = await other.CreateKeyAsync("Stub <stub@molt.test>", "ed25519", "cv25519");
        using var seal = new OpenPgpSeal(await new PublicKeys(other.Path).RecipientsAsync([fingerprint], TestContext.Current.CancellationToken));
        var grip = await GripsAsync(other, fingerprint);
        File.Delete(Path.Combine(other.Path, "private-keys-v1.d", grip[1] + ".key"));
        using var opener = OpenPgpOpener.FromFile(await other.ExportSecretAsync("stub.asc", "", fingerprint), []);
        Assert.Equal("PrivateKeyMissing", await Messages.IdAsync(() => opener.OpenAsync(seal.Seal("x"u8))));
    }

    [Fact]
    public async Task The_agent_opens_members_and_is_asked_once_for_an_archive()
    {
        var keys = await gnupg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa, keys.Curve));
        using var opener = OpenPgpOpener.FromAgent(GnuPg.Find(keys.Home.Path), []);
        var plain = Messages.Random(100_000);
        Assert.Equal(plain, await opener.OpenAsync(seal.Seal(plain)));

        var counting = new CountingSource(new GpgAgentKeys(GnuPg.Find(keys.Home.Path), []));
        using var once = new OpenPgpOpener(counting);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => once.OpenAsync(seal.Seal(plain))));
        Assert.Equal(1, counting.Asked);
        using var another = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        await once.OpenAsync(another.Seal(plain));
        Assert.Equal(2, counting.Asked);
    }

    [Fact]
    public async Task The_agent_takes_a_passphrase_and_says_when_it_is_wrong()
    {
        var keys = await gnupg.KeysAsync();
        // An agent that has not cached the passphrase.
        await using var other = GnuPgHome.Create();
        var secret = await keys.Home.ExportSecretAsync("for-agent.asc", GnuPgFixture.Passphrase, keys.Curve);
        await other.RunAsync(["--pinentry-mode", "loopback", "--passphrase", GnuPgFixture.Passphrase, "--import", secret]);
        await File.AppendAllTextAsync(Path.Combine(other.Path, "gpg-agent.conf"), "max-cache-ttl 0\ndefault-cache-ttl 0\n", TestContext.Current.CancellationToken);
        await other.StopAgentAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Curve));
        var message = seal.Seal("x"u8);
        using var wrong = OpenPgpOpener.FromAgent(GnuPg.Find(other.Path), "five light caves");
        Assert.Equal("PassphraseWrong", await Messages.IdAsync(() => wrong.OpenAsync(message)));
        using var right = OpenPgpOpener.FromAgent(GnuPg.Find(other.Path), GnuPgFixture.Passphrase);
        Assert.Equal("x"u8.ToArray(), await right.OpenAsync(message));
        using var none = OpenPgpOpener.FromAgent(GnuPg.Find(other.Path), []);
        Assert.Contains(await Messages.IdAsync(() => none.OpenAsync(message)), new[] { "PassphraseMissing", "GpgFailed" });
    }

    [Fact]
    public async Task Without_a_passphrase_the_agent_asks_somebody()
    {
        var keys = await gnupg.KeysAsync();
        await using var other = GnuPgHome.Create();

        // What a person types into the agent's window. By another program: a file that this one has open for writing while another test starts a child cannot be run.
        var pinentry = other.File("pinentry");
        await File.WriteAllTextAsync(pinentry + ".text", $"#!/bin/sh\necho OK\nwhile read -r command rest; do case $command in GETPIN) echo 'D {GnuPgFixture.Passphrase}';; BYE) echo OK; exit;; esac; echo OK; done\n", TestContext.Current.CancellationToken);
        await Tool.RunAsync("sh", ["-c", $"cp '{pinentry}.text' '{pinentry}' && chmod 700 '{pinentry}'"], cancel: TestContext.Current.CancellationToken);
        await File.AppendAllTextAsync(Path.Combine(other.Path, "gpg-agent.conf"), $"pinentry-program {pinentry}\n", TestContext.Current.CancellationToken);
        var secret = await keys.Home.ExportSecretAsync("for-person.asc", GnuPgFixture.Passphrase, keys.Curve);
        await other.RunAsync(["--pinentry-mode", "loopback", "--passphrase", GnuPgFixture.Passphrase, "--import", secret]);
        await other.StopAgentAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Curve));
        using var opener = OpenPgpOpener.FromAgent(GnuPg.Find(other.Path), []);
        Assert.Equal("x"u8.ToArray(), await opener.OpenAsync(seal.Seal("x"u8)));
    }

    [Fact]
    public async Task The_agent_says_when_it_has_no_such_key()
    {
        var keys = await gnupg.KeysAsync();
        await using var empty = GnuPgHome.Create();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        using var opener = OpenPgpOpener.FromAgent(GnuPg.Find(empty.Path), []);
        var error = await Assert.ThrowsAsync<MoltException>(() => opener.OpenAsync(seal.Seal("x"u8)));
        Assert.Equal("PrivateKeyMissing", error.Id);
        Assert.Contains(seal.Recipients[0].KeyId, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_session_key_never_shows_in_what_gpg_says()
    {
        var keys = await gnupg.KeysAsync();
        var message = await keys.Home.RunAsync(["--recipient", keys.Rsa, "--encrypt"], "hello"u8.ToArray());
        var said = await GnuPg.Find(keys.Home.Path).RunAsync(["--show-session-key", "--decrypt"], message, null, TestContext.Current.CancellationToken);
        var told = said.Find("SESSION_KEY");
        Assert.NotNull(told);
        Assert.DoesNotContain(told.Split(':')[1], said.Failed("be quiet").ToString(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_machine_without_gpg_says_so()
    {
        Assert.Equal("GpgMissing", Assert.Throws<MoltException>(() => GnuPg.Locate("/nowhere", [])).Id);
    }

    private static async Task<byte[]> MessageOfAsync(GnuPgFixture.Keys keys, byte[] packets)
    {
        using var session = SessionKey.Create();
        var recipient = (await keys.RecipientsAsync(keys.Curve))[0];
        byte[] prefix = Messages.Random(16);
        byte[] plain = [.. prefix, prefix[14], prefix[15], .. packets, 0xD3, 0x14];
#pragma warning disable CA5350 // As OpenPGP has it.
        plain = [.. plain, .. System.Security.Cryptography.SHA1.HashData(plain)];
#pragma warning restore CA5350
        using var transform = session.CreateTransform(encrypt: true);
        var padded = new byte[(plain.Length + 15) / 16 * 16];
        plain.CopyTo(padded, 0);
        var made = transform.TransformFinalBlock(padded, 0, padded.Length)[..plain.Length];
        return [.. SessionKeyPacket.Write(session, recipient.EncryptionKey), .. PacketBytes.Packet(18, [1, .. made])];
    }

    private static async Task<string[]> GripsAsync(GnuPgHome home, string fingerprint) =>
        [.. System.Text.Encoding.UTF8.GetString(await home.RunAsync(["--with-colons", "--with-keygrip", "--list-keys", fingerprint]))
            .Split('\n').Where(l => l.StartsWith("grp:", StringComparison.Ordinal)).Select(l => l.Split(':')[9])];

    private sealed class CountingSource(ISessionKeySource inner) : ISessionKeySource
    {
        public int Asked { get; private set; }

        public Task<SessionKey> FindAsync(IReadOnlyList<SessionKeyPacket> packets, string member, CancellationToken cancellationToken)
        {
            Asked++;
            return inner.FindAsync(packets, member, cancellationToken);
        }

        public void Dispose() => inner.Dispose();
    }

    /// <summary>Gives a few bytes a time, and may fail on the way.</summary>
    private sealed class DrippingStream(byte[] bytes, int step, int failAt = int.MaxValue) : ForwardStream
    {
        private int _at;

        public bool IsClosed { get; private set; }

        public override long Length => bytes.Length;

        public override long Position { get => _at; set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_at >= failAt)
                throw new IOException("The cable is out.");
            var n = Math.Min(Math.Min(buffer.Length, step), bytes.Length - _at);
            bytes.AsSpan(_at, n).CopyTo(buffer.Span);
            _at += n;
            return new(n);
        }

        protected override void Dispose(bool disposing)
        {
            IsClosed = true;
            base.Dispose(disposing);
        }
    }
}
