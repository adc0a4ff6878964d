using System.Globalization;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Copying;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>What keeps a backup in a bucket from being removed: a lock of the service, a reader, a pin that came along with a copy.</summary>
public sealed class RemovalTests(PlacesDatabase places, CephFixture ceph) : PlacesTests(places, ceph)
{
    private static readonly RetentionRules ShortRules = new()
    {
        Daily = new RetentionRule(TimeSpan.Zero, 1),
        Weekly = new RetentionRule(TimeSpan.Zero, 1),
        Monthly = new RetentionRule(TimeSpan.Zero, 1),
        Manual = new RetentionRule(TimeSpan.Zero, 1),
    };

    [Theory]
    [InlineData("Governance")]
    [InlineData("Compliance")]
    public async Task A_backup_under_object_lock_stays_and_the_date_is_told(string mode)
    {
        using var locked = await Ceph.CreateBucketAsync("locked", objectLock: true);
        var settings = locked.Store(settings: $"objectLock={mode}&objectLockDays=3");
        var older = await SmallAsync(settings);
        var newer = await SmallAsync(settings, wait: true);
        using var store = Opened(settings);
        Assert.Empty((await VerificationOperation.RunAsync(store, newer.Name, new VerificationOptions(), _listener, Cancel)).Failed);
        var all = await new BackupCatalog(store).ListAsync(_problems.Add, Cancel);

        // By the rules.
        var until = older.Created.AddDays(3).UtcDateTime;
        var decisions = await new BackupRemoval(store).DecideAsync(all, ShortRules, DateTimeOffset.UtcNow, Cancel);
        var decision = Assert.Single(decisions, d => d.Backup.Name == older.Name);
        Assert.Equal((RetentionReason.ObjectLock, false), (decision.Reason, decision.Goes));
        Assert.Contains(until.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture), decision.Text, StringComparison.Ordinal);

        // By hand, even by force.
        foreach (var force in new[] { false, true })
        {
            var e = await Assert.ThrowsAsync<MoltException>(() => new BackupRemoval(store).RemoveAsync(older.Name, all, force, Cancel));
            Assert.Equal(("BackupLocked", ErrorKind.PermissionDenied), (e.Id, e.Kind));
            Assert.Contains(until.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), e.Message, StringComparison.Ordinal);
        }

        Assert.Equal(2, (await new BackupCatalog(store).ListAsync(_problems.Add, Cancel)).Count);
        Assert.DoesNotContain((await locked.Client.ListVersionsAsync(locked.Name, Cancel)).Versions, v => v.Key == older.Name && v.IsDeleteMarker == true);
        Assert.Empty(_problems);
    }

    [Fact]
    public async Task A_hold_without_an_end_is_told_as_such()
    {
        using var locked = await Ceph.CreateBucketAsync("locked", objectLock: true);
        var backup = await SmallAsync(locked.Store());
        await locked.Client.PutObjectLegalHoldAsync(new PutObjectLegalHoldRequest { BucketName = locked.Name, Key = backup.Name, LegalHold = new ObjectLockLegalHold { Status = "ON" } }, Cancel);
        using var store = Opened(locked.Store());
        var e = await Assert.ThrowsAsync<MoltException>(() => new BackupRemoval(store).RemoveAsync(backup.Name, [], force: true, Cancel));
        Assert.Equal("BackupLocked", e.Id);
        Assert.Contains("without an end", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backup_is_not_removed_while_it_is_being_restored()
    {
        var backup = await BackupAsync([_near.Store()]);
        await using var proxy = FaultProxy.Start(_near.Gateway.Address);

        // The restore hangs in the middle of its rows, its lease taken long before.
        var stuck = proxy.Add(new Fault { Method = "GET", Contains = backup.Name, Skip = 4, Times = int.MaxValue, StallResponseAfter = 1_000_000 });
        using var far = Opened(_near.Store(through: proxy.Address, settings: "timeoutSeconds=600"));
        using var store = Opened(_near.Store());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var options = new RestoreOptions { Connection = ConnectionSettings.Parse(_database.Uri), TargetDatabase = _database.Name + "_leased", Jobs = 2 };
        var restore = RestoreOperation.RunAsync([(far, backup.Name)], options, _ => Task.FromResult(true), _listener, stop.Token);
        while (stuck.Hits == 0)
        {
            Assert.False(restore.IsCompleted, "the restore was to hang");
            await Task.Delay(20, Cancel);
        }

        var e = await Assert.ThrowsAsync<MoltException>(() => new BackupRemoval(store).RemoveAsync(backup.Name, [], force: true, Cancel));
        Assert.Equal(("BackupInUse", ErrorKind.Busy), (e.Id, e.Kind));
        Assert.Contains("restore", e.Message, StringComparison.Ordinal);
        Assert.Equal(RetentionReason.BeingRead, Assert.Single(await new BackupRemoval(store).DecideAsync(await new BackupCatalog(store).ListAsync(_problems.Add, Cancel), ShortRules, DateTimeOffset.UtcNow, Cancel)).Reason);

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => restore);
        await new BackupRemoval(store).RemoveAsync(backup.Name, [], force: true, Cancel);
        Assert.Empty((await _near.Client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = _near.Name }, Cancel)).S3Objects ?? []);
    }

    [Fact]
    public async Task A_backup_with_more_records_than_a_page_is_removed_with_all_of_them()
    {
        var backup = await SmallAsync(_near.Store("a"));
        await SmallAsync(_near.Store("a"), wait: true);
        await Parallel.ForEachAsync(Enumerable.Range(0, 1200), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancel }, async (i, token) =>
            await _near.Client.PutObjectAsync(new PutObjectRequest { BucketName = _near.Name, Key = $"a/{backup.Name}.records/20260101T000000Z_other_{i}.json", ContentBody = "{}" }, token));
        using var store = Opened(_near.Store("a"));
        await new BackupRemoval(store).RemoveAsync(backup.Name, await new BackupCatalog(store).ListAsync(_problems.Add, Cancel), force: false, Cancel);
        Assert.DoesNotContain((await _near.Client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = _near.Name }, Cancel)).S3Objects, o => o.Key.Contains(backup.Name, StringComparison.Ordinal));
        Assert.Single(await new BackupCatalog(store).ListAsync(_problems.Add, Cancel));
        Assert.Empty(_problems);
    }

    [Fact]
    public async Task A_pin_goes_along_with_a_copy_and_once_taken_back_there_stays_so()
    {
        var backup = await SmallAsync(_near.Store());
        using var store = Opened(_near.Store());
        using var away = Opened(_near.Store("away"));
        await BackupCatalog.RecordAsync(store, backup.Name, new PinRecord(backup.Id, true, "before the migration", "ada", "here", DateTimeOffset.UtcNow), Cancel);
        await CopyAsync(_near.Store(), backup.Name, _near.Store("away"));
        var there = await new BackupCatalog(away).ReadAsync(backup.Name, Cancel);
        Assert.Equal(("before the migration", "ada"), (there.Pin!.Reason, there.Pin.By));
        Assert.Equal("BackupPinned", (await Assert.ThrowsAsync<MoltException>(() => new BackupRemoval(away).RemoveAsync(backup.Name, [], force: true, Cancel))).Id);

        // Copied again it is there already, and nothing is written twice; a pin that came later comes along.
        Assert.Equal(CopyStatus.AlreadyThere, (await CopyAsync(_near.Store(), backup.Name, _near.Store("away"))).Status);
        Assert.Single(await PinsAsync("away/"));
        await BackupCatalog.RecordAsync(away, backup.Name, new PinRecord(backup.Id, false, "it went well", "ada", "there", DateTimeOffset.UtcNow), Cancel);
        await CopyAsync(_near.Store(), backup.Name, _near.Store("away"));
        Assert.Null((await new BackupCatalog(away).ReadAsync(backup.Name, Cancel)).Pin);
        Assert.Equal(2, (await PinsAsync("away/")).Count);
    }

    private async Task<List<S3Object>> PinsAsync(string prefix)
        => (await _near.Client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = _near.Name, Prefix = prefix }, Cancel)).S3Objects.FindAll(o => o.Key.Contains("_pin_", StringComparison.Ordinal));

    /// <summary>A backup of few rows.</summary>
    private async Task<BackupInfo> SmallAsync(StoreSettings settings, bool wait = false)
    {
        if (wait)
        {
            // The file's name has its time in seconds.
            await Task.Delay(1100, Cancel);
        }

        return await Engine.Backup.BackupOperation.RunAsync(Options([settings]) with { ExcludeTableData = ["large"] }, _listener, _problems.Add, Cancel);
    }
}
