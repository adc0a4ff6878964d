using System.Security.Cryptography;
using System.Text;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.DR.Engine.Tests.Encryption;
using MoltBeat.DR.Engine.Verification;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>Whole backups that are encrypted and signed, and what becomes of them in wrong hands.</summary>
public sealed class EncryptedBackupTests(PostgresFixture postgres, GnuPgFixture gnuPg)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_everything_database_comes_back_and_the_archive_tells_nothing_of_it()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await postgres.CreateEverythingAsync();
        using var workshop = new Workshop();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa, keys.Curve));
        var backup = await workshop.BackupAsync(source, o => o with { Seal = seal, PartBytes = 8 << 20 });
        Assert.Equal([keys.Rsa, keys.Curve], backup.Recipients.Select(r => r.Fingerprint));

        using var rsa = await keys.OpenerAsync(keys.Rsa);
        var contents = await workshop.ContentsAsync(backup, new ArchiveAccess(rsa));
        var bytes = await File.ReadAllBytesAsync(backup.Path, Cancel);
        var words = contents.Tables.SelectMany(t => t.Columns.Append(t.Name)).Where(n => n.Length > 7).Distinct().ToList();
        Assert.True(words.Count > 20);
        Assert.DoesNotContain(words, w => bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(w)) >= 0);

        // gpg by itself opens what the format says it opens.
        await using (var archive = await workshop.OpenAsync(backup))
        {
            Assert.Equal(["README.txt", "restore.sh"], archive.Manifest.Members.Select(m => m.Name).Where(n => !n.EndsWith(".gpg", StringComparison.Ordinal)));
            var canary = archive.Member(ArchiveFormat.Canary);
            var text = await keys.Home.RunAsync(["--decrypt"], bytes.AsMemory((int)canary.Offset, (int)canary.Length));
            Assert.Equal(archive.Manifest.Canary, Convert.ToHexStringLower(SHA256.HashData(text)));
        }

        Assert.True((await workshop.VerifyAsync(backup, VerificationLevel.Quick)).Passed);
        using var curve = await keys.OpenerAsync(keys.Curve);
        Assert.Equal(contents.Tables.Count, (await workshop.ContentsAsync(backup, new ArchiveAccess(curve))).Tables.Count);
        Assert.True((await workshop.VerifyAsync(backup, VerificationLevel.Full, new ArchiveAccess(curve))).Passed);
        var copy = postgres.Unique("encrypted_copy");
        try
        {
            var result = await workshop.RestoreAsync(backup, source.Server, copy, o => o with { Access = new ArchiveAccess(curve) });
            Assert.All(result.Tables, t => Assert.True(t.Proven));
            await Likeness.AssertAsync(source, source.Server, copy);
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task Without_a_key_the_bytes_can_be_checked_and_nothing_can_be_read()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        using var workshop = new Workshop();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Curve));
        var backup = await workshop.BackupAsync(source, o => o with { Seal = seal });
        Assert.Equal([backup.Name], (await new BackupCatalog(workshop.Store).ListAsync(e => throw e, Cancel)).Select(b => b.Name));
        Assert.True((await workshop.VerifyAsync(backup, VerificationLevel.Quick)).Passed);
        await Workshop.RefusedAsync("PrivateKeyNeeded", () => workshop.VerifyAsync(backup));
        await Workshop.RefusedAsync("PrivateKeyNeeded", () => workshop.RestoreAsync(backup, source.Server, postgres.Unique("never")));
        using var wrong = await keys.OpenerAsync(keys.Rsa);
        await Workshop.RefusedAsync("PrivateKeyMissing", () => workshop.RestoreAsync(backup, source.Server, postgres.Unique("never"), o => o with { Access = new ArchiveAccess(wrong) }));
        using var unlocked = await keys.OpenerAsync(keys.Curve, "a guess");
        await Workshop.RefusedAsync("PassphraseWrong", () => workshop.RestoreAsync(backup, source.Server, postgres.Unique("never"), o => o with { Access = new ArchiveAccess(unlocked) }));
        Assert.Equal(0L, await source.Server.ScalarAsync<long>("SELECT count(*) FROM pg_database WHERE datname LIKE 'never%' OR datname LIKE 'molt\\_restoring\\_never%'", cancel: Cancel));
    }

    [Fact]
    public async Task What_a_forger_puts_right_in_the_manifest_is_found_all_the_same()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        using var workshop = new Workshop();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var backup = await workshop.BackupAsync(source, o => o with { Seal = seal });
        using var opener = await keys.OpenerAsync(keys.Rsa);
        var access = new ArchiveAccess(opener);
        var original = await File.ReadAllBytesAsync(backup.Path, Cancel);

        // A byte of the rows, and one behind them: the hash in the manifest fits, the message's own integrity check does not.
        var name = new ArchiveEditor(original).Names.First(n => n.StartsWith(ArchiveFormat.DataFolder, StringComparison.Ordinal));
        foreach (var (fromEnd, id) in new[] { (60, "ArchiveDamaged"), (5, "MemberTampered") })
        {
            var rows = new ArchiveEditor(original);
            rows[name] = Flip(rows[name], rows[name].Length - fromEnd);
            await File.WriteAllBytesAsync(backup.Path, rows.Build(), Cancel);
            var result = await VerificationOperation.RunAsync(workshop.Store, backup.Name, new VerificationOptions { Level = VerificationLevel.Full, Access = access }, workshop, Cancel);
            Assert.Contains("Members", result.Failed.Select(c => c.Name));
            await Workshop.RefusedAsync(id, () => workshop.RestoreAsync(backup, source.Server, postgres.Unique("never"), o => o with { Access = access }));
        }

        // Contents that anybody could write, in the clear.
        var open = new ArchiveEditor(original);
        open.Rename("contents.json.zst.gpg", "contents.json.zst");
        open.WriteContents(new System.Text.Json.Nodes.JsonObject());
        await File.WriteAllBytesAsync(backup.Path, open.Build(), Cancel);
        await Workshop.RefusedAsync("ArchiveDamaged", () => workshop.RestoreAsync(backup, source.Server, postgres.Unique("never"), o => o with { Access = access }));
    }

    [Fact]
    public async Task A_signature_finds_the_forged_the_swapped_the_renamed_and_the_unsigned()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await SmallAsync();
        using var workshop = new Workshop();
        using var signer = new OpenPgpSigner(await keys.SecretAsync(keys.Curve), GnuPgFixture.Passphrase);
        var trusted = await new PublicKeys(keys.Home.Path).FindAsync([keys.Curve], Cancel);
        var access = new ArchiveAccess(Verifier: new OpenPgpVerifier(trusted));
        var strangers = new ArchiveAccess(Verifier: new OpenPgpVerifier(await new PublicKeys(keys.Home.Path).FindAsync([keys.Rsa], Cancel)));
        var first = await workshop.BackupAsync(source, o => o with { Signer = signer });
        await source.ExecuteAsync("INSERT INTO t SELECT i, 'later' FROM generate_series(1001, 1100) i", Cancel);
        await Task.Delay(1100, Cancel); // names have seconds
        var second = await workshop.BackupAsync(source, o => o with { Signer = signer });
        await Task.Delay(1100, Cancel);
        var unsigned = await workshop.BackupAsync(source);

        var check = Assert.Single((await workshop.VerifyAsync(second, VerificationLevel.Full, access)).Checks, c => c.Name == "Signature");
        Assert.Equal(CheckStatus.Passed, check.Status);
        Assert.Contains(keys.Curve, check.Detail, StringComparison.Ordinal);

        // Who lists with trusted signers sees only theirs, and is told of the rest.
        var errors = new List<MoltException>();
        Assert.Equal([second.Name, first.Name], (await new BackupCatalog(workshop.Store, access).ListAsync(errors.Add, Cancel)).Select(b => b.Name));
        Assert.Equal("SignatureMissing", Assert.Single(errors).Id);
        await Workshop.RefusedAsync("SignatureMissing", () => workshop.RestoreAsync(unsigned, source.Server, postgres.Unique("never"), o => o with { Access = access }));
        await Workshop.RefusedAsync("SignerNotTrusted", () => workshop.RestoreAsync(second, source.Server, postgres.Unique("never"), o => o with { Access = strangers }));

        // The old one in the place of the new one: a rollback.
        var later = await File.ReadAllBytesAsync(second.Path, Cancel);
        File.Copy(first.Path, second.Path, overwrite: true);
        await Workshop.RefusedAsync("ArchiveRenamed", () => workshop.RestoreAsync(second, source.Server, postgres.Unique("never"), o => o with { Access = access }));
        var renamed = await VerificationOperation.RunAsync(workshop.Store, second.Name, new VerificationOptions { Access = access }, workshop, Cancel);
        Assert.Equal(["Signature"], renamed.Failed.Select(c => c.Name));

        // A manifest that was changed keeps its signature and loses what it says.
        var at = later.AsSpan().IndexOf("\"rows\": 1100"u8);
        Assert.True(at > 0);
        later[at + 8] = (byte)'2';
        var index = ArchiveIndex.Parse(later.AsSpan(later.Length - ArchiveIndex.TailBytes), later.Length, "x");
        (index with { ManifestSha256 = Convert.ToHexStringLower(SHA256.HashData(later.AsSpan((int)index.ManifestOffset, (int)index.ManifestLength))) }).ToBytes().CopyTo(later, later.Length - (3 * TarHeader.BlockBytes));
        await File.WriteAllBytesAsync(second.Path, later, Cancel);
        await Workshop.RefusedAsync("SignatureWrong", () => workshop.RestoreAsync(second, source.Server, postgres.Unique("never"), o => o with { Access = access }));
    }

    private async Task<MoltBeat.TestServers.TestDatabase> SmallAsync()
    {
        var source = await postgres.CreateDatabaseAsync("sealed");
        await source.ExecuteAsync("CREATE TABLE t (id integer PRIMARY KEY, word text); INSERT INTO t SELECT i, 'word ' || i FROM generate_series(1, 1000) i", Cancel);
        return source;
    }

    private static byte[] Flip(byte[] bytes, int at)
    {
        var other = bytes.ToArray();
        other[at] ^= 1;
        return other;
    }
}
