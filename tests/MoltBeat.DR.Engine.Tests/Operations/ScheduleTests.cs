using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MoltBeat.DR.Engine.Operations.Schedules;
using MoltBeat.DR.Engine.Plan;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Operations;

/// <summary>What cron, systemd and Windows are given to read, held against the real programs where they are here.</summary>
public sealed partial class ScheduleTests : IDisposable
{
    private static readonly TimeZoneInfo s_newfoundland = TimeZoneInfo.FindSystemTimeZoneById("America/St_Johns");
    private static readonly TimeZoneInfo s_berlin = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("molt-schedule-");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => folder.Delete(recursive: true);

    [Fact]
    public async Task A_file_in_cron_d_is_written_once_changed_when_the_plan_changes_and_removed()
    {
        var scheduler = new CronFileScheduler(folder.FullName, "backup", TimeZoneInfo.Utc);
        var other = Path.Combine(folder.FullName, "others");
        await File.WriteAllTextAsync(other, "# not ours", Cancel);
        Assert.Equal([ScheduleStatus.WouldBeWritten], await RunAsync(scheduler, [Entry("Daily", "0 2 * * *")], approve: false));
        Assert.Equal([other], Directory.GetFiles(folder.FullName));
        Assert.Equal([ScheduleStatus.Written], await RunAsync(scheduler, [Entry("Daily", "0 2 * * *")]));
        Assert.Equal([ScheduleStatus.Unchanged], await RunAsync(scheduler, [Entry("Daily", "0 2 * * *")]));
        var path = Path.Combine(folder.FullName, "moltbeat-dr");
        Assert.Contains("\n0 2 * * * backup /opt/molt -Command 'Invoke-MoltJob Daily'\n", await File.ReadAllTextAsync(path, Cancel), StringComparison.Ordinal);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(path) == (UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead));
        Assert.Equal([ScheduleStatus.Written], await RunAsync(scheduler, [Entry("Daily", "30 2 * * *"), Entry("Weekly", "0 3 * * 0")]));
        Assert.Equal([ScheduleStatus.Removed], await RunAsync(scheduler, []));
        Assert.Equal([other], Directory.GetFiles(folder.FullName));
    }

    [Fact]
    public async Task What_was_not_made_here_is_not_overwritten()
    {
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "moltbeat-dr"), "0 2 * * * root true\n", Cancel);
        var e = await Assert.ThrowsAsync<MoltException>(() => RunAsync(new CronFileScheduler(folder.FullName, "root", TimeZoneInfo.Utc), [Entry("Daily", "0 2 * * *")]));
        Assert.Equal("ScheduleNotOurs", e.Id);
        Assert.Equal("0 2 * * * root true\n", await File.ReadAllTextAsync(Path.Combine(folder.FullName, "moltbeat-dr"), Cancel));
    }

    [Theory]
    [InlineData("0 2 * * *", "2026-07-01 02:00", true)]
    [InlineData("0 2 * * *", "2026-07-01 04:00", false)]
    [InlineData("0 2,14 * * *", "2026-07-01 14:00", true)]
    [InlineData("0 3 * * 0", "2026-07-05 03:00", true)]
    [InlineData("0 3 * * 0", "2026-07-06 03:00", false)]
    [InlineData("0 4 1 */2 *", "2026-07-01 04:00", true)]
    [InlineData("0 4 1 */2 *", "2026-08-01 04:00", false)]
    [InlineData("0 4 1 */2 *", "2026-07-02 04:00", false)]
    public async Task Where_local_time_is_not_UTC_a_line_looks_at_the_clock(string at, string now, bool runs)
    {
        foreach (var zone in new[] { s_berlin, s_newfoundland })
        {
            var done = Path.Combine(folder.FullName, "done");
            File.Delete(done);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "date"), $"#!/bin/sh\nexec /bin/date -d '{now}Z' \"$@\"\n", Cancel);
            MakeExecutable(Path.Combine(folder.FullName, "date"));
            var line = Line(CronLines.Of([new ScheduleEntry("Daily", At(at), ["/usr/bin/touch", done])], null, zone));
            Assert.Equal(zone == s_berlin ? "0" : "*", line.Split(' ')[0]);

            // What cron does with a line: five fields off, and every \% a percent sign.
            var command = string.Join(' ', line.Split(' ').Skip(5)).Replace("\\%", "%", StringComparison.Ordinal);
            await ToolAsync("/bin/sh", ["-c", command], ("PATH", folder.FullName + ":/usr/bin:/bin"));
            Assert.Equal(runs, File.Exists(done));
        }
    }

    [Fact]
    public async Task Odd_paths_reach_the_program_as_they_are()
    {
        var odd = Path.Combine(folder.FullName, "it's 100% \"odd\" $HOME `x`");
        var line = Line(CronLines.Of([new ScheduleEntry("Daily", At("0 2 * * *"), ["/usr/bin/touch", odd])], null, TimeZoneInfo.Utc));
        await ToolAsync("/bin/sh", ["-c", string.Join(' ', line.Split(' ').Skip(5)).Replace("\\%", "%", StringComparison.Ordinal)]);
        Assert.True(File.Exists(odd));
        Assert.Equal("ScheduleNotExpressible", Assert.Throws<MoltException>(() => CronLines.Of([new ScheduleEntry("Daily", At("0 2 * * *"), ["a\nb"])], null, TimeZoneInfo.Utc)).Id);
    }

    [Fact]
    public async Task A_users_crontab_keeps_the_lines_of_others()
    {
        Need("crontab");
        const string User = "games";
        var program = Path.Combine(folder.FullName, "crontab");
        await File.WriteAllTextAsync(program, $"#!/bin/sh\nexec /usr/bin/crontab -u {User} \"$@\"\n", Cancel);
        MakeExecutable(program);
        var table = Path.Combine(folder.FullName, "table");
        const string Others = "# mine\n5 5 * * * true\n";
        await File.WriteAllTextAsync(table, Others, Cancel);
        await ToolAsync(program, [table]);
        try
        {
            var scheduler = new CrontabScheduler(program, TimeZoneInfo.Utc);
            Assert.Equal([ScheduleStatus.Written], await RunAsync(scheduler, [Entry("Daily", "0 2 * * *")]));
            Assert.Equal([ScheduleStatus.Unchanged], await RunAsync(scheduler, [Entry("Daily", "0 2 * * *")]));
            Assert.Equal([ScheduleStatus.Written], await RunAsync(scheduler, [Entry("Daily", "0 4 * * *")]));
            var text = await ToolAsync(program, ["-l"]);
            Assert.StartsWith(Others, text, StringComparison.Ordinal);
            Assert.Equal(1, Regex.Count(text, "Invoke-MoltJob"));
            Assert.Equal([ScheduleStatus.Removed], await RunAsync(scheduler, []));
            Assert.Equal(Others, await ToolAsync(program, ["-l"]));
            Assert.Equal([], await RunAsync(scheduler, []));
        }
        finally
        {
            await ToolAsync(program, ["-r"]);
        }
    }

    [Fact]
    public void A_crontab_in_which_the_end_mark_is_missing_is_not_touched()
        => Assert.Equal("ScheduleNotOurs", Assert.Throws<MoltException>(() => CrontabScheduler.Split(CronLines.Begin + "\n5 5 * * * true\n")).Id);

    [Fact]
    public async Task Units_pass_the_verification_of_systemd_itself()
    {
        Need("systemd-analyze");
        var entries = new[] { ("Daily", "0 2 * * *"), ("Weekly", "*/30 3 * * 1-5"), ("Monthly", "15 4 1,15 jan-jun *") }.Select(e => new ScheduleEntry(e.Item1, At(e.Item2), ["/bin/echo", "a b", "100% \"of\" $HOME \\"])).ToList();
        var systemctl = Path.Combine(folder.FullName, "systemctl");
        var calls = Path.Combine(folder.FullName, "calls");
        await File.WriteAllTextAsync(systemctl, $"#!/bin/sh\necho \"$@\" >> '{calls}'\n", Cancel);
        MakeExecutable(systemctl);
        var units = Path.Combine(folder.FullName, "units");
        foreach (var scheduler in new[] { new SystemdScheduler(units, [systemctl], "root"), new SystemdScheduler(units, [systemctl, "--user"], null) })
        {
            Assert.Equal(6, (await RunAsync(scheduler, entries)).Count);
            var verified = await ToolAsync("systemd-analyze", ["verify", "--man=no", .. Directory.GetFiles(units)]);
            Assert.Equal("", verified);
        }

        Assert.Equal(["daemon-reload", "enable --now moltbeat-dr-daily.timer moltbeat-dr-monthly.timer moltbeat-dr-weekly.timer"], (await File.ReadAllLinesAsync(calls, Cancel)).Take(2));
        var user = new SystemdScheduler(units, [systemctl, "--user"], null);
        Assert.Equal([ScheduleStatus.Unchanged, ScheduleStatus.Unchanged, ScheduleStatus.Removed, ScheduleStatus.Removed, ScheduleStatus.Removed, ScheduleStatus.Removed], await RunAsync(user, entries.Take(1).ToList()));
        Assert.Contains("--user disable --now moltbeat-dr-monthly.timer moltbeat-dr-weekly.timer", await File.ReadAllLinesAsync(calls, Cancel));
        Assert.Equal(2, Directory.GetFiles(units).Length);
    }

    [Theory]
    [InlineData("0 2 * * *")]
    [InlineData("*/20 1-3 * * MON-FRI")]
    [InlineData("5,10-20/5 0 1,15 jan,7 *")]
    [InlineData("0 3 * * 0")]
    public async Task Systemd_finds_a_time_due_when_cron_does(string at)
    {
        Need("systemd-analyze");
        var said = await ToolAsync("systemd-analyze", ["calendar", SystemdScheduler.Calendar(At(at))], ("TZ", "UTC"));
        var next = NextElapse().Match(said).Groups[1].Value;
        Assert.Equal(At(at).Next(DateTimeOffset.UtcNow), DateTimeOffset.ParseExact(next, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal));
    }

    [Fact]
    public void A_task_for_Windows_has_its_triggers_in_UTC()
    {
        var scheduler = new WindowsScheduler("schtasks", @"HOST\backup");
        var files = scheduler.Compose([Entry("Daily", "0 2,14 * * *"), Entry("Weekly", "0 3 * * 0,3"), Entry("Monthly", "30 4 1 * *")]);
        Assert.Equal([@"\MoltBeat.DR\Daily", @"\MoltBeat.DR\Weekly", @"\MoltBeat.DR\Monthly"], files.Select(f => f.Path));
        var tasks = files.Select(f => XDocument.Parse(f.Content).Root!).ToList();
        XNamespace space = tasks[0].Name.Namespace;
        Assert.Equal(["2026-01-01T02:00:00Z", "2026-01-01T14:00:00Z"], tasks[0].Descendants(space + "StartBoundary").Select(b => b.Value));
        Assert.Equal(["Sunday", "Wednesday"], tasks[1].Descendants(space + "DaysOfWeek").Single().Elements().Select(e => e.Name.LocalName));
        Assert.Equal(12, tasks[2].Descendants(space + "Months").Single().Elements().Count());
        Assert.Equal(["-Command \"Invoke-MoltJob Daily\""], tasks[0].Descendants(space + "Arguments").Select(a => a.Value));
        Assert.Equal("ScheduleNotExpressible", Assert.Throws<MoltException>(() => scheduler.Compose([Entry("Daily", "* * * * *")])).Id);
    }

    [Fact]
    public void A_state_says_who_calls_it_what_is_due_and_what_was_missed()
    {
        var now = new DateTimeOffset(2026, 6, 10, 12, 0, 0, TimeSpan.Zero);
        var scheduler = new CronFileScheduler(folder.FullName, "root", TimeZoneInfo.Utc);
        var there = scheduler.Compose([Entry("Daily", "0 2 * * *")]);
        var wanted = scheduler.Compose([Entry("Daily", "0 2 * * *"), Entry("Weekly", "0 3 * * 0")]);
        var state = ScheduleState.Of("Daily", At("0 2 * * *"), [("Cron", there, there), ("Crontab", [], there)], (now.AddDays(-3), "Succeeded"), now);
        Assert.Equal((true, true, new DateTimeOffset(2026, 6, 11, 2, 0, 0, TimeSpan.Zero), 3), (state.IsInstalled, state.IsUpToDate, state.Next, state.Missed));
        Assert.Equal(["Cron"], state.Schedulers);
        Assert.Equal(0, ScheduleState.Of("Daily", At("0 2 * * *"), [("Cron", there, there)], (now.AddHours(-10), "Failed"), now).Missed);
        Assert.False(ScheduleState.Of("Daily", At("0 2 * * *"), [("Cron", there, wanted)], null, now).IsUpToDate);
        state = ScheduleState.Of("Weekly", At("0 3 * * 0"), [("Cron", there, wanted)], null, now);
        Assert.Equal((false, null, null), (state.IsInstalled, state.IsUpToDate, state.Missed));
        Assert.Null(ScheduleState.Of("Monthly", null, [("Cron", there, wanted)], null, now).Next);
    }

    private static CronTime At(string text) => CronTime.TryParse(text, out _)!;

    private static ScheduleEntry Entry(string kind, string at) => new(kind, At(at), ["/opt/molt", "-Command", $"Invoke-MoltJob {kind}"]);

    private static string Line(string table) => table.Split('\n').Single(l => l.Length > 0 && l[0] != '#');

    private static async Task<IReadOnlyList<ScheduleStatus>> RunAsync(IScheduler scheduler, IReadOnlyList<ScheduleEntry> entries, bool approve = true)
        => [.. (await ScheduleOperation.RunAsync(scheduler, entries, _ => Task.FromResult(approve), Cancel)).Select(c => c.Status)];

    private static void MakeExecutable(string path)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private static void Need(string program)
    {
        if (!File.Exists("/usr/bin/" + program))
        {
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") is "true", $"{program} is not installed.");
            Assert.Fail($"{program} is not installed.");
        }
    }

    /// <summary>Runs a program that has to succeed, and gives back all that it says.</summary>
    private static async Task<string> ToolAsync(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(Cancel), process.StandardError.ReadToEndAsync(Cancel));
        await process.WaitForExitAsync(Cancel);
        var said = await output + await errors;
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {said}");
        return said;
    }

    [GeneratedRegex(@"(?:Next elapse|\(in UTC\)): \w+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")]
    private static partial Regex NextElapse();
}
