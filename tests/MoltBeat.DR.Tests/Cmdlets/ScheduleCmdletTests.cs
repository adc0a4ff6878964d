using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>The plan's jobs in the hands of a real cron, in a file system of their own so that this machine's cron knows nothing of it.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class ScheduleCmdletTests(ServerFixture fixture)
{
    [Fact]
    public async Task Cron_makes_a_verified_backup_in_the_next_minute()
    {
        if (!File.Exists("/usr/sbin/cron") || !Environment.IsPrivilegedProcess)
        {
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") is "true", "cron is not installed, or this is not root.");
        }

        var backups = await fixture.BackupsAsync();
        var folder = fixture.NewPath("cron");
        Directory.CreateDirectory(folder);
        foreach (var (name, text) in new[]
        {
            ("url", backups.ShopDatabase.Uri),
            ("crontab", ""),
            ("plan.json", $$"""{ "version": 1, "databases": [{ "name": "shop", "url": "file:{{folder}}/url" }], "stores": [{ "name": "near", "location": "{{folder}}/store" }], "jobs": { "daily": { "at": "* * * * *" }, "weekly": { "at": "never" } }, "audit": { "path": "{{folder}}/audit" } }"""),
            ("run", """
                set -e
                mount --make-rprivate /
                mount -t tmpfs tmpfs /etc/cron.d
                mount -t tmpfs tmpfs /var/spool/cron
                mkdir -p /var/spool/cron/crontabs
                mount --bind crontab /etc/crontab
                mount -t tmpfs tmpfs /run
                mkdir -p /var/lib/moltbeat
                mount -t tmpfs tmpfs /var/lib/moltbeat
                unset MOLTBEAT_AUDIT
                "$1" -NonInteractive -Command 'Register-MoltSchedule Cron -PlanPath ./plan.json | ForEach-Object { "$_" }'
                cron -f &
                cron=$!
                for i in $(seq 1 300); do
                  if grep -qs '"action":"Job"' audit/audit.jsonl; then break; fi
                  sleep 0.5
                done
                kill $cron
                "$1" -NonInteractive -Command 'Get-MoltBackup ./store | ForEach-Object { "$($_.Kind) $($_.Verified)" }; Get-MoltSchedule -PlanPath ./plan.json | ForEach-Object { "$($_.Kind) $($_.Schedulers) $($_.IsUpToDate) $($_.LastResult)" }; Unregister-MoltSchedule -Confirm:$false | ForEach-Object { "$_" }'
                ls /etc/cron.d
                """),
        })
        {
            await File.WriteAllTextAsync(Path.Combine(folder, name), text, TestContext.Current.CancellationToken);
            File.SetUnixFileMode(Path.Combine(folder, name), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        var result = await MoltProcess.RunToEndAsync("unshare", ["-m", "sh", "-c", $"cd '{folder}' && exec sh run '{Staged.Molt}'"], new Dictionary<string, string?>(), TimeSpan.FromMinutes(4));
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        var lines = result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("/etc/cron.d/moltbeat-dr: Written", lines[0]);
        Assert.Equal("Daily Quick", lines[1]);

        // A second minute may have come meanwhile.
        Assert.Equal(["Daily Cron True Succeeded", "Weekly   ", "Monthly Cron True ", "/etc/cron.d/moltbeat-dr: Removed"], lines.SkipWhile(l => l.StartsWith("Daily Quick", StringComparison.Ordinal) || l == lines[0]));
    }
}
