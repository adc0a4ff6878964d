using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Copying;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Encryption;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>Backups of several upload parts, encrypted anew within buckets, and what becomes of it on a bad line.</summary>
public sealed class ProtectPlacesTests(PlacesDatabase places, CephFixture ceph, GnuPgFixture gnuPg) : PlacesTests(places, ceph)
{
    [Fact]
    public async Task In_a_bucket_alone_it_streams_through_and_leaves_no_upload()
    {
        var (keys, backup) = await SealedAsync();
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        var cut = proxy.Add(new Fault { Method = "GET", Contains = backup.Name, Skip = 3, CutResponseAfter = 3_000_000 });
        var lost = proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=2", CutRequestAfter = 1_000_000 });
        using var stores = Stores(_near.Store(through: proxy.Address));
        var result = Assert.Single(await ProtectAsync(stores, keys, backup.Name, Cancel));
        Assert.Equal((1, 1), (cut.Hits, lost.Hits));
        Assert.Equal((ProtectStatus.Protected, OldArchiveStatus.Removed), (result.Status, result.Old));
        Assert.Empty(_problems);
        await AssertNothingLeftAsync(_near);
        using var curve = await keys.OpenerAsync(keys.Curve);
        using var again = Stores(_near.Store());
        Assert.Empty((await VerificationOperation.RunAsync(again.All[0], result.Name, new VerificationOptions { Level = VerificationLevel.Full, Access = new ArchiveAccess(curve) }, _listener, Cancel)).Failed);
        await RestoreAsync([(again.All[0], result.Name)], r => Assert.Equal(ProofStatus.Proven, r.Proof), o => o with { Access = new ArchiveAccess(curve) });
    }

    [Fact]
    public async Task A_store_that_fails_keeps_its_old_archive_and_gets_the_new_one_when_it_is_done_again()
    {
        var (keys, backup) = await SealedAsync();
        await CopyAsync(_near.Store(), backup.Name, Folder);
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        proxy.Add(new Fault { Method = "POST", Contains = "uploads", Times = int.MaxValue, Answer = new FaultAnswer(403, "AccessDenied") });
        using (var stores = Stores(Folder, _near.Store(through: proxy.Address)))
        {
            var here = Assert.Single(await ProtectAsync(stores, keys, backup.Name, Cancel));
            Assert.Equal(OldArchiveStatus.Removed, here.Old);
            Assert.Equal("StoreDenied", Assert.Single(_problems).Id);
        }

        await VerifyAsync(_near.Store(), backup.Name);
        using var both = Stores(Folder, _near.Store());

        // The folder's old archive is gone: the bucket's own is read, and the folder's new one is found.
        var results = await ProtectAsync(both, keys, backup.Name, Cancel);
        Assert.Equal([(ProtectStatus.AlreadyThere, OldArchiveStatus.None), (ProtectStatus.Protected, OldArchiveStatus.Removed)], results.Select(r => (r.Status, r.Old)));
        var listed = Assert.Single(await new BackupCatalog(both.All).ListAsync(e => throw e, Cancel));
        Assert.Equal(2, listed.Locations.Length);
    }

    [Fact]
    public async Task Stopped_while_it_uploads_nothing_is_left_but_the_old_archive()
    {
        var (keys, backup) = await SealedAsync();
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        var stuck = proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=2", BlackHole = true, Times = int.MaxValue });
        using var stores = Stores(_near.Store(through: proxy.Address));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = ProtectAsync(stores, keys, backup.Name, stop.Token);
        while (stuck.Hits == 0)
        {
            Assert.False(running.IsCompleted, "it was to hang");
            await Task.Delay(20, Cancel);
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await AssertNothingLeftAsync(_near);
        using var again = Stores(_near.Store());
        Assert.Equal(backup.Name, Assert.Single(await new BackupCatalog(again.All).ListAsync(e => throw e, Cancel)).Name);
        await VerifyAsync(_near.Store(), backup.Name);
    }

    private async Task<(GnuPgFixture.Keys Keys, BackupInfo Backup)> SealedAsync()
    {
        var keys = await gnuPg.KeysAsync();
        using var seal = new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        return (keys, await Engine.Backup.BackupOperation.RunAsync(Options([_near.Store()]) with { Seal = seal }, _listener, _problems.Add, Cancel));
    }

    private async Task<IReadOnlyList<ProtectResult>> ProtectAsync(OpenStores stores, GnuPgFixture.Keys keys, string name, CancellationToken cancel)
    {
        using var rsa = ArchiveKeys.Opener(await keys.SecretAsync(keys.Rsa), "");
        var options = new ProtectOptions { Recipients = await keys.RecipientsAsync(keys.Curve), Keys = rsa };
        return await ProtectOperation.RunAsync([.. stores.All.Select(s => (s, name))], options, _ => Task.FromResult(true), _listener, _problems.Add, cancel);
    }
}
