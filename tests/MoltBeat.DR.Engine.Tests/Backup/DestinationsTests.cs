using Amazon.S3.Model;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Copying;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Storage;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>One backup in several places: a folder, a bucket, a bucket of another region; and what happens when one of them fails.</summary>
public sealed class DestinationsTests(PlacesDatabase places, CephFixture ceph) : PlacesTests(places, ceph)
{
    [Fact]
    public async Task One_pass_makes_the_same_archive_in_a_folder_a_bucket_and_another_region()
    {
        using var far = await (await Ceph.OtherRegionAsync()).CreateBucketAsync(cancel: Cancel);
        var backup = await BackupAsync([Folder, _near.Store("daily", settings: "storageClass=STANDARD_IA"), far.Store()]);

        Assert.Empty(_problems);
        Assert.Equal(3, backup.Locations.Length);
        Assert.Empty(backup.Failures);
        var here = Hash(await File.ReadAllBytesAsync(Path.Combine(_folder, backup.Name), Cancel));
        Assert.Equal(here, Hash(await ObjectAsync(_near, "daily/" + backup.Name)));
        Assert.Equal(here, Hash(await ObjectAsync(far, backup.Name)));
        Assert.Equal("STANDARD_IA", (await _near.Client.GetObjectMetadataAsync(_near.Name, "daily/" + backup.Name, Cancel)).StorageClass.Value);

        using var stores = Stores(Folder, _near.Store("daily"), far.Store());
        var listed = Assert.Single(await new BackupCatalog(stores.All).ListAsync(_problems.Add, Cancel));
        Assert.Equal(backup.Locations.Select(l => l.Size), listed.Locations.Select(l => l.Size));
        Assert.Empty(_problems);
    }

    [Fact]
    public async Task A_backup_to_a_bucket_alone_is_verified_and_restored_from_there()
    {
        var backup = await BackupAsync([_near.Store()]);
        using var stores = Stores(_near.Store());
        var verified = await VerificationOperation.RunAsync(stores.All[0], backup.Name, new VerificationOptions { Level = VerificationLevel.Full }, _listener, Cancel);
        Assert.Empty(verified.Failed);
        Assert.Empty(verified.Skipped);
        Assert.Equal("Full", Assert.Single(await new BackupCatalog(stores.All).ListAsync(_problems.Add, Cancel)).Verified);
        await RestoreAsync([(stores.All[0], backup.Name)], result => Assert.Equal(ProofStatus.Proven, result.Proof));
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public async Task Chosen_tables_are_all_that_is_fetched()
    {
        var backup = await BackupAsync([_near.Store()]);
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        using var stores = Stores(_near.Store(through: proxy.Address));
        await RestoreAsync([(stores.All[0], backup.Name)], result => Assert.Equal("public.small", Assert.Single(result.Tables).Table), o => o with { Tables = ["small"] });
        Assert.InRange(proxy.Count("GET"), 1, 12);
        Assert.True(backup.Size > 20_000_000);
        Assert.InRange(proxy.AnsweredBytes, 1, 2_000_000);
    }

    [Theory]
    [InlineData(503, "SlowDown")]
    [InlineData(500, "InternalError")]
    public async Task A_part_that_fails_is_sent_again(int status, string code)
    {
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        var refused = proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=2", Times = 2, Answer = new FaultAnswer(status, code) });
        var cut = proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=3", CutRequestAfter = 100_000 });
        var lost = proxy.Add(new Fault { Method = "POST", Contains = "uploadId=", CutResponseAfter = 0 });
        var backup = await BackupAsync([_near.Store(through: proxy.Address)]);
        Assert.Equal((2, 1, 1), (refused.Hits, cut.Hits, lost.Hits));
        Assert.Empty(_problems);
        await VerifyAsync(_near.Store(), backup.Name);
    }

    [Fact]
    public async Task A_store_that_fails_harms_no_other_and_is_named()
    {
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=2", Times = 1000, Answer = new FaultAnswer(403, "AccessDenied") });
        using var other = await Ceph.CreateBucketAsync();
        var backup = await BackupAsync([Folder, _near.Store(through: proxy.Address), other.Store()]);

        Assert.Equal("StoreDenied", Assert.Single(_problems).Id);
        Assert.Equal((_near.Store(through: proxy.Address).Name, "StoreDenied"), (Assert.Single(backup.Failures).Store, backup.Failures[0].ErrorId));
        Assert.Equal(2, backup.Locations.Length);
        await VerifyAsync(Folder, backup.Name);
        await VerifyAsync(other.Store(), backup.Name);
        await AssertNothingLeftAsync(_near);
    }

    [Fact]
    public async Task Too_few_copies_are_a_failure_and_those_that_were_made_stay()
    {
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=2", Times = 1000, Answer = new FaultAnswer(403, "AccessDenied") });
        var e = await Assert.ThrowsAsync<MoltException>(() => BackupAsync([Folder, _near.Store(through: proxy.Address)], 2));
        Assert.Equal("TooFewCopies", e.Id);
        await VerifyAsync(Folder, Path.GetFileName(Assert.Single(Directory.GetFiles(_folder, "*.tar"))));
    }

    [Fact]
    public async Task A_folder_that_cannot_be_made_harms_no_other_place()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "file"), "", Cancel);
        var backup = await BackupAsync([StoreSettings.Parse(Path.Combine(_folder, "file", "below")), _near.Store(), Folder]);
        Assert.Equal("StoreNotWritable", Assert.Single(_problems).Id);
        Assert.Equal("StoreNotWritable", Assert.Single(backup.Failures).ErrorId);
        Assert.Equal(2, backup.Locations.Length);
    }

    [Fact]
    public async Task Stores_that_cannot_work_are_found_before_the_work_begins()
    {
        var nowhere = _near.Store() with { Bucket = "no-such-bucket" };
        Assert.Equal("StoreNotFound", (await Assert.ThrowsAsync<MoltException>(() => BackupAsync([nowhere]))).Id);
        Assert.Equal("TooFewCopies", (await Assert.ThrowsAsync<MoltException>(() => BackupAsync([Folder, nowhere], 2))).Id);
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
        Assert.Equal("StoreUnreachable", (await Assert.ThrowsAsync<MoltException>(() => BackupAsync([_near.Store() with { Endpoint = new Uri("http://127.0.0.1:9") }]))).Id);
        Assert.Equal("DestinationTwice", (await Assert.ThrowsAsync<MoltException>(() => BackupAsync([Folder, Folder]))).Id);
        Assert.Equal("MinimumCopiesInvalid", (await Assert.ThrowsAsync<MoltException>(() => BackupAsync([Folder], 2))).Id);
    }

    [Theory]
    [InlineData(403, "ExpiredToken", "StoreCredentialsExpired")]
    [InlineData(403, "SignatureDoesNotMatch", "StoreCredentialsInvalid")]
    [InlineData(403, "RequestTimeTooSkewed", "StoreClockSkew")]
    [InlineData(301, "PermanentRedirect", "StoreWrongRegion")]
    [InlineData(403, "QuotaExceeded", "StoreFull")]
    [InlineData(403, "AccessDenied", "StoreDenied")]
    public async Task What_a_store_answers_is_an_error_with_a_remedy(int status, string code, string id)
    {
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        proxy.Add(new Fault { Times = 1000, Answer = new FaultAnswer(status, code) });
        var e = await Assert.ThrowsAsync<MoltException>(() => BackupAsync([_near.Store(through: proxy.Address)]));
        Assert.Equal(id, e.Id);
        Assert.Contains(_near.Name, e.Message, StringComparison.Ordinal);
        Assert.Contains(proxy.Address.Authority, e.Message, StringComparison.Ordinal);
        Assert.NotNull(e.Remedy);
        Assert.Equal(code == "RequestTimeTooSkewed", e.Message.Contains("clock", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_full_local_disk_does_not_harm_the_copy_in_a_bucket()
    {
        await using var disk = await SmallDisk.MountAsync(12 << 20, Cancel);
        var backup = await BackupAsync([StoreSettings.Parse(disk.Folder), _near.Store()]);
        Assert.Equal("StoreFull", Assert.Single(_problems).Id);
        Assert.Equal(_near.Store().Name, Assert.Single(backup.Locations).Store);
        Assert.Empty(Directory.GetFileSystemEntries(disk.Folder));
        await VerifyAsync(_near.Store(), backup.Name);
    }

    [Fact]
    public async Task A_backup_that_is_stopped_leaves_nothing_in_any_store()
    {
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=2", Times = 1000, BlackHole = true });
        var backup = BackupAsync([_near.Store(through: proxy.Address)], cancel: stop.Token);
        while (proxy.Count("PUT", "partNumber=2") == 0)
        {
            await Task.Delay(20, Cancel);
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => backup);
        await AssertNothingLeftAsync(_near);
    }

    [Fact]
    public async Task A_damaged_copy_fails_its_test_and_a_restore_takes_the_next_one()
    {
        var backup = await BackupAsync([_near.Store(), Folder]);
        var content = await ObjectAsync(_near, backup.Name);
        content[content.Length / 2] ^= 1;
        await _near.Client.PutObjectAsync(new PutObjectRequest { BucketName = _near.Name, Key = backup.Name, InputStream = new MemoryStream(content) }, Cancel);

        using var stores = Stores(_near.Store(), Folder);
        Assert.False((await VerificationOperation.RunAsync(stores.All[0], backup.Name, new VerificationOptions(), _listener, Cancel)).Passed);
        await VerifyAsync(Folder, backup.Name);
        Assert.Equal("Quick, 1 FAILED", Assert.Single(await new BackupCatalog(stores.All).ListAsync(_problems.Add, Cancel)).Verified);
        await RestoreAsync(stores.All.Select(s => (s, backup.Name)).ToList(), result => Assert.Equal(ProofStatus.Proven, result.Proof));
        Assert.Contains(_listener.Warnings, w => w.Contains("Restoring from the copy in " + _folder, StringComparison.Ordinal));

        // Nothing damaged is passed on either.
        var e = await Assert.ThrowsAsync<MoltException>(() => CopyAsync(_near.Store(), backup.Name, _near.Store("elsewhere")));
        Assert.Equal("CopyFailed", e.Id);
        Assert.Empty((await _near.Client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = _near.Name, Prefix = "elsewhere/" }, Cancel)).S3Objects ?? []);
        Assert.Equal(CopyStatus.Copied, (await CopyOperation.RunAsync(stores.All.Select(s => (s, backup.Name)).ToList(), Opened(StoreSettings.Parse(Path.Combine(_folder, "sound"))), true, null, _listener, Cancel)).Status);
    }

    [Fact]
    public async Task A_copy_is_made_by_the_service_where_it_can_and_done_again_finds_nothing_to_do()
    {
        using var far = await (await Ceph.OtherRegionAsync()).CreateBucketAsync(cancel: Cancel);
        var backup = await BackupAsync([_near.Store()]);
        var beside = await CopyAsync(_near.Store(), backup.Name, _near.Store("weekly"));
        Assert.Equal((CopyStatus.Copied, "ServerSide", true), (beside.Status, beside.Way, beside.Verified));
        var away = await CopyAsync(_near.Store(), backup.Name, far.Store());
        Assert.Equal((CopyStatus.Copied, "Streamed", true), (away.Status, away.Way, away.Verified));
        var home = await CopyAsync(far.Store(), backup.Name, Folder);
        Assert.Equal(backup.Size, new FileInfo(home.Path).Length);
        foreach (var there in new[] { _near.Store("weekly"), far.Store(), Folder })
        {
            Assert.Equal(CopyStatus.AlreadyThere, (await CopyAsync(_near.Store(), backup.Name, there)).Status);
        }
    }

    [Fact]
    public async Task A_copy_that_was_cut_short_goes_on_where_it_was()
    {
        var backup = await BackupOperation.RunAsync(Options([Folder]) with { PartBytes = 4 << 20 }, _listener, _problems.Add, Cancel);
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        var fault = proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=3", Times = 1000, Answer = new FaultAnswer(403, "AccessDenied") });
        await Assert.ThrowsAsync<MoltException>(() => CopyAsync(Folder, backup.Name, _near.Store(through: proxy.Address)));
        Assert.NotEqual(0, fault.Hits);

        proxy.Clear();
        proxy.Forget();
        Assert.Equal(CopyStatus.Copied, (await CopyAsync(Folder, backup.Name, _near.Store(through: proxy.Address))).Status);
        Assert.Equal(0, proxy.Count("PUT", "partNumber=1&"));
        Assert.Equal(1, proxy.Count("PUT", "partNumber=3&"));
        await AssertNothingLeftAsync(_near);

        // And from there into another folder, cut in the middle of a member.
        var target = StoreSettings.Parse(Path.Combine(_folder, "home"));
        proxy.Add(new Fault { Method = "GET", Contains = backup.Name, Skip = 2, CutResponseAfter = 10_000_000 });
        proxy.Add(new Fault { Method = "GET", Contains = backup.Name, Skip = 2, Times = 1000, Answer = new FaultAnswer(403, "AccessDenied") });
        await Assert.ThrowsAsync<MoltException>(() => CopyAsync(_near.Store(through: proxy.Address), backup.Name, target));
        var kept = new FileInfo(Path.Combine(target.Folder!, backup.Name + ".partial")).Length;
        Assert.InRange(kept, 1, backup.Size - 1);
        proxy.Clear();
        proxy.Forget();
        await CopyAsync(_near.Store(through: proxy.Address), backup.Name, target);
        Assert.InRange(proxy.AnsweredBytes, 1, backup.Size - 1_000_000);
        Assert.Empty(Directory.GetFiles(target.Folder!, "*.partial"));
    }

    [Fact]
    public async Task A_copy_for_which_there_is_no_room_leaves_nothing_in_the_way()
    {
        var backup = await BackupAsync([Folder]);
        await using var disk = await SmallDisk.MountAsync(12 << 20, Cancel);
        Assert.Equal("StoreFull", (await Assert.ThrowsAsync<MoltException>(() => CopyAsync(Folder, backup.Name, StoreSettings.Parse(disk.Folder)))).Id);
        Assert.Empty(Directory.GetFileSystemEntries(disk.Folder));

        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        proxy.Add(new Fault { Method = "PUT", Contains = "partNumber=3", Times = 1000, Answer = new FaultAnswer(403, "QuotaExceeded") });
        Assert.Equal("StoreFull", (await Assert.ThrowsAsync<MoltException>(() => CopyAsync(Folder, backup.Name, _near.Store(through: proxy.Address)))).Id);
        await AssertNothingLeftAsync(_near);
    }

    [Fact]
    public async Task An_object_lock_lasts_from_the_backups_own_time()
    {
        using var locked = await Ceph.CreateBucketAsync("locked", objectLock: true);
        var backup = await BackupAsync([locked.Store(settings: "objectLock=Governance&objectLockDays=3")]);
        var found = await locked.Client.GetObjectMetadataAsync(locked.Name, backup.Name, Cancel);
        Assert.Equal("GOVERNANCE", found.ObjectLockMode.Value);
        Assert.Equal(backup.Created.AddDays(3).UtcDateTime, found.ObjectLockRetainUntilDate!.Value.ToUniversalTime(), TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task A_thousand_backups_are_listed_with_few_requests()
    {
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);
        var backup = await BackupOperation.RunAsync(Options([Folder]) with { ExcludeTableData = ["large"] }, _listener, _problems.Add, Cancel);
        var content = await File.ReadAllBytesAsync(Path.Combine(_folder, backup.Name), Cancel);
        await Parallel.ForEachAsync(Enumerable.Range(0, 1000), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancel }, async (i, token) =>
            await _near.Client.PutObjectAsync(new PutObjectRequest { BucketName = _near.Name, Key = $"many/{i:0000}.tar", InputStream = new MemoryStream(content) }, token));

        var cache = new TailCache(Path.Combine(_folder, "cache"));
        async Task<int> ListAsync()
        {
            proxy.Forget();
            using var store = new S3Store(_near.Store("many", proxy.Address), _listener, cache);
            Assert.Equal(1000, (await new BackupCatalog(store).ListAsync(_problems.Add, Cancel)).Count);
            return proxy.Requests.Count;
        }

        Assert.InRange(await ListAsync(), 1000, 2000);
        Assert.InRange(await ListAsync(), 1, 59);
        Assert.Empty(_problems);
    }
}
