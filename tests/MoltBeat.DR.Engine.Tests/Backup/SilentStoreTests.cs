using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>Stores that take a connection and then say nothing: they are given up, and hold up nobody for long.</summary>
public sealed class SilentStoreTests(PlacesDatabase places, CephFixture ceph) : PlacesTests(places, ceph)
{
    [Theory]
    [InlineData(null, null)]
    [InlineData("POST", "uploads")]
    [InlineData("PUT", "partNumber=")]
    [InlineData("POST", "uploadId=")]
    public async Task A_store_that_never_answers_is_named_and_the_other_copies_are_whole(string? method, string? question)
    {
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        proxy.Add(new Fault { Method = method, Contains = question, Times = int.MaxValue, BlackHole = true });
        using var other = await Ceph.CreateBucketAsync();
        var backup = await BackupAsync([Folder, Impatient(proxy), other.Store()]);

        var problem = Assert.Single(_problems);
        Assert.Equal(("StoreUnreachable", ErrorKind.ConnectionFailed), (problem.Id, problem.Kind));
        Assert.Contains(_near.Name, problem.Message, StringComparison.Ordinal);
        Assert.NotNull(problem.Remedy);
        Assert.Equal("StoreUnreachable", Assert.Single(backup.Failures).ErrorId);
        Assert.Equal(2, backup.Locations.Length);
        await VerifyAsync(Folder, backup.Name);
        await VerifyAsync(other.Store(), backup.Name);
    }

    [Fact]
    public async Task A_part_that_is_answered_late_once_is_sent_again()
    {
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        var silent = proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=2", BlackHole = true });
        var stuck = proxy.Add(new Fault { Method = "POST", Contains = "uploads", StallResponseAfter = 20 });
        var backup = await BackupAsync([Impatient(proxy)]);
        Assert.Equal((1, 1), (silent.Hits, stuck.Hits));
        Assert.Empty(_problems);
        await VerifyAsync(_near.Store(), backup.Name);
    }

    [Fact]
    public async Task A_slow_line_on_which_bytes_move_is_no_silence()
    {
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        var slow = proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=1&", BytesPerSecond = 3_000_000 });
        var backup = await BackupAsync([Impatient(proxy)]);
        Assert.Equal(1, slow.Hits);
        Assert.Empty(_problems);
        await VerifyAsync(_near.Store(), backup.Name);
    }

    [Fact]
    public async Task A_download_that_stops_is_taken_up_again_and_one_that_never_goes_on_leaves_it_to_the_next_copy()
    {
        var backup = await BackupAsync([_near.Store(), Folder]);
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        using (var stores = Stores(Impatient(proxy)))
        {
            var stuck = proxy.Add(new Fault { Method = "GET", Contains = backup.Name, Skip = 2, StallResponseAfter = 2_000_000 });
            Assert.Empty((await VerificationOperation.RunAsync(stores.All[0], backup.Name, new VerificationOptions(), _listener, Cancel)).Failed);
            Assert.Equal(1, stuck.Hits);
        }

        proxy.Clear();
        proxy.Add(new Fault { Method = "GET", Contains = backup.Name, Skip = 3, Times = int.MaxValue, BlackHole = true });
        using var both = Stores(Impatient(proxy), Folder);
        await RestoreAsync(both.All.Select(s => (s, backup.Name)).ToList(), result => Assert.Equal(ProofStatus.Proven, result.Proof));
        Assert.Contains(_listener.Warnings, w => w.Contains("Restoring from the copy in " + _folder, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_listing_is_not_held_up_by_a_store_that_is_silent()
    {
        var backup = await BackupAsync([Folder]);
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        proxy.Add(new Fault { Times = int.MaxValue, BlackHole = true });
        using var stores = Stores(Folder, Impatient(proxy));
        Assert.Equal(backup.Name, Assert.Single(await new BackupCatalog(stores.All).ListAsync(_problems.Add, Cancel)).Name);
        Assert.Equal("StoreUnreachable", Assert.Single(_problems).Id);
    }

    /// <summary>The bucket behind a proxy, with a second of patience.</summary>
    private StoreSettings Impatient(FaultProxy proxy) => _near.Store(through: proxy.Address, settings: "timeoutSeconds=1");
}
