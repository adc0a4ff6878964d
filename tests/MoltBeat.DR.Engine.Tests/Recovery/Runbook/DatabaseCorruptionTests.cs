using System.Text.Json;
using System.Text.Json.Nodes;
using MoltBeat.DR.Engine.Recovery.Runbook;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Runbook;

/// <summary>The runbook of a damaged database, against a real server: whole, interrupted, and with everything around it failing.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class DatabaseCorruptionTests(PostgresFixture fixture)
{
    private static readonly string[] s_names = ["FindBackup", "Preflight", "StopApplication", "Replace", "Prove", "StartApplication", "WaitForHealth", "Report"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_damaged_database_is_good_again_and_everything_is_written_down_and_told()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        await bench.DamageAsync();
        bench.Application.Next(new AlertAnswer(503));
        var (steps, failure) = await bench.RunAsync();
        Assert.Null(failure);
        Assert.Equal(s_names, steps.Select(s => s.Name));
        Assert.All(steps, s => Assert.Equal(RunbookStatus.Done, s.Status));
        Assert.All(steps, s => Assert.True(s.Duration >= TimeSpan.Zero && s.Remaining > TimeSpan.FromMinutes(10)));
        Assert.Equal(["StopApplication", "Replace"], bench.Asked);
        Assert.Equal("good 500", await bench.StateAsync());
        Assert.Equal(["stop", "start"], bench.Log);
        Assert.Single(await bench.PreviousAsync());
        Assert.Contains("GET /health", bench.Application.Received.Select(r => r.Target));

        var record = JsonElement.Parse(bench.Incident("incident.json"));
        Assert.Equal(8, record.GetProperty("steps").GetArrayLength());
        Assert.True(record.TryGetProperty("finished", out _));
        Assert.Contains("within the RTO", bench.Incident("incident.md"), StringComparison.Ordinal);
        Assert.All(Directory.GetFiles(bench.Incidents, "*", SearchOption.AllDirectories), f => Assert.Equal("600", Convert.ToString((int)File.GetUnixFileMode(f), 8)));

        // The default path: only the first has been told by then, and is told the end.
        Assert.Equal(["trigger", "resolve"], bench.Alerts.Receiver.Received.Select(r => r.Text("event")));
        Assert.Single(bench.Alerts.Receiver.Received.Select(r => r.Text("key")).Distinct());
        Assert.Contains("On-call engineer", bench.Alerts.Receiver.Received[0].Text("summary"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_preview_says_what_would_be_done_here_and_does_nothing()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        var backup = await bench.BackupAsync();
        await bench.DamageAsync();
        var (steps, _) = await bench.RunAsync(bench.Options() with { Preview = true });
        Assert.Equal(s_names, steps.Select(s => s.Name));
        Assert.All(steps, s => Assert.Equal(RunbookStatus.Planned, s.Status));
        Assert.Equal([3, 4], steps.Where(s => s.Asks).Select(s => s.Number));
        var text = string.Join('\n', steps.Select(s => s.Detail));
        Assert.All(new[] { backup.Name, bench.Workshop.Folder, bench.Database.Name, "echo stop", "echo start", bench.Application.Address + "/health", "Team lead after 15 min" }, t => Assert.Contains(t, text, StringComparison.Ordinal));
        Assert.Empty(bench.Asked);
        Assert.Empty(bench.Log);
        Assert.False(Directory.Exists(bench.Incidents));
        Assert.Empty(bench.Alerts.Receiver.Received);
        Assert.Equal("damaged 500", await bench.StateAsync());
    }

    [Fact]
    public async Task A_backup_that_is_no_good_is_passed_over_and_so_are_those_of_after_the_damage()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        var good = await bench.BackupAsync();
        await Task.Delay(1100, Cancel);
        var spoilt = await bench.BackupAsync();
        await using (var file = new FileStream(spoilt.Path, FileMode.Open, FileAccess.ReadWrite))
        {
            file.Position = file.Length / 2;
            var value = file.ReadByte();
            file.Position--;
            file.WriteByte((byte)(value ^ 0x55));
        }

        await bench.DamageAsync();
        await Task.Delay(1100, Cancel);
        var late = await bench.BackupAsync();
        var (steps, failure) = await bench.RunAsync(bench.Options() with { Before = late.Created });
        Assert.Null(failure);
        Assert.StartsWith(good.Name, steps[0].Detail, StringComparison.Ordinal);
        Assert.Contains(spoilt.Name, steps[0].Detail, StringComparison.Ordinal);
        Assert.Equal("good 500", await bench.StateAsync());
    }

    [Fact]
    public async Task Without_a_good_backup_nothing_is_touched()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        var (steps, failure) = await bench.RunAsync();
        Assert.Equal("NoGoodBackup", failure!.Id);
        Assert.Equal((RunbookStatus.Failed, "NoGoodBackup"), (Assert.Single(steps).Status, steps[0].ErrorId));
        Assert.Empty(bench.Log);
        Assert.Contains(bench.Alerts.Receiver.Received, r => r.Text("summary").Contains("stands still", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_no_stops_it_before_the_step_and_it_can_be_taken_up_again_there()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        await bench.DamageAsync();
        var (steps, failure) = await bench.RunAsync(decline: "Replace");
        Assert.Null(failure);
        Assert.Equal(RunbookStatus.Declined, steps[^1].Status);
        Assert.Equal(4, steps.Count);
        Assert.Equal("damaged 500", await bench.StateAsync());
        Assert.Empty(await bench.PreviousAsync());
        (steps, failure) = await bench.RunAsync(bench.Options(resume: true));
        Assert.Null(failure);
        Assert.Equal(s_names, steps.Select(s => s.Name));
        Assert.Equal(["StopApplication", "Replace", "Replace"], bench.Asked);
        Assert.Equal(["stop", "start"], bench.Log);
        Assert.Equal("good 500", await bench.StateAsync());
        Assert.Equal("RecoveryNothingToResume", (await bench.RunAsync(bench.Options(resume: true))).Failure!.Id);
    }

    [Fact]
    public async Task Broken_off_before_each_step_it_is_taken_up_again_and_replaces_once()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        await bench.DamageAsync();
        foreach (var name in s_names)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => bench.RunAsync(bench.Options(resume: name != s_names[0]) with
            {
                BeforeStep = step =>
                {
                    if (step == name)
                    {
                        throw new InvalidOperationException("as if the power had gone");
                    }
                },
            }));
        }

        var (steps, failure) = await bench.RunAsync(bench.Options(resume: true));
        Assert.Null(failure);
        Assert.Equal(s_names, steps.Select(s => s.Name));
        Assert.Equal(["stop", "start"], bench.Log);
        Assert.Equal("good 500", await bench.StateAsync());
        Assert.Single(await bench.PreviousAsync());
        Assert.Equal(["trigger", "resolve"], bench.Alerts.Receiver.Received.Select(r => r.Text("event")));
    }

    [Fact]
    public async Task A_crash_between_the_change_of_names_and_its_checkpoint_does_not_replace_twice()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        await bench.DamageAsync();
        bench.HealthSeconds = 2;
        bench.Application.Always = new AlertAnswer(500);
        var (steps, failure) = await bench.RunAsync();
        Assert.Equal(("ApplicationNotHealthy", "WaitForHealth"), (failure!.Id, steps[^1].Name));
        Assert.Contains("-Resume", failure.Message, StringComparison.Ordinal);
        await bench.DamageAsync("good since");

        // As it would be, had the power gone right after the server had changed the names.
        var file = Path.Combine(Directory.GetDirectories(bench.Incidents)[0], "incident.json");
        var record = JsonNode.Parse(await File.ReadAllTextAsync(file, Cancel))!;
        record["steps"] = new JsonArray([.. record["steps"]!.AsArray().Where(s => s!["number"]!.GetValue<int>() < 4).Select(s => s!.DeepClone())]);
        await File.WriteAllTextAsync(file, record.ToJsonString(), Cancel);
        bench.Application.Always = new AlertAnswer(200);
        (steps, failure) = await bench.RunAsync(bench.Options(resume: true));
        Assert.Null(failure);
        Assert.Contains("was replaced at", steps.Single(s => s.Name == "Replace").Detail, StringComparison.Ordinal);
        Assert.Single(await bench.PreviousAsync());
        Assert.Equal("good since 500", await bench.StateAsync());
    }

    [Fact]
    public async Task Each_is_told_when_their_time_has_come_and_all_are_told_the_end()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        bench.Contacts = [new("Key holder") { Keys = ["x"] }, new("On call") { AfterMinutes = 0 }, new("Team lead") { Name = "Ada", AfterMinutes = 15 }, new("CTO") { AfterMinutes = 30 }];
        var received = bench.Alerts.Receiver;
        var (steps, failure) = await bench.RunAsync(bench.Options() with
        {
            BeforeStep = step =>
            {
                if (step == "StartApplication")
                {
                    bench.Alerts.Time.Ahead = TimeSpan.FromMinutes(16);
                    Assert.True(SpinWait.SpinUntil(() => received.Received.Count >= 3, TimeSpan.FromSeconds(20)));
                }
            },
        });
        Assert.Null(failure);
        var told = received.Received.Where(r => r.Text("event") == "trigger").Select(r => r.Text("summary")).ToList();
        Assert.Equal(3, told.Count);
        Assert.StartsWith("On call: ", told[0], StringComparison.Ordinal);
        Assert.Contains(told, t => t.StartsWith("Team lead Ada: ", StringComparison.Ordinal));
        Assert.Contains(told, t => t.Contains("longer than its RTO of 15 min", StringComparison.Ordinal));
        Assert.Equal(received.Received.Where(r => r.Text("event") == "trigger").Select(r => r.Text("key")).Order(), received.Received.Where(r => r.Text("event") == "resolve").Select(r => r.Text("key")).Order());
        Assert.True(steps[^1].Remaining < TimeSpan.Zero);
        Assert.Contains("later than the RTO", bench.Incident("incident.md"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task People_that_cannot_be_reached_do_not_hold_it_up()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        await bench.DamageAsync();
        bench.Alerts.Receiver.Always = AlertAnswer.Silence;
        Assert.Null((await bench.RunAsync()).Failure);
        Assert.Equal("good 500", await bench.StateAsync());
        Assert.Equal(2, bench.Alerts.Waiting("hook").Count);
        Assert.Contains("hook: Waiting", bench.Incident("incident.md"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("echo no such thing; exit 3", null, "exit code 3")]
    [InlineData("echo no such thing; sleep 60", 1, "did not end within 1 s")]
    public async Task A_hook_that_fails_stops_it_and_it_goes_on_once_that_is_mended(string script, int? seconds, string text)
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        await bench.DamageAsync();
        var mended = bench.Stop;
        bench.Stop = [bench.Hook(script, seconds)];
        var (steps, failure) = await bench.RunAsync();
        Assert.Equal(("HookFailed", "StopApplication"), (failure!.Id, steps[^1].Name));
        Assert.Contains(text, failure.Message, StringComparison.Ordinal);
        Assert.Contains("no such thing", bench.Incident("hooks.log"), StringComparison.Ordinal);
        Assert.Equal("damaged 500", await bench.StateAsync());
        bench.Stop = mended;
        Assert.Null((await bench.RunAsync(bench.Options(resume: true))).Failure);
        Assert.Equal("good 500", await bench.StateAsync());
    }

    [Fact]
    public async Task A_hook_may_leave_a_service_running()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        bench.Start = [bench.Hook("(sleep 8; echo alive >> \"$0\"; echo still) & echo start >> \"$0\"", seconds: 5)];
        var (steps, failure) = await bench.RunAsync();
        Assert.Null(failure);
        Assert.True(steps.Single(s => s.Name == "StartApplication").Duration < TimeSpan.FromSeconds(5));
        Assert.True(SpinWait.SpinUntil(() => bench.Log.Contains("alive"), TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task A_database_that_is_gone_is_made()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        await bench.Database.Server.DropDatabaseAsync(bench.Database.Name, Cancel);
        var (steps, failure) = await bench.RunAsync();
        Assert.Null(failure);
        Assert.Contains("There was none of this name before", steps.Single(s => s.Name == "Replace").Detail, StringComparison.Ordinal);
        Assert.Equal("good 500", await bench.StateAsync());
    }

    [Fact]
    public async Task A_second_recovery_of_the_same_database_is_kept_away()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        MoltException? second = null;
        var (_, failure) = await bench.RunAsync(bench.Options() with { BeforeStep = step => second ??= bench.RunAsync().GetAwaiter().GetResult().Failure });
        Assert.Null(failure);
        Assert.Equal("RecoveryBusy", second!.Id);
    }

    [Fact]
    public async Task Without_a_place_to_write_it_down_nothing_is_begun()
    {
        await using var bench = await RunbookBench.MakeAsync(fixture);
        await bench.BackupAsync();
        await File.WriteAllTextAsync(bench.Incidents, "no folder", Cancel);
        Assert.Equal("RecoveryNotRecorded", (await bench.RunAsync()).Failure!.Id);
        Assert.Empty(bench.Log);
    }
}
