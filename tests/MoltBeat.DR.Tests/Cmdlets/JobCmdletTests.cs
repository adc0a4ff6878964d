using System.Management.Automation;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>Invoke-MoltJob as a scheduler has it: nothing but a plan and a kind.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class JobCmdletTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task A_job_backs_up_to_the_stores_of_its_kind_verifies_and_tells_in_one_object()
    {
        var (plan, first, second) = await PlanAsync();
        var job = Assert.Single(_module.Run("param($Plan) Invoke-MoltJob Daily -PlanPath $Plan", ("Plan", plan)).ThrowIfFailed().Output);
        Assert.Equal(("Succeeded", "Daily"), (job.Text("Status"), job.Text("Kind")));
        Assert.Single(Directory.GetFiles(first, "*.tar"));
        Assert.Empty(Directory.GetFiles(second, "*.tar"));
        var listed = Assert.Single(_module.Run("param($Path) Get-MoltBackup $Path", ("Path", first)).ThrowIfFailed().Output);
        Assert.Equal(("Daily", "Quick"), (listed.Text("Kind"), listed.Text("Verified")));

        await Task.Delay(1100, TestContext.Current.CancellationToken);
        job = Assert.Single(_module.Run("param($Plan) Invoke-MoltJob Monthly -PlanPath $Plan", ("Plan", plan)).ThrowIfFailed().Output);
        Assert.Equal("Succeeded", job.Text("Status"));
        Assert.Single(Directory.GetFiles(second, "*.tar"));
        Assert.Equal(["Full"], _module.Run("param($Path) (Get-MoltBackup $Path).Verified", ("Path", second)).ThrowIfFailed().Values);
    }

    [Fact]
    public async Task WhatIf_changes_nothing()
    {
        var (plan, first, _) = await PlanAsync();
        Assert.Empty(_module.Run("param($Plan) Invoke-MoltJob Weekly -PlanPath $Plan -WhatIf", ("Plan", plan)).ThrowIfFailed().Output);
        Assert.Empty(Directory.GetFileSystemEntries(first));
    }

    [Fact]
    public async Task A_database_that_fails_is_an_error_and_a_result()
    {
        var (plan, first, _) = await PlanAsync(", { \"name\": \"gone\", \"url\": \"postgresql://nobody@127.0.0.1:1/gone\" }, { \"name\": \"unset\", \"url\": \"env:MOLT_TEST_UNSET\" }");
        var result = _module.Run("param($Plan) Invoke-MoltJob Daily -PlanPath $Plan", ("Plan", plan));
        Assert.Equal("Failed", Assert.Single(result.Output).Text("Status"));
        Assert.Equal(["ServerUnreachable,MoltBeat.DR.InvokeMoltJobCommand", "SecretUnavailable,MoltBeat.DR.InvokeMoltJobCommand"], result.Errors.Select(e => e.FullyQualifiedErrorId));
        Assert.Single(Directory.GetFiles(first, "*.tar"));
    }

    [Fact]
    public async Task A_failure_is_told_once_and_a_success_takes_it_back()
    {
        await using var receiver = AlertReceiver.Start();
        var (hook, spool) = (fixture.NewPath("hook"), fixture.NewPath("spool"));
        await File.WriteAllTextAsync(hook, receiver.Address + "/hook", TestContext.Current.CancellationToken);
        File.SetUnixFileMode(hook, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var (plan, first, _) = await PlanAsync("", $$""", "alerts": { "source": "db-1", "spool": "{{spool}}", "routes": [{ "name": "hook", "kind": "webhook", "url": "file:{{hook}}" }] }""");

        // A file in the folder's place: nothing can be written there.
        Directory.Delete(first);
        await File.WriteAllTextAsync(first, "", TestContext.Current.CancellationToken);
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal("Failed", Assert.Single(_module.Run("param($Plan) Invoke-MoltJob Daily -PlanPath $Plan", ("Plan", plan)).Output).Text("Status"));
        }

        var told = Assert.Single(receiver.Received);
        Assert.Equal(("BackupFailed", "shop", "trigger"), (told.Text("problem"), told.Text("subject"), told.Text("event")));
        File.Delete(first);
        var well = Assert.Single(_module.Run("param($Plan) Invoke-MoltJob Daily -PlanPath $Plan", ("Plan", plan)).ThrowIfFailed().Output);
        Assert.Equal("Succeeded", well.Text("Status"));
        Assert.Equal((2, "resolve"), (receiver.Received.Count, receiver.Received[^1].Text("event")));
        Assert.Equal(told.Text("key"), receiver.Received[^1].Text("key"));

        // The service wants to hear nothing for a while: the backup counts all the same.
        receiver.Always = new AlertAnswer(429, "", "Retry-After: 600\r\n");
        await File.WriteAllTextAsync(Path.Combine(first, "broken_backup_20260101_000000.tar"), "x", TestContext.Current.CancellationToken);
        await Task.Delay(1100, TestContext.Current.CancellationToken);
        var alone = _module.Run("param($Plan) Invoke-MoltJob Daily -PlanPath $Plan", ("Plan", plan));
        Assert.Equal("Warning", Assert.Single(alone.Output).Text("Status"));
        Assert.Contains(alone.Warnings, w => w.Contains("was not delivered on the route hook yet, and waits", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{ \"version\": 1 }", "Invoke-MoltJob Daily -PlanPath $Plan", "DatabaseNotPlanned")]
    [InlineData("{ \"version\": 1, \"databases\": [{ \"name\": \"a\", \"url\": \"env:A\" }] }", "Invoke-MoltJob Daily -Database b* -PlanPath $Plan", "DatabaseNotPlanned")]
    public void A_plan_that_has_nothing_to_do_is_an_error(string json, string script, string id)
    {
        var plan = fixture.NewPath("plan");
        File.WriteAllText(plan, json);
        var error = _module.Run("param($Plan) " + script, ("Plan", plan)).Error;
        Assert.Equal(id + ",MoltBeat.DR.InvokeMoltJobCommand", error.FullyQualifiedErrorId);
        Assert.Equal(ErrorCategory.InvalidArgument, error.CategoryInfo.Category);
    }

    private async Task<(string Plan, string First, string Second)> PlanAsync(string moreDatabases = "", string more = "")
    {
        var backups = await fixture.BackupsAsync();
        var (plan, first, second, url) = (fixture.NewPath("plan"), fixture.NewPath("first"), fixture.NewPath("second"), fixture.NewPath("url"));
        Directory.CreateDirectory(first);
        Directory.CreateDirectory(second);
        await File.WriteAllTextAsync(plan, $$"""
            {
              "version": 1,
              "databases": [{ "name": "shop", "url": "file:{{url}}" }{{moreDatabases}}],
              "stores": [{ "name": "near", "location": "{{first}}" }, { "name": "far", "location": "{{second}}", "kinds": ["monthly"] }]{{more}}
            }
            """, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(url, backups.ShopDatabase.Uri, TestContext.Current.CancellationToken);
        File.SetUnixFileMode(plan, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.SetUnixFileMode(url, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        return (plan, first, second);
    }
}
