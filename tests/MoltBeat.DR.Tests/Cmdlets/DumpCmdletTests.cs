using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Tests.Cmdlets;

/// <summary>Dumps of stock tools, and exports, as a prompt sees them.</summary>
public sealed class DumpCmdletTests(ServerFixture fixture) : IDisposable
{
    private readonly HostedModule _module = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _module.Dispose();

    [Fact]
    public async Task Dumps_are_listed_among_backups_and_what_is_none_is_an_error_of_its_own()
    {
        var backups = await fixture.CopyAsync();
        await DumpsAsync(backups.Folder);
        await File.WriteAllTextAsync(Path.Combine(backups.Folder, "notes.sql"), "hello", Cancel);
        var result = _module.Run("param($P) Get-MoltBackup $P", ("P", backups.Folder));
        Assert.Equal(["NotADump,MoltBeat.DR.GetMoltBackupCommand"], result.Errors.Select(e => e.FullyQualifiedErrorId));
        Assert.Equal(["Custom", "Directory", "Molt", "Molt", "Molt", "Sql"], result.Output.Select(o => o.Text("Format")).Order(StringComparer.Ordinal));
        var sql = result.Output.Single(o => o.Text("Format") == "Sql");
        Assert.Equal(("moltbeat", new DateTimeOffset(2026, 1, 31, 2, 0, 0, TimeSpan.Zero)), (sql.Text("Database"), sql.Value<DateTimeOffset>("Created")));
    }

    [Theory]
    [InlineData("moltbeat_backup_20260131_020000.sql.gz")]
    [InlineData("custom.dump")]
    [InlineData("directory")]
    public async Task A_dump_is_tested_and_restored_through_the_pipeline(string name)
    {
        var folder = fixture.NewPath("dumps");
        Directory.CreateDirectory(folder);
        await DumpsAsync(folder);
        var backups = await fixture.BackupsAsync();
        var target = fixture.Unique("dumped");
        var path = Path.Combine(folder, name);
        foreach (var level in new[] { "Quick", "Full" })
        {
            var test = Assert.Single(_module.Run("param($P, $L) Get-MoltBackup $P | Test-MoltBackup -Level $L", ("P", path), ("L", level)).ThrowIfFailed().Output);
            Assert.True(test.Value<bool>("Passed"));
        }

        Assert.Empty(_module.Run("param($P, $T, $U) Restore-MoltBackup $P $T -DatabaseUrl $U -WhatIf", ("P", path), ("T", target), ("U", backups.Url)).ThrowIfFailed().Output);
        var restore = Assert.Single(_module.Run("param($P, $T, $U) Get-MoltBackup $P | Restore-MoltBackup -TargetDatabase $T -DatabaseUrl $U -Confirm:$false", ("P", path), ("T", target), ("U", backups.Url)).ThrowIfFailed().Output);
        Assert.Equal("Counted", restore.Text("Proof"));
        var server = await fixture.ServerAsync();
        Assert.Equal(100, await server.ScalarAsync<long>("SELECT count(*) FROM a", target, Cancel));
        await server.DropDatabaseAsync(target, Cancel);
    }

    [Fact]
    public async Task A_backup_is_exported_in_both_forms()
    {
        var backups = await fixture.CopyAsync();
        var folder = Path.Combine(backups.Folder, "opened");
        var file = Path.Combine(backups.Folder, "out.sql.gz");
        Assert.Empty(_module.Run("param($P, $D) Export-MoltBackup $P $D -As Folder -WhatIf", ("P", backups.Newer), ("D", folder)).ThrowIfFailed().Output);
        Assert.False(Directory.Exists(folder));
        var opened = Assert.Single(_module.Run("param($P, $D) Get-MoltBackup $P | Export-MoltBackup -Destination $D -As Folder -Confirm:$false", ("P", backups.Newer), ("D", folder)).ThrowIfFailed().Output);
        Assert.Equal(folder, opened.Text("Path"));
        Assert.True(File.Exists(Path.Combine(folder, "restore.sh")));
        var sql = Assert.Single(_module.Run("param($P, $D, $U) Export-MoltBackup $P $D -As Sql -DatabaseUrl $U -Confirm:$false", ("P", backups.Newer), ("D", file), ("U", backups.Url)).ThrowIfFailed().Output);
        Assert.Equal(new FileInfo(file).Length, sql.Value<long>("Bytes"));
        var again = _module.Run("param($P, $D, $U) Export-MoltBackup $P $D -As Sql -DatabaseUrl $U -Confirm:$false", ("P", backups.Newer), ("D", file), ("U", backups.Url));
        Assert.Equal("ExportExists,MoltBeat.DR.ExportMoltBackupCommand", Assert.Single(again.Errors).FullyQualifiedErrorId);
        Assert.Equal(0, await (await fixture.ServerAsync()).ScalarAsync<long>("SELECT count(*) FROM pg_database WHERE datname LIKE 'molt_export_%'", cancel: Cancel));
    }

    private async Task DumpsAsync(string folder)
    {
        var server = await fixture.ServerAsync();
        var name = fixture.Unique("todump");
        await using var database = await server.CreateDatabaseAsync(name, cancel: Cancel);
        await database.ExecuteAsync("CREATE TABLE a AS SELECT generate_series(1, 100) i", Cancel);
        foreach (var (format, file) in new[] { ("plain", "moltbeat_backup_20260131_020000.sql.gz"), ("custom", "custom.dump"), ("directory", "directory") })
        {
            string[] compress = format == "plain" ? ["--compress=6"] : [];
            await Tool.RunAsync("pg_dump", ["--format", format, .. compress, "--file", Path.Combine(folder, file), "--dbname", name], server.ToolEnvironment, Cancel);
        }
    }
}
