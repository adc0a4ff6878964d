using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Catalog;

public sealed class RetentionEngineTests
{
    private static readonly DateTimeOffset Now = new(2026, 6, 30, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Old_backups_go_when_enough_newer_verified_ones_stay()
    {
        var all = Enumerable.Range(0, 60).Select(age => Item(age, verified: true)).ToList();
        var decisions = Decide(all);
        Assert.Equal(all.Where(b => (Now - b.Created).TotalDays >= 30).Select(b => b.Id).Order(), decisions.Where(d => d.Goes).Select(d => d.Backup.Id).Order());
        Assert.Equal("expired 10 days ago: daily backups are kept 30 days, and 30 newer verified ones stay", decisions.Single(d => d.Backup.Id == "daily 40").Text);
        Assert.Equal(RetentionReason.WithinTime, decisions.Single(d => d.Backup.Id == "daily 29").Reason);
    }

    [Fact]
    public void Each_kind_is_kept_for_its_own_time()
    {
        var all = new[] { BackupKind.Daily, BackupKind.Weekly, BackupKind.Monthly, BackupKind.Manual }
            .SelectMany(kind => new[] { 1, 2, 3, 4, 100, 400 }.Select(age => Item(age, kind, verified: true))).ToList();
        Assert.Equal(["daily 100", "daily 400", "monthly 400", "weekly 100", "weekly 400"], Gone(all));
    }

    [Fact]
    public void So_many_stay_however_old_they_are_and_failed_ones_do_not_count()
    {
        var all = new[] { Item(100, verified: true), Item(101, verified: false), Item(102, verified: true), Item(103), Item(104, verified: true), Item(105, verified: true) };
        Assert.Equal(["daily 101", "daily 104", "daily 105"], Gone(all));
    }

    [Fact]
    public void A_backup_that_was_encrypted_anew_counts_once_beside_its_old_archive()
    {
        // At least three: the newest is there twice, and the third is still one of them.
        var all = new[] { Item(100, verified: true), Item(101, verified: true), Item(102, verified: true), Item(103, verified: true) }.ToList();
        var again = all[0] with { Name = all[0].Name.Replace(".tar", "_k01234567.tar", StringComparison.Ordinal) };
        Assert.Equal(["daily 103"], Gone([.. all, again]));

        // Neither is newer than the other: they do not let each other go.
        Assert.Empty(Gone([all[0], again]));
        Assert.Empty(Gone([all[0] with { Verified = null }, again]));
    }

    [Fact]
    public void Nothing_goes_when_nothing_newer_was_verified()
    {
        var all = Enumerable.Range(0, 60).Select(age => Item(age, verified: age > 50)).ToList();
        all = all.ConvertAll(b => b.Verified == false ? b with { Verified = null } : b);
        var decisions = Decide(all);
        Assert.Equal(RetentionReason.NothingNewerVerified, decisions.Single(d => d.Backup.Id == "daily 45").Reason);
        Assert.Equal(RetentionReason.NewestVerified, decisions.Single(d => d.Backup.Id == "daily 51").Reason);
        Assert.DoesNotContain(decisions, d => d.Goes && (Now - d.Backup.Created).TotalDays < 51);
    }

    [Fact]
    public void The_newest_large_one_stays_when_newer_ones_have_shrunk_to_less_than_half()
    {
        var all = Enumerable.Range(0, 60).Select(age => Item(age, verified: true, bytes: age < 35 ? 19_000_000 : 40_000_000)).ToList();
        var decision = Decide(all).Single(d => d.Backup.Id == "daily 35");
        Assert.Equal(RetentionReason.NewerOnesShrunk, decision.Reason);
        Assert.Contains("at most 19.0 MB of 40.0 MB", decision.Text, StringComparison.Ordinal);
    }

    // 100, 60, 35: each is more than half of the one before, the last is not half of the first.
    [Fact]
    public void Shrinking_step_by_step_does_not_eat_the_large_ones()
    {
        var all = new[] { Item(1, verified: true, bytes: 35), Item(2, verified: true, bytes: 35), Item(3, verified: true, bytes: 35), Item(100, verified: true, bytes: 60), Item(200, verified: true, bytes: 100) };
        Assert.Equal(["daily 100"], Gone(all));
    }

    [Fact]
    public void A_newer_backup_that_leaves_tables_out_takes_nobodys_place()
    {
        var all = Enumerable.Range(0, 60).Select(age => Item(age, verified: true) with { LeavesOut = age < 35 ? ["public.events"] : [] }).ToList();
        Assert.Equal(RetentionReason.NewerOnesLeaveOut, Decide(all).Single(d => d.Backup.Id == "daily 35").Reason);
    }

    [Fact]
    public void Pins_readers_and_locks_hold_and_say_so()
    {
        var all = Enumerable.Range(0, 60).Select(age => Item(age, verified: true)).ToList();
        all[40] = all[40] with { Pin = new PinRecord("daily 40", true, "before migration 14", "ops", "db1", Now.AddDays(-39)) };
        all[41] = all[41] with { Leases = [new LeaseRecord("daily 41", "db2", 7, "restore", Now, Now.AddHours(1))] };
        all[42] = all[42] with { LockedUntil = Now.AddDays(3) };
        all[43] = all[43] with { LockedUntil = Now.AddDays(-3) };
        var texts = Decide(all).ToDictionary(d => d.Backup.Id, d => d.Text);
        Assert.Equal("pinned by ops on 2026-05-22: before migration 14", texts["daily 40"]);
        Assert.Equal("being read on db2 (restore) until 2026-06-30 13:00 UTC at the latest", texts["daily 41"]);
        Assert.Equal("under object lock until 2026-07-03 12:00 UTC", texts["daily 42"]);
        Assert.Contains("daily 43", Gone(all));
    }

    [Fact]
    public void Wrong_clocks_justify_nothing_and_are_kept()
    {
        var future = Item(-1, verified: true);
        var unset = Item(0, verified: true) with { Id = "unset", Created = DateTimeOffset.UnixEpoch.AddDays(3) };
        var all = new[] { future, unset, Item(40, verified: true), Item(41, verified: true), Item(42, verified: true), Item(43, verified: true), Item(44) };
        var decisions = Decide(all).ToDictionary(d => d.Backup.Id, d => d.Reason);
        Assert.Equal((RetentionReason.WrongClock, RetentionReason.WrongClock), (decisions[future.Id], decisions["unset"]));
        Assert.Equal(["daily 43", "daily 44"], Gone(all));
    }

    [Fact]
    public void Databases_of_one_name_on_two_servers_do_not_speak_for_each_other()
    {
        var here = Enumerable.Range(0, 5).Select(age => Item(age, verified: true)).ToList();
        var there = new[] { Item(100) with { Id = "x", Server = "other" }, Item(101) with { Id = "y", Server = "other" }, Item(102) with { Id = "z", Server = null } };
        Assert.Empty(Gone([.. here, .. there]));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(-1, 3)]
    [InlineData(30, -1)]
    public void Rules_that_keep_nothing_are_none(int days, int atLeast)
        => Assert.Equal("RetentionInvalid", Assert.Throws<MoltException>(() => RetentionEngine.Decide([], new RetentionRules { Weekly = new(TimeSpan.FromDays(days), atLeast) }, Now)).Id);

    [Fact]
    public void Decisions_that_leave_nothing_sound_are_refused()
    {
        var (good, bad) = (Item(40, verified: true), Item(50, verified: false));
        var decisions = new[] { new RetentionDecision(good, RetentionReason.Expired, ""), new RetentionDecision(bad, RetentionReason.Pinned, "") };
        Assert.Equal("RetentionWouldRemoveAll", Assert.Throws<MoltException>(() => RetentionEngine.GuardAgainstNothingLeft(decisions, [good])).Id);
    }

    [Fact]
    public void What_must_hold_holds_for_any_history()
    {
        var random = new Random(20260630);
        for (var round = 0; round < 3000; round++)
        {
            var rules = new RetentionRules { Daily = Rule(random), Weekly = Rule(random), Monthly = Rule(random), Manual = Rule(random) };
            var all = Enumerable.Range(0, random.Next(1, 40)).Select(i => Any(random, i)).ToList();
            var decisions = RetentionEngine.Decide(all, rules, Now);
            Assert.Equal(all.Count, decisions.Count);
            var kept = decisions.Where(d => !d.Goes).Select(d => d.Backup).ToList();

            // Order does not matter, and done again it finds nothing more to do.
            Assert.Equal(Ids(kept), Ids(RetentionEngine.Decide(all.OrderBy(_ => random.Next()).ToList(), rules, Now).Where(d => !d.Goes).Select(d => d.Backup)));
            Assert.DoesNotContain(RetentionEngine.Decide(kept, rules, Now), d => d.Goes);

            foreach (var gone in decisions.Where(d => d.Goes).Select(d => d.Backup))
            {
                Assert.True(gone.Pin is null && gone.Leases.Count == 0 && !(gone.LockedUntil > Now) && gone.Created <= Now);
                Assert.Contains(kept, k => k.Database == gone.Database && k.Verified == true && k.Created > gone.Created && k.RawBytes * 2 >= gone.RawBytes);
            }

            foreach (var kind in all.Where(b => b.Created <= Now).GroupBy(b => (b.Database, b.Kind)))
            {
                if (kind.Where(b => b.Verified == true).MaxBy(b => b.Created) is { } newest)
                {
                    Assert.Contains(kept, k => k.Database == newest.Database && k.Kind == newest.Kind && k.Verified == true && k.Created == newest.Created);
                }

                var sound = kind.Count(b => b.Verified != false);
                Assert.True(kept.Count(k => k.Database == kind.Key.Database && k.Kind == kind.Key.Kind && k.Verified != false) >= Math.Min(sound, RuleOf(rules, kind.Key.Kind).AtLeast));
            }

            // A pin holds one backup, and lets no other go.
            var pinned = all[random.Next(all.Count)];
            var withPin = all.ConvertAll(b => b == pinned ? b with { Pin = new PinRecord(b.Id, true, "why", "who", "where", Now) } : b);
            Assert.Superset(Ids(kept), Ids(RetentionEngine.Decide(withPin, rules, Now).Where(d => !d.Goes).Select(d => d.Backup)));
        }
    }

    private static RetentionRule RuleOf(RetentionRules rules, BackupKind kind) => rules.Rules.Single(r => r.Kind.Equals(kind.ToString(), StringComparison.OrdinalIgnoreCase)).Rule;

    private static HashSet<string> Ids(IEnumerable<RetentionItem> backups) => [.. backups.Select(b => b.Id)];

    private static RetentionRule Rule(Random random) => new(random.Next(5) == 0 ? null : TimeSpan.FromDays(random.Next(1, 100)), random.Next(4));

    private static RetentionItem Any(Random random, int number)
        => new($"{number:000}", $"{number}.tar", "1", "db" + random.Next(2), (BackupKind)random.Next(4), Now.AddHours(random.Next(-5000, 48)), random.Next(1, 100))
        {
            Verified = random.Next(4) switch { 0 => null, 1 => false, _ => true },
            Pin = random.Next(15) == 0 ? new PinRecord("", true, "why", "who", "where", Now) : null,
            Leases = random.Next(15) == 0 ? [new LeaseRecord("", "host", 1, "restore", Now, Now.AddHours(1))] : [],
            LockedUntil = random.Next(10) == 0 ? Now.AddDays(random.Next(-5, 5)) : null,
        };

    private static IReadOnlyList<RetentionDecision> Decide(IReadOnlyCollection<RetentionItem> all) => RetentionEngine.Decide(all, new RetentionRules(), Now);

    private static List<string> Gone(IReadOnlyCollection<RetentionItem> all) => [.. Decide(all).Where(d => d.Goes).Select(d => d.Backup.Id).Order(StringComparer.Ordinal)];

    private static RetentionItem Item(int ageInDays, BackupKind kind = BackupKind.Daily, bool? verified = null, long bytes = 1000)
        => new($"{kind.ToString().ToLowerInvariant()} {ageInDays}", $"{kind} {ageInDays}.tar", "1", "app", kind, Now.AddDays(-ageInDays), bytes) { Verified = verified };
}
