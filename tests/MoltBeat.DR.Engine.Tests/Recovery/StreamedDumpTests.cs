using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Tests.Encryption;
using MoltBeat.DR.Engine.Verification;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery;

/// <summary>Encrypted backups where the system has no files in memory: what is decrypted for pg_restore goes through its standard input.</summary>
public sealed class StreamedDumpTests(PostgresFixture postgres, GnuPgFixture gnuPg)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_comes_back_large_objects_and_chosen_tables_too()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await postgres.CreateEverythingAsync();
        using var workshop = new Workshop();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var backup = await workshop.BackupAsync(source, o => o with { Seal = seal });
        using var rsa = await keys.OpenerAsync(keys.Rsa);
        var access = new ArchiveAccess(rsa);
        var contents = await workshop.ContentsAsync(backup, access);
        Assert.True(contents.LargeObjects!.Rows > 0);

        var check = await VerificationOperation.RunAsync(workshop.Store, backup.Name, new VerificationOptions { Level = VerificationLevel.Full, Access = access, HasMemoryFiles = false }, workshop, Cancel);
        Assert.Empty(check.Failed);
        Assert.Equal(CheckStatus.Passed, check.Checks.Single(c => c.Name == "Dump").Status);

        var copy = postgres.Unique("streamed");
        var some = postgres.Unique("streamed_some");
        try
        {
            var result = await workshop.RestoreAsync(backup, source.Server, copy, o => o with { Access = access, HasMemoryFiles = false });
            Assert.True(result.LargeObjectsProven);
            Assert.All(result.Tables, t => Assert.True(t.Proven));
            await Likeness.AssertAsync(source, source.Server, copy);

            var table = contents.Tables.First(t => t.Objects.Any(o => o.IndexBytes > 0));
            var chosen = await workshop.RestoreAsync(backup, source.Server, some, o => o with { Access = access, HasMemoryFiles = false, Tables = [$"{table.Schema}.{table.Name}"] });
            Assert.All(chosen.Tables, t => Assert.True(t.Proven));
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
            await source.Server.DropDatabaseAsync(some, Cancel);
        }
    }

    [Fact]
    public async Task A_dump_that_was_tampered_with_is_refused()
    {
        var keys = await gnuPg.KeysAsync();
        await using var source = await postgres.CreateDatabaseAsync("streamed");
        await source.ExecuteAsync("CREATE TABLE t (id integer PRIMARY KEY)", Cancel);
        using var workshop = new Workshop();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        var backup = await workshop.BackupAsync(source, o => o with { Seal = seal });
        var editor = new ArchiveEditor(await File.ReadAllBytesAsync(backup.Path, Cancel));
        var dump = editor[ArchiveFormat.DatabaseDump + ".gpg"].ToArray();
        dump[^5] ^= 1;
        editor[ArchiveFormat.DatabaseDump + ".gpg"] = dump;
        await File.WriteAllBytesAsync(backup.Path, editor.Build(), Cancel);
        using var rsa = await keys.OpenerAsync(keys.Rsa);
        var target = postgres.Unique("never");
        await Workshop.RefusedAsync("MemberTampered", () => workshop.RestoreAsync(backup, source.Server, target, o => o with { Access = new ArchiveAccess(rsa), HasMemoryFiles = false }));
        Assert.Equal(0L, await source.Server.ScalarAsync<long>($"SELECT count(*) FROM pg_database WHERE datname = '{target}'", cancel: Cancel));
    }
}
