using System.Security.Cryptography;
using System.Text;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Encryption;

public sealed class KeyCustodyTests : IDisposable
{
    private readonly GnuPgFixture _gnupg;
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-keys-").FullName;
    private readonly LocalStore _store;

    public KeyCustodyTests(GnuPgFixture gnupg)
    {
        _gnupg = gnupg;
        _store = new LocalStore(StoreSettings.Parse(_folder));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _store.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_private_key_that_opens_the_canary_is_proven_and_the_proof_is_kept_beside_the_backup()
    {
        var keys = await _gnupg.KeysAsync();
        var name = await BackupAsync(1, keys.Rsa, keys.Curve);
        using var opener = await keys.OpenerAsync(keys.Curve);
        var results = await KeyProofOperation.RunAsync(_store, name, opener, null, Cancel);
        Assert.Equal([(keys.Rsa, false), (keys.Curve, true)], results.Select(r => (r.Fingerprint, r.Proven)));
        Assert.Contains("no private key", results[0].Detail, StringComparison.Ordinal);
        var proof = Assert.Single(Assert.Single((await new BackupCatalog(_store).ReadAsync(name, Cancel)).Locations).KeyProofs);
        Assert.Equal((keys.Curve, results[1].KeyId, Environment.MachineName, Environment.UserName), (proof.Fingerprint, proof.KeyId, proof.Host, proof.By));

        // Both at hand, by the agent.
        using var agent = OpenPgpOpener.FromAgent(GnuPg.Find(keys.Home.Path), GnuPgFixture.Passphrase);
        Assert.All(await KeyProofOperation.RunAsync(_store, name, agent, null, Cancel), r => Assert.True(r.Proven));
        Assert.Equal(2, (await new BackupCatalog(_store).ReadAsync(name, Cancel)).Locations[0].KeyProofs.Count);
    }

    [Fact]
    public async Task Nothing_is_kept_when_no_key_opens_it_or_the_canary_is_not_the_one()
    {
        var keys = await _gnupg.KeysAsync();
        var name = await BackupAsync(1, keys.Curve);
        using var other = await keys.OpenerAsync(keys.Rsa, "");
        Assert.Equal("PrivateKeyMissing", await Messages.IdAsync(() => KeyProofOperation.RunAsync(_store, name, other, null, Cancel)));
        using var wrong = await keys.OpenerAsync(keys.Curve, "no");
        Assert.Equal("PassphraseWrong", await Messages.IdAsync(() => KeyProofOperation.RunAsync(_store, name, wrong, null, Cancel)));
        using var opener = await keys.OpenerAsync(keys.Curve);
        var swapped = await BackupAsync(2, [keys.Curve], canary: new string('0', 64));
        Assert.Equal("CanaryWrong", await Messages.IdAsync(() => KeyProofOperation.RunAsync(_store, swapped, opener, null, Cancel)));
        var open = await BackupAsync(3);
        Assert.Equal("BackupNotEncrypted", await Messages.IdAsync(() => KeyProofOperation.RunAsync(_store, open, opener, null, Cancel)));
        Assert.All(await new BackupCatalog(_store).ListAsync(e => throw e, Cancel), b => Assert.Empty(b.Locations[0].KeyProofs));
    }

    [Fact]
    public async Task What_an_earlier_member_opened_is_no_proof()
    {
        var keys = await _gnupg.KeysAsync();
        var name = await BackupAsync(1, keys.Curve);
        var source = new OnceSource(new PrivateKeyFile(await keys.SecretAsync(keys.Curve), GnuPgFixture.Passphrase));
        using var opener = new OpenPgpOpener(source);
        await KeyProofOperation.RunAsync(_store, name, opener, null, Cancel);
        source.IsGone = true;
        Assert.Equal("PrivateKeyMissing", await Messages.IdAsync(() => KeyProofOperation.RunAsync(_store, name, opener, null, Cancel)));
    }

    [Fact]
    public async Task Each_recipient_is_listed_with_its_last_proof_of_any_backup_and_its_days_to_expiry()
    {
        await _gnupg.KeysAsync();
        await using var home = GnuPgHome.Create();
        var good = await home.CreateKeyAsync("Good <good@molt.test>", "ed25519", "cv25519", subkeyExpires: "30d");
        var gone = await home.CreateKeyAsync("Gone <gone@molt.test>", "ed25519", "cv25519");
        var keys = new PublicKeys(home.Path);
        var first = await BackupAsync(1, keys, good, gone);
        await BackupAsync(2, keys, good);
        using var opener = OpenPgpOpener.FromFile(await home.ExportSecretAsync("good.asc", "", good), []);
        await KeyProofOperation.RunAsync(_store, first, opener, null, Cancel);
        await home.RunAsync(["--delete-secret-and-public-key", gone]);

        var now = DateTimeOffset.UtcNow.AddDays(3.5);
        var status = await KeyCustody.ListAsync(await new BackupCatalog(_store).ListAsync(e => throw e, Cancel), ["good@molt.test", "new@molt.test"], keys, now, Cancel);
        // Those first that nobody has proven.
        Assert.Equal(good, status[^1].Fingerprint);
        Assert.Equal(("Good <good@molt.test>", 2, true, 3), (status[^1].UserId, status[^1].Backups, status[^1].InPlan, status[^1].DaysSinceProof));
        Assert.InRange(status[^1].DaysToExpiry!.Value, 25, 27);
        Assert.Null(status[^1].Problem);

        var lost = Assert.Single(status, s => s.Fingerprint == gone);
        Assert.Equal((1, false), (lost.Backups, lost.InPlan));
        Assert.Null(lost.LastProof);
        Assert.Contains("not at hand", lost.Problem, StringComparison.Ordinal);

        var unknown = Assert.Single(status, s => s.Fingerprint == "new@molt.test");
        Assert.Equal((0, true), (unknown.Backups, unknown.InPlan));
        Assert.Contains("no key", unknown.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_expired_key_is_listed_with_what_is_wrong_with_it()
    {
        await _gnupg.KeysAsync();
        await using var home = GnuPgHome.Create();
        var fingerprint = await home.CreateKeyAsync("Old <old@molt.test>", "ed25519", "cv25519", made: DateTimeOffset.UtcNow.AddYears(-3), subkeyExpires: "1y");
        var status = Assert.Single(await KeyCustody.ListAsync([], [fingerprint], new PublicKeys(home.Path), DateTimeOffset.UtcNow, Cancel));
        Assert.InRange(status.DaysToExpiry!.Value, -740, -720);
        Assert.Contains("expired", status.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_proofs_and_those_from_the_future_or_of_another_backup_count_for_nothing()
    {
        var now = DateTimeOffset.UtcNow;
        var id = new string('a', 32);
        var proof = new KeyProofRecord(id, "AA", "BB", "me", "here", now.AddDays(-2));
        var records = BackupRecords.Parse(id,
        [
            Record(proof),
            Record(proof with { Time = now.AddDays(-1) }),
            Record(proof with { Time = now.AddDays(1) }),
            Record(proof with { BackupId = "other", Time = now }),
            (RecordFile.NewName(now, RecordFile.KeyProof), "{}"u8.ToArray()),
            (RecordFile.NewName(now, RecordFile.KeyProof), []),
        ], now);
        Assert.Equal(now.AddDays(-1), Assert.Single(records.KeyProofs).Time);

        static (string Name, byte[] Content) Record(KeyProofRecord r) => RecordFile.New(r);
    }

    private async Task<string> BackupAsync(int number, params string[] recipients) => await BackupAsync(number, recipients, null);

    private async Task<string> BackupAsync(int number, PublicKeys keys, params string[] recipients) => await WriteAsync(number, await keys.RecipientsAsync(recipients, Cancel), null);

    private async Task<string> BackupAsync(int number, string[] recipients, string? canary)
    {
        var keys = await _gnupg.KeysAsync();
        return await WriteAsync(number, recipients.Length == 0 ? [] : await keys.RecipientsAsync(recipients), canary);
    }

    /// <summary>An archive with nothing in it but its canary.</summary>
    private async Task<string> WriteAsync(int number, IReadOnlyList<RecipientKey> recipients, string? canary)
    {
        var created = DateTimeOffset.UtcNow.AddMinutes(-number);
        var name = $"db_backup_20261125_00000{number}.tar";
        using var seal = recipients.Count == 0 ? null : new OpenPgpSeal(recipients);
        await using var archive = new ArchiveWriter(await _store.CreateAsync(name, new NewArchive(created, 0), Cancel), created, seal);
        await archive.AddAsync(ArchiveFormat.Readme, "Read me.\n"u8.ToArray(), Cancel);
        var text = Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(64));
        if (seal is not null)
            await archive.AddAsync(ArchiveFormat.Canary, text, Cancel);
        await archive.CompleteAsync(members => new Manifest
        {
            FormatVersion = ArchiveFormat.Version,
            Id = Guid.NewGuid().ToString("N"),
            Kind = BackupKind.Manual,
            Database = "db",
            Created = created,
            Completed = created,
            Server = new ServerInfo { Version = "15.0", VersionNumber = 150000, InRecovery = false },
            Tools = new ToolInfo("0.1.0", "15.0"),
            Rows = 0,
            Tables = 0,
            RawBytes = 0,
            Recipients = seal?.Recipients ?? [],
            Canary = seal is null ? null : canary ?? Convert.ToHexStringLower(SHA256.HashData(text)),
            Members = members,
        }, Cancel);
        return name;
    }

    private sealed class OnceSource(ISessionKeySource inner) : ISessionKeySource
    {
        public bool IsGone { get; set; }

        public Task<SessionKey> FindAsync(IReadOnlyList<SessionKeyPacket> packets, string member, CancellationToken cancellationToken) =>
            IsGone ? throw PrivateKeyErrors.Missing(packets, member, "this test") : inner.FindAsync(packets, member, cancellationToken);

        public void Dispose() => inner.Dispose();
    }
}
