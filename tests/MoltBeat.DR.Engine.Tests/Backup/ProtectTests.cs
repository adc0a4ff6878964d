using System.Security.Cryptography;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Copying;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.DR.Engine.Tests.Encryption;
using MoltBeat.DR.Engine.Tests.Recovery;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>Backups that are encrypted anew: for more recipients, for others, and what holds that up.</summary>
public sealed class ProtectTests(PostgresFixture postgres, GnuPgFixture gnuPg, CephFixture ceph) : IDisposable
{
    private readonly Workshop _workshop = new();
    private readonly List<MoltException> _problems = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _workshop.Dispose();

    [Fact]
    public async Task An_added_recipient_opens_it_with_gpg_and_so_does_the_old_one_and_the_data_are_the_same()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        var backup = await SealedAsync(source, keys.Rsa);
        using var rsa = await keys.OpenerAsync(keys.Rsa);
        var before = await PlainAsync(backup.Path, rsa);

        // The old recipient's public key is not needed: only the new one's is looked up.
        var result = await ProtectAsync(backup, keys, keys.Rsa, [keys.Curve]);
        Assert.Equal((ProtectStatus.Protected, OldArchiveStatus.Removed, backup.Id), (result.Status, result.Old, result.BackupId));
        Assert.Equal([keys.Rsa, keys.Curve], result.Recipients.Select(r => r.Fingerprint));
        Assert.Equal([keys.Rsa], result.Proven);
        Assert.Equal([result.Path], Directory.GetFiles(_workshop.Folder));
        Assert.False(Directory.Exists(backup.Path + ".records"));

        using var curve = await keys.OpenerAsync(keys.Curve);
        foreach (var opener in new IMemberOpener[] { rsa, curve })
        {
            var after = await PlainAsync(result.Path, opener);
            Assert.Equal(before.Keys, after.Keys);
            Assert.Equal(before.Where(b => b.Key != ArchiveFormat.Readme), after.Where(a => a.Key != ArchiveFormat.Readme));
        }

        // gpg by itself, with the added key alone in its keyring, and with the old one alone.
        foreach (var (key, phrase) in new[] { (keys.Curve, GnuPgFixture.Passphrase), (keys.Rsa, "") })
        {
            await using var alone = GnuPgHome.Create();
            await alone.RunAsync(["--pinentry-mode", "loopback", "--passphrase", phrase, "--import", await keys.SecretAsync(key)]);
            foreach (var (name, message) in await StoredAsync(result.Path))
            {
                var plain = await alone.RunAsync(["--pinentry-mode", "loopback", "--passphrase", phrase, "--decrypt"], message);
                Assert.True(before[ArchiveFormat.PlainName(name)] == Hash(plain), $"{name} as {key} opens it");
            }
        }

        var listed = Assert.Single(await new BackupCatalog(_workshop.Store).ListAsync(e => throw e, Cancel));
        Assert.Equal((backup.Id, backup.Created, backup.Duration, "Quick"), (listed.Id, listed.Created, listed.Duration, listed.Verified));
        Assert.Equal(backup.Name, listed.Manifest.ProtectedFrom!.Name);
        Assert.Equal(keys.Rsa, Assert.Single(listed.Locations[0].KeyProofs).Fingerprint);
        await RestoreAsync(listed, source, curve);
    }

    [Fact]
    public async Task Replaced_recipients_cannot_open_it_and_the_new_ones_can()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        var backup = await SealedAsync(source, keys.Rsa, keys.Curve);
        using var rsa = await keys.OpenerAsync(keys.Rsa);
        using var curve = await keys.OpenerAsync(keys.Curve);
        var before = await PlainAsync(backup.Path, rsa);

        // The canary's old text is known to those who go.
        var old = await SessionKeyAsync(backup.Path, keys);
        var result = await ProtectAsync(backup, keys, keys.Curve, [keys.Curve], o => o with { Only = true });
        Assert.Equal(OldArchiveStatus.Removed, result.Old);
        Assert.Equal([keys.Curve], result.Recipients.Select(r => r.Fingerprint));
        var after = await PlainAsync(result.Path, curve);
        Assert.Equal(before.Keys, after.Keys);
        foreach (var (name, hash) in before.Where(b => b.Key is not ArchiveFormat.Readme))
            Assert.Equal(name != ArchiveFormat.Canary, after[name] == hash);
        Assert.Equal("PrivateKeyMissing", await Messages.IdAsync(() => PlainAsync(result.Path, rsa)));

        // Nor does the old session key open it, which whoever goes may have kept.
        var (ended, _, _) = await keys.Home.TryRunAsync(["--override-session-key", old, "--decrypt"], (await StoredAsync(result.Path))[0].Message);
        Assert.NotEqual(0, ended);
        Assert.DoesNotContain(keys.Rsa, await new StreamReader(await OpenMemberAsync(result.Path, ArchiveFormat.Readme)).ReadToEndAsync(Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_readable_backup_becomes_one_as_if_it_had_been_encrypted_from_the_beginning()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await postgres.CreateEverythingAsync();
        var backup = await _workshop.BackupAsync(source, o => o with { PartBytes = 8 << 20 });
        var contents = await _workshop.ContentsAsync(backup);
        var result = await ProtectAsync(backup, keys, keys.Curve, [keys.Curve]);
        Assert.Equal((ProtectStatus.Protected, OldArchiveStatus.Removed), (result.Status, result.Old));
        var bytes = await File.ReadAllBytesAsync(result.Path, Cancel);
        var words = contents.Tables.SelectMany(t => t.Columns.Append(t.Name)).Where(n => n.Length > 7).Distinct().ToList();
        Assert.True(words.Count > 20);
        Assert.DoesNotContain(words, w => bytes.AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(w)) >= 0);
        using var curve = await keys.OpenerAsync(keys.Curve);
        var made = Assert.Single(await new BackupCatalog(_workshop.Store).ListAsync(e => throw e, Cancel));
        Assert.True((await _workshop.VerifyAsync(made, VerificationLevel.Full, new ArchiveAccess(curve))).Passed);
        var copy = postgres.Unique("protected_copy");
        try
        {
            await _workshop.RestoreAsync(made, source.Server, copy, o => o with { Access = new ArchiveAccess(curve) });
            await Likeness.AssertAsync(source, source.Server, copy);
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task The_script_in_a_readable_backup_that_was_encrypted_later_restores_it_with_gpg()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        var result = await ProtectAsync(await _workshop.BackupAsync(source), keys, keys.Rsa, [keys.Rsa]);
        var target = postgres.Unique("scripted");
        try
        {
            var (code, said) = await RestoreScriptTests.RunAsync(_workshop, source.Server, result.Path, target, keys.Home);
            Assert.True(code == 0, said);
            Assert.Equal(1000L, await source.Server.ScalarAsync<long>("SELECT count(*) FROM t", target, Cancel));
        }
        finally
        {
            await source.Server.DropDatabaseAsync(target, Cancel);
        }
    }

    [Fact]
    public async Task What_is_refused_changes_nothing()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        var backup = await SealedAsync(source, keys.Curve);
        var whole = Hash(await File.ReadAllBytesAsync(backup.Path, Cancel));

        // The wrong key, the wrong passphrase, a key that has expired, nobody, no approval.
        Assert.Equal("PrivateKeyMissing", await Messages.IdAsync(() => ProtectAsync(backup, keys, keys.Rsa, [keys.Rsa])));
        using (var guess = ArchiveKeys.Opener(await keys.SecretAsync(keys.Curve), "a guess"))
            Assert.Equal("PassphraseWrong", await Messages.IdAsync(async () => await ProtectAsync(backup, new ProtectOptions { Recipients = await keys.RecipientsAsync(keys.Rsa), Keys = guess })));
        Assert.Equal("RecipientMissing", await Messages.IdAsync(() => ProtectAsync(backup, keys, keys.Curve, [])));
        await using (var home = GnuPgHome.Create())
        {
            var expired = await home.CreateKeyAsync("Gone <gone@molt.test>", "ed25519", "cv25519", made: DateTimeOffset.UtcNow.AddYears(-3), expires: "1y", subkeyExpires: "1y");
            Assert.Equal("KeyExpired", await Messages.IdAsync(() => new PublicKeys(home.Path).RecipientsAsync([expired], Cancel)));
        }

        using (var opener = ArchiveKeys.Opener(await keys.SecretAsync(keys.Curve), GnuPgFixture.Passphrase))
        {
            ProtectPlan? plan = null;
            Assert.Empty(await ProtectOperation.RunAsync([(_workshop.Store, backup.Name)], new ProtectOptions { Recipients = await keys.RecipientsAsync(keys.Rsa), Only = true, Keys = opener }, p =>
            {
                plan = p;
                return Task.FromResult(false);
            }, _workshop, _problems.Add, Cancel));
            Assert.Equal([keys.Curve], plan!.Lost.Select(l => l.Fingerprint));
            Assert.Contains(keys.Rsa, plan.ToString(), StringComparison.Ordinal);
        }

        // The same recipients again.
        Assert.Equal(ProtectStatus.Unchanged, (await ProtectAsync(backup, keys, keys.Curve, [keys.Curve])).Status);
        Assert.Equal([backup.Path], Directory.GetFileSystemEntries(_workshop.Folder));
        Assert.Equal(whole, Hash(await File.ReadAllBytesAsync(backup.Path, Cancel)));
        Assert.Empty(_problems);
    }

    [Theory]
    [InlineData(60, "ArchiveDamaged", false)]
    [InlineData(5, "MemberTampered", true)]
    public async Task A_tampered_archive_is_not_passed_on(int fromEnd, string id, bool rightHash)
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        var backup = await SealedAsync(source, keys.Rsa);
        var bytes = await File.ReadAllBytesAsync(backup.Path, Cancel);
        var editor = new ArchiveEditor(bytes);
        var name = editor.Names.First(n => n.StartsWith(ArchiveFormat.DataFolder, StringComparison.Ordinal));
        if (rightHash)
        {
            // As somebody does it who puts the hash in the manifest right.
            var rows = editor[name].ToArray();
            rows[^fromEnd] ^= 1;
            editor[name] = rows;
            bytes = editor.Build();
        }
        else
        {
            await using var archive = await _workshop.OpenAsync(backup);
            var member = archive.Manifest.Members.Single(m => m.Name == name);
            bytes[member.Offset + member.Length - fromEnd] ^= 1;
        }

        await File.WriteAllBytesAsync(backup.Path, bytes, Cancel);
        Assert.Equal(id, await Messages.IdAsync(() => ProtectAsync(backup, keys, keys.Rsa, [keys.Curve])));
        Assert.Equal([backup.Path], Directory.GetFiles(_workshop.Folder));
    }

    [Fact]
    public async Task A_copy_that_is_damaged_is_passed_over_and_stays_for_somebody_to_look_at()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        var backup = await SealedAsync(source, keys.Rsa);
        var other = new LocalStore(Directory.CreateDirectory(Path.Combine(_workshop.Folder, "other")).FullName);
        await CopyOperation.RunAsync([(_workshop.Store, backup.Name)], other, readBack: true, null, _workshop, Cancel);
        var bytes = await File.ReadAllBytesAsync(backup.Path, Cancel);
        bytes[bytes.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(backup.Path, bytes, Cancel);
        using var rsa = ArchiveKeys.Opener(await keys.SecretAsync(keys.Rsa), "");
        var options = new ProtectOptions { Recipients = await keys.RecipientsAsync(keys.Curve), Keys = rsa };
        var results = await ProtectOperation.RunAsync([(_workshop.Store, backup.Name), (other, backup.Name)], options, _ => Task.FromResult(true), _workshop, _problems.Add, Cancel);
        Assert.All(results, r => Assert.Equal(ProtectStatus.Protected, r.Status));
        Assert.Equal(Hash(await File.ReadAllBytesAsync(results[0].Path, Cancel)), Hash(await File.ReadAllBytesAsync(results[1].Path, Cancel)));
        Assert.Contains(_workshop.Warnings, w => w.Contains("Reading the copy in", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_signed_backup_stays_a_signed_one_or_somebody_has_said_that_it_may_not()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        using var signer = new OpenPgpSigner(await keys.SecretAsync(keys.Curve), GnuPgFixture.Passphrase);
        using var stranger = new OpenPgpSigner(await keys.SecretAsync(keys.Rsa), "");
        var verifier = new OpenPgpVerifier(await new PublicKeys(keys.Home.Path).FindAsync([keys.Curve], Cancel));
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var backup = await _workshop.BackupAsync(source, o => o with { Seal = seal, Signer = signer });
        Assert.Equal("SignatureWouldBeLost", await Messages.IdAsync(() => ProtectAsync(backup, keys, keys.Rsa, [keys.Curve])));
        Assert.Equal("SignerNotTrusted", await Messages.IdAsync(() => ProtectAsync(backup, keys, keys.Rsa, [keys.Curve], o => o with { Signer = stranger, Verifier = verifier })));
        Assert.Equal([backup.Path], Directory.GetFileSystemEntries(_workshop.Folder));

        var result = await ProtectAsync(backup, keys, keys.Rsa, [keys.Curve], o => o with { Signer = signer, Verifier = verifier });
        Assert.Equal(OldArchiveStatus.Removed, result.Old);
        var listed = Assert.Single(await new BackupCatalog(_workshop.Store, new ArchiveAccess(Verifier: verifier)).ListAsync(e => throw e, Cancel));
        Assert.Equal(result.Name, listed.Name);

        var unsigned = await ProtectAsync(listed, keys, keys.Rsa, [keys.Curve], o => o with { Only = true, DropSignature = true });
        Assert.Equal(OldArchiveStatus.StillThere, unsigned.Old); // the RSA key opens the new one no more
        Assert.Equal(2, Directory.GetFiles(_workshop.Folder, "*.tar").Length);
        await Assert.ThrowsAsync<MoltException>(() => new BackupCatalog(_workshop.Store, new ArchiveAccess(Verifier: verifier)).ListAsync(e => throw e, Cancel));
    }

    [Fact]
    public async Task Without_a_proof_of_the_new_keys_and_under_a_pin_the_old_archive_stays()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        var backup = await SealedAsync(source, keys.Rsa);

        // Whoever opens it is no recipient any more, and nobody has shown that the new one's key exists.
        var unproven = await ProtectAsync(backup, keys, keys.Rsa, [keys.Curve], o => o with { Only = true });
        Assert.Equal((OldArchiveStatus.StillThere, 0), (unproven.Old, unproven.Proven.Count));
        Assert.Contains("Test-MoltKey", unproven.Reason, StringComparison.Ordinal);

        // Both together are one backup for the rules, and either may take the other's place.
        var all = await new BackupCatalog(_workshop.Store).ListAsync(e => throw e, Cancel);
        Assert.Equal([unproven.Name, backup.Name], all.Select(b => b.Name));
        Assert.Single(all.Select(b => b.Id).Distinct());

        // Done again with the new key it goes on from there: nothing is made twice.
        await BackupCatalog.RecordAsync(_workshop.Store, backup.Name, new PinRecord(backup.Id, true, "audit", "ada", "here", DateTimeOffset.UtcNow), Cancel);
        using var both = await BothAsync(keys);
        var pinned = await ProtectAsync(backup, new ProtectOptions { Recipients = await keys.RecipientsAsync(keys.Curve), Only = true, Keys = both });
        Assert.Equal((ProtectStatus.AlreadyThere, OldArchiveStatus.StillThere), (pinned.Status, pinned.Old));
        Assert.Equal("BackupPinned", Assert.Single(_problems).Id);
        Assert.Equal("audit", (await new BackupCatalog(_workshop.Store).ReadAsync(pinned.Name, Cancel)).Pin!.Reason);

        await BackupCatalog.RecordAsync(_workshop.Store, backup.Name, new PinRecord(backup.Id, false, "audited", "ada", "here", DateTimeOffset.UtcNow.AddSeconds(1)), Cancel);
        Assert.Equal(OldArchiveStatus.Removed, (await ProtectAsync(backup, new ProtectOptions { Recipients = await keys.RecipientsAsync(keys.Curve), Only = true, Keys = both })).Old);
        Assert.Equal([pinned.Path], Directory.GetFiles(_workshop.Folder));
    }

    [Theory]
    [InlineData(ArchiveFormat.RestoreScript)]
    [InlineData("rows")]
    public async Task An_archive_that_only_says_it_was_made_of_this_one_does_not_take_its_place(string what)
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        var backup = await SealedAsync(source, keys.Rsa);
        var made = await ProtectAsync(backup, keys, keys.Rsa, [keys.Curve], o => o with { KeepOld = true });
        Assert.Equal(OldArchiveStatus.Kept, made.Old);

        // Whoever may write to the store has the public keys, and the manifest of the old archive.
        var forged = new ArchiveEditor(await File.ReadAllBytesAsync(made.Path, Cancel));
        if (what == ArchiveFormat.RestoreScript)
        {
            forged[what] = "#!/bin/sh\necho gotcha\n"u8.ToArray();
        }
        else
        {
            using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa, keys.Curve));
            forged[forged.Names.First(n => n.StartsWith(ArchiveFormat.DataFolder, StringComparison.Ordinal))] = seal.Seal("other rows"u8);
        }

        await File.WriteAllBytesAsync(made.Path, forged.Build(), Cancel);
        var whole = Hash(await File.ReadAllBytesAsync(backup.Path, Cancel));
        Assert.Equal("ProtectFailed", await Messages.IdAsync(() => ProtectAsync(backup, keys, keys.Rsa, [keys.Curve])));
        Assert.Equal(whole, Hash(await File.ReadAllBytesAsync(backup.Path, Cancel)));
        Assert.True(File.Exists(made.Path));
    }

    [Theory]
    [InlineData(0.2)]
    [InlineData(0.9)]
    public async Task Stopped_in_the_midst_nothing_is_left_and_the_old_archive_is_whole(double at)
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync("CREATE TABLE noise AS SELECT i, sha512(i::text::bytea) AS a, sha512((-i)::text::bytea) AS b FROM generate_series(1, 60000) i");
        var backup = await SealedAsync(source, keys.Rsa);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        using var rsa = ArchiveKeys.Opener(await keys.SecretAsync(keys.Rsa), "");
        var options = new ProtectOptions { Recipients = await keys.RecipientsAsync(keys.Curve), Keys = rsa };
        var seen = new StopAt(at, stop);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ProtectOperation.RunAsync([(_workshop.Store, backup.Name)], options, _ => Task.FromResult(true), seen, _problems.Add, stop.Token));
        Assert.Equal([backup.Path], Directory.GetFileSystemEntries(_workshop.Folder));
        Assert.True((await _workshop.VerifyAsync(backup, VerificationLevel.Quick)).Passed);
        Assert.Equal(OldArchiveStatus.Removed, (await ProtectAsync(backup, keys, keys.Rsa, [keys.Curve])).Old);
    }

    [Fact]
    public async Task In_a_folder_and_a_bucket_the_same_archive_comes_and_the_old_ones_go_unless_locked()
    {
        var keys = await gnuPg.KeysAsync();
        using var bucket = await ceph.CreateBucketAsync();
        using var locked = await ceph.CreateBucketAsync("locked", objectLock: true);
        await using var source = await SmallAsync();
        var places = new[] { StoreSettings.Parse(_workshop.Folder), bucket.Store("a"), locked.Store(settings: "objectLock=Governance&objectLockDays=1") };
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var backup = await _workshop.BackupAsync(source, o => o with { Seal = seal, Destinations = places });
        var stores = places.Select(p => BackupStores.Open(p, _workshop)).ToList();
        try
        {
            using var both = await BothAsync(keys);
            var options = new ProtectOptions { Recipients = await keys.RecipientsAsync(keys.Curve), Only = true, Keys = both };
            var results = await ProtectOperation.RunAsync([.. stores.Select(s => (s, backup.Name))], options, _ => Task.FromResult(true), _workshop, _problems.Add, Cancel);
            Assert.Equal([OldArchiveStatus.Removed, OldArchiveStatus.Removed, OldArchiveStatus.StillThere], results.Select(r => r.Old));
            Assert.Equal("BackupLocked", Assert.Single(_problems).Id);
            Assert.Contains("still can", results[2].Reason, StringComparison.Ordinal);
            var errors = new List<MoltException>();
            var listed = await new BackupCatalog(stores).ListAsync(errors.Add, Cancel);
            Assert.Empty(errors);
            Assert.Equal([(results[0].Name, 3), (backup.Name, 1)], listed.Select(b => (b.Name, b.Locations.Length)));
            Assert.All(listed[0].Locations, l => Assert.True(l.Verification!.Passed));
            using var curve = await keys.OpenerAsync(keys.Curve);
            Assert.Empty((await VerificationOperation.RunAsync(stores[1], results[1].Name, new VerificationOptions { Level = VerificationLevel.Full, Access = new ArchiveAccess(curve) }, _workshop, Cancel)).Failed);
        }
        finally
        {
            stores.ForEach(s => s.Dispose());
        }
    }

    private async Task<TestDatabase> SmallAsync(string more = "")
    {
        var source = await postgres.CreateDatabaseAsync("protected");
        await source.ExecuteAsync("CREATE TABLE t (id integer PRIMARY KEY, word text); INSERT INTO t SELECT i, 'word ' || i FROM generate_series(1, 1000) i;" + more, Cancel);
        return source;
    }

    private async Task<BackupInfo> SealedAsync(TestDatabase source, params string[] recipients)
    {
        var keys = await gnuPg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(recipients));
        return await _workshop.BackupAsync(source, o => o with { Seal = seal });
    }

    private async Task<ProtectResult> ProtectAsync(BackupInfo backup, GnuPgFixture.Keys keys, string with, string[] recipients, Func<ProtectOptions, ProtectOptions>? change = null)
    {
        using var opener = ArchiveKeys.Opener(await keys.SecretAsync(with), with == keys.Curve ? GnuPgFixture.Passphrase : "");
        var options = new ProtectOptions { Recipients = await keys.RecipientsAsync(recipients), Keys = opener };
        return await ProtectAsync(backup, change?.Invoke(options) ?? options);
    }

    private async Task<ProtectResult> ProtectAsync(BackupInfo backup, ProtectOptions options)
        => Assert.Single(await ProtectOperation.RunAsync([(_workshop.Store, backup.Name)], options, _ => Task.FromResult(true), _workshop, _problems.Add, Cancel));

    /// <summary>A key file with both private keys.</summary>
    private static async Task<DeferredOpener> BothAsync(GnuPgFixture.Keys keys)
        => ArchiveKeys.Opener(await keys.Home.ExportSecretAsync($"both-{Guid.NewGuid():N}.asc", GnuPgFixture.Passphrase, keys.Rsa, keys.Curve), GnuPgFixture.Passphrase);

    private async Task RestoreAsync(BackupInfo backup, TestDatabase source, IMemberOpener opener)
    {
        var copy = postgres.Unique("protected_copy");
        try
        {
            var restored = await _workshop.RestoreAsync(backup, source.Server, copy, o => o with { Access = new ArchiveAccess(opener) });
            Assert.All(restored.Tables, t => Assert.True(t.Proven));
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    /// <summary>SHA-256 of what each member holds, by plain names, in their order.</summary>
    private static async Task<Dictionary<string, string>> PlainAsync(string path, IMemberOpener opener)
    {
        await using var archive = await ReadAsync(path, opener);
        var hashes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var member in archive.Manifest.Members)
        {
            await using var plain = archive.OpenPlain(member);
            hashes[ArchiveFormat.PlainName(member.Name)] = Convert.ToHexString(await SHA256.HashDataAsync(plain, Cancel));
        }

        return hashes;
    }

    /// <summary>The encrypted members as they are stored.</summary>
    private static async Task<List<(string Name, byte[] Message)>> StoredAsync(string path)
    {
        await using var archive = await ReadAsync(path, null);
        var bytes = await File.ReadAllBytesAsync(path, Cancel);
        return [.. archive.Manifest.Members.Where(m => m.Name.EndsWith(".gpg", StringComparison.Ordinal)).Select(m => (m.Name, bytes[(int)m.Offset..(int)(m.Offset + m.Length)]))];
    }

    private static async Task<Stream> OpenMemberAsync(string path, string name)
    {
        await using var archive = await ReadAsync(path, null);
        var member = archive.Member(name);
        return new MemoryStream((await File.ReadAllBytesAsync(path, Cancel))[(int)member.Offset..(int)(member.Offset + member.Length)]);
    }

    private static async Task<ArchiveReader> ReadAsync(string path, IMemberOpener? opener)
    {
        var store = new LocalStore(Path.GetDirectoryName(path)!);
        return await ArchiveReader.OpenAsync(await store.OpenAsync(await store.FindAsync(Path.GetFileName(path), Cancel), manifestOnly: false, Cancel), Cancel, new ArchiveAccess(opener));
    }

    /// <summary>The archive's session key, as gpg tells it.</summary>
    private static async Task<string> SessionKeyAsync(string path, GnuPgFixture.Keys keys)
    {
        var (_, _, said) = await keys.Home.TryRunAsync(["--status-fd", "2", "--show-session-key", "--decrypt"], (await StoredAsync(path))[0].Message);
        return said.Split('\n').First(l => l.Contains("] SESSION_KEY ", StringComparison.Ordinal)).Split(' ')[^1].Trim();
    }

    private static string Hash(byte[] bytes) => Convert.ToHexString(SHA256.HashData(bytes));

    private sealed class StopAt(double fraction, CancellationTokenSource stop) : IOperationObserver
    {
        public void Verbose(string message)
        {
        }

        public void Warning(string message)
        {
        }

        public void Progress(OperationProgress progress)
        {
            if (progress.Activity.StartsWith("Encrypting", StringComparison.Ordinal) && progress.Fraction >= fraction)
                stop.Cancel();
        }
    }
}
