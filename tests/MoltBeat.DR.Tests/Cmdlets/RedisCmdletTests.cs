using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class RedisCmdletTests(ServerFixture fixture) : IDisposable
{
    private const string Password = "s3cret-of-redis";

    private readonly HostedModule _module = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task Keys_are_taken_along_looked_at_and_restored()
    {
        var backups = await fixture.BackupsAsync();
        await using var source = await StartAsync();
        await using var target = await StartAsync();
        foreach (var key in new[] { "a", "b", "c" })
        {
            await source.CliAsync(Cancel, "-a", Password, "--no-auth-warning", "SET", key, "v");
        }

        var folder = fixture.NewPath("redis");
        var backup = _module.Run("param($Url, $Path, $Redis) New-MoltBackup $Url -Path $Path -RedisUrl $Redis -Confirm:$false",
            ("Url", backups.Url), ("Path", folder), ("Redis", source.Url(":" + Password))).ThrowIfFailed().Output.Single().Value<string>("Path");
        Assert.Equal("Passed", Assert.Single(_module.Run("param($Path) (Test-MoltBackup $Path -Level Full).Checks.Where({ $_.Name -eq 'Extras' })", ("Path", backup)).ThrowIfFailed().Output).Text("Status"));

        var said = _module.Show("param($Path, $Redis) Restore-MoltBackup $Path -Include Redis -RedisUrl $Redis -WhatIf", ("Path", backup), ("Redis", target.Url(":" + Password)));
        Assert.Contains("Restore 3 keys into database 0", said, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, said, StringComparison.Ordinal);
        Assert.Equal("0", await target.CliAsync(Cancel, "-a", Password, "--no-auth-warning", "DBSIZE"));

        const string Restore = "param($Path, $Redis) Restore-MoltBackup $Path -Include Redis -RedisUrl $Redis -Confirm:$false";
        var result = Assert.Single(_module.Run(Restore, ("Path", backup), ("Redis", target.Url(":" + Password))).ThrowIfFailed().Output);
        Assert.Equal((3L, 3L), (result.Value<long>("Keys"), result.Value<long>("Proven")));
        Assert.Equal("v", await target.CliAsync(Cancel, "-a", Password, "--no-auth-warning", "GET", "c"));

        var again = _module.Run(Restore, ("Path", backup), ("Redis", target.Url(":" + Password)));
        Assert.StartsWith("RedisKeysExist,", Assert.Single(again.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
        var replaced = Assert.Single(_module.Run(Restore + " -ReplaceKeys", ("Path", backup), ("Redis", target.Url(":" + Password))).ThrowIfFailed().Output);
        Assert.Equal(3, replaced.Value<long>("Replaced"));
        Assert.DoesNotContain(Password, _module.Show(Restore + " -ReplaceKeys", ("Path", backup), ("Redis", target.Url(":" + Password))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_says_whether_Redis_has_to_be_there()
    {
        var backups = await fixture.BackupsAsync();
        var folder = fixture.NewPath("redis");
        string Plan(string required)
        {
            var path = fixture.NewPath("plan.json");
            File.WriteAllText(path, $$"""
                { "version": 1, "databases": [{ "name": "moltbeat", "url": "env:MOLT_REDIS_TEST_DB" }], "stores": [{ "name": "a", "location": "{{folder}}" }],
                  "redis": [{ "name": "cache", "url": "redis://127.0.0.1:1", "required": {{required}} }] }
                """);
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            return path;
        }

        const string Script = "param($Plan, $Url) [Environment]::SetEnvironmentVariable('MOLT_REDIS_TEST_DB', $Url); New-MoltBackup -PlanPath $Plan -Confirm:$false";
        var refused = _module.Run(Script, ("Plan", Plan("true")), ("Url", backups.Url));
        Assert.StartsWith("RedisUnreachable,", Assert.Single(refused.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder) && Directory.EnumerateFiles(folder).Any());

        var made = _module.Run(Script, ("Plan", Plan("false")), ("Url", backups.Url)).ThrowIfFailed();
        Assert.Contains("cache is not in this backup", Assert.Single(Assert.Single(made.Output).Value<IReadOnlyList<string>>("Notes")), StringComparison.Ordinal);
        Assert.Contains(made.Warnings, w => w.Contains("cache is not in this backup", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nothing_that_is_no_URL_is_repeated()
    {
        var backups = await fixture.BackupsAsync();
        var result = _module.Run("param($Url, $Path) New-MoltBackup $Url -Path $Path -RedisUrl 'redis://s3cret@h' -Confirm:$false", ("Url", backups.Url), ("Path", fixture.NewPath()));
        var error = result.Error;
        Assert.StartsWith("RedisUrlInvalid,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", error.ToString(), StringComparison.Ordinal);
    }

    private static async Task<RedisServer> StartAsync()
    {
        try
        {
            return await RedisServer.StartAsync([$"requirepass {Password}"], cancel: Cancel);
        }
        catch (TestServerMissingException e) when (Environment.GetEnvironmentVariable("CI") is not "true")
        {
            Assert.Skip(e.Message);
            throw;
        }
    }
}
