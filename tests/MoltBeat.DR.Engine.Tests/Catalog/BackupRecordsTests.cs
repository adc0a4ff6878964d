using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Failures;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Catalog;

/// <summary>What lies beside an archive: in doubt it keeps the backup.</summary>
public sealed class BackupRecordsTests : IDisposable
{
    private static readonly DateTimeOffset Now = new(2026, 6, 30, 12, 0, 0, TimeSpan.Zero);
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-records-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_newest_pin_counts_and_pinned_wins_a_tie()
    {
        Assert.NotNull(Parse(Pin(true, -3)).Pin);
        Assert.Null(Parse(Pin(true, -3), Pin(false, -2)).Pin);
        Assert.NotNull(Parse(Pin(true, -1), Pin(false, -2)).Pin);
        Assert.NotNull(Parse(Pin(true, -1), Pin(false, -1)).Pin);

        // Taken back in the future, by a wrong clock.
        Assert.NotNull(Parse(Pin(true, -1), Pin(false, 1)).Pin);
    }

    [Fact]
    public void A_pin_that_cannot_be_read_pins_until_it_is_taken_back()
    {
        var damaged = ("20260629T120000Z_pin_x.json", "{ \"backupId\": "u8.ToArray());
        Assert.NotNull(Parse(damaged).Pin);
        Assert.NotNull(Parse(("20260629T120000Z_pin_x.json", [])).Pin);
        Assert.NotNull(Parse(("unreadable_pin_.json", [])).Pin);
        Assert.Null(Parse(damaged, Pin(false, -0.5)).Pin);
    }

    [Fact]
    public void A_lease_holds_for_its_time_and_a_damaged_one_for_an_hour()
    {
        Assert.Single(Parse(Lease(-0.01, 0.01)).Leases);
        Assert.Empty(Parse(Lease(-2, -1)).Leases);
        Assert.Single(Parse(("20260630T113000Z_lease_x.json", [])).Leases);
        Assert.Empty(Parse(("20260630T103000Z_lease_x.json", [])).Leases);
    }

    [Fact]
    public void Records_of_another_backup_and_of_no_kind_say_nothing()
    {
        var other = new PinRecord("other", true, "why", "who", "where", Now);
        var records = Parse((RecordFile.NewName(Now, RecordFile.Pin), RecordFile.Write(other)), ("20260630T113000Z_something_x.json", "{}"u8.ToArray()), ("20260630T113000Z_verification_x.json", "not json"u8.ToArray()));
        Assert.Null(records.Pin);
        Assert.Null(records.Verification);
        Assert.Empty(records.Leases);
    }

    [Fact]
    public async Task A_reader_is_seen_while_it_reads_and_leaves_nothing_behind()
    {
        using var store = new LocalStore(_folder);
        await using (await ReadLease.TakeAsync(store, "x.tar", "id", "restore", new Listener(), TimeProvider.System, Cancel))
        {
            var file = Assert.Single(Directory.GetFiles(Path.Combine(_folder, "x.tar.records")));
            var lease = Assert.Single(BackupRecords.Parse("id", [(Path.GetFileName(file), await File.ReadAllBytesAsync(file, Cancel))], DateTimeOffset.UtcNow).Leases);
            Assert.Equal(("restore", Environment.ProcessId, Environment.MachineName), (lease.Operation, lease.Process, lease.Host));
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder));
    }

    [Fact]
    public async Task A_store_that_takes_no_record_does_not_keep_anybody_from_reading()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "x.tar.records"), "in the way", Cancel);
        using var store = new LocalStore(_folder);
        var listener = new Listener();
        await using (await ReadLease.TakeAsync(store, "x.tar", "id", "restore", listener, TimeProvider.System, Cancel))
        {
            Assert.Contains(listener.Lines, l => l.Contains("could not be recorded", StringComparison.Ordinal));
        }

        Assert.Empty(listener.Warnings);
    }

    private static BackupRecords Parse(params (string Name, byte[] Content)[] records) => BackupRecords.Parse("id", records, Now);

    private static (string Name, byte[] Content) Pin(bool pinned, double days)
        => (RecordFile.NewName(Now.AddDays(days), RecordFile.Pin), RecordFile.Write(new PinRecord("id", pinned, "why", "who", "where", Now.AddDays(days))));

    private static (string Name, byte[] Content) Lease(double from, double until)
        => (RecordFile.NewName(Now.AddDays(from), RecordFile.Lease), RecordFile.Write(new LeaseRecord("id", "host", 1, "restore", Now.AddDays(from), Now.AddDays(until))));
}
