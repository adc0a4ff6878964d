using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Recovery.Export;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Dumps;

/// <summary>Backups written out, and restored with nothing but stock tools.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class ExportTests(PostgresFixture postgres)
{
    private const UnixFileMode Everybody = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("UTF8", false)]
    [InlineData("SQL_ASCII", false)]
    [InlineData("UTF8", true)]
    public async Task A_folder_is_restored_by_its_own_script(string encoding, bool encrypted)
    {
        await using var home = GnuPgHome.Create();
        await using var source = await postgres.CreateEverythingAsync(encoding);
        using var workshop = new Workshop();
        var (access, seal) = await KeysAsync(home, encrypted);
        using var sealing = seal;
        using var opening = access?.Opener as IDisposable;
        var backup = await workshop.BackupAsync(source, o => o with { Seal = seal });
        var folder = Path.Combine(workshop.Folder, "opened");
        var result = await FolderExport.RunAsync(workshop.Store, backup.Name, access, folder, workshop, Cancel);
        Assert.Equal((encrypted, backup.Id), (result.WasEncrypted, result.BackupId));
        Assert.All(Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories).Append(folder), f => Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(f) & Everybody));
        Assert.Empty(Directory.GetFileSystemEntries(workshop.Folder, "*.partial"));
        await Workshop.RefusedAsync("ExportExists", () => FolderExport.RunAsync(workshop.Store, backup.Name, access, folder, workshop, Cancel));

        var copy = postgres.Unique("copy");
        try
        {
            await Tool.RunAsync("sh", [Path.Combine(folder, "restore.sh"), folder, copy], source.Server.ToolEnvironment, Cancel);
            await Likeness.AssertAsync(source, source.Server, copy);
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Theory]
    [InlineData("UTF8")]
    [InlineData("LATIN1")]
    [InlineData("SQL_ASCII")]
    public async Task SQL_is_taken_by_gunzip_and_psql(string encoding)
    {
        await using var source = await postgres.CreateEverythingAsync(encoding);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var file = Path.Combine(workshop.Folder, "out.sql.gz");
        var options = new RestoreOptions { Connection = ConnectionSettings.Parse(source.Server.Uri()), TargetDatabase = "", Jobs = 2, Backup = backup };
        Assert.Null(await SqlExport.RunAsync([(workshop.Store, backup.Name)], options, file, false, _ => Task.FromResult(false), workshop, Cancel));
        Assert.False(File.Exists(file));
        var result = await SqlExport.RunAsync([(workshop.Store, backup.Name)], options, file, false, _ => Task.FromResult(true), workshop, Cancel);
        Assert.Equal(new FileInfo(file).Length, result!.Bytes);
        Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(file) & Everybody);
        Assert.Equal([file], Directory.GetFiles(workshop.Folder, "out*"));
        await Workshop.RefusedAsync("ExportExists", () => SqlExport.RunAsync([(workshop.Store, backup.Name)], options, file, false, _ => Task.FromResult(true), workshop, Cancel));

        await using var copy = await source.Server.CreateDatabaseAsync(postgres.Unique("copy"), new DatabaseOptions { Encoding = encoding }, Cancel);
        await Tool.RunAsync("sh", ["-c", $"set -e; gunzip -c '{file}' | '{Tool.Find("psql")}' -X -q -v ON_ERROR_STOP=1 -1 -d {copy.Name}"], source.Server.ToolEnvironment, Cancel);
        await Likeness.AssertAsync(source, source.Server, copy.Name, properties: false);
    }

    [Fact]
    public async Task An_export_that_cannot_be_written_leaves_nothing()
    {
        await using var source = await postgres.CreateDatabaseAsync("export");
        await source.ExecuteAsync("CREATE TABLE a AS SELECT generate_series(1, 1000) i", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var options = new RestoreOptions { Connection = ConnectionSettings.Parse(source.Server.Uri()), TargetDatabase = "", Jobs = 2, Backup = backup };
        var nowhere = Path.Combine(workshop.Folder, "nowhere", "out");
        await Workshop.RefusedAsync("ExportNotWritable", () => FolderExport.RunAsync(workshop.Store, backup.Name, null, nowhere, workshop, Cancel));
        await Workshop.RefusedAsync("ExportNotWritable", () => SqlExport.RunAsync([(workshop.Store, backup.Name)], options, nowhere, false, _ => Task.FromResult(true), workshop, Cancel));

        // Damaged at its end: the members before it have been written by then.
        var path = Path.Combine(workshop.Folder, backup.Name);
        await using (var archive = await workshop.OpenAsync(backup))
        {
            var last = archive.Manifest.Members[^1];
            await using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
            stream.Position = last.Offset;
            var b = stream.ReadByte();
            stream.Position = last.Offset;
            stream.WriteByte((byte)(b ^ 1));
        }

        var before = Directory.GetFileSystemEntries(workshop.Folder);
        await Workshop.RefusedAsync("ArchiveDamaged", () => FolderExport.RunAsync(workshop.Store, backup.Name, null, Path.Combine(workshop.Folder, "out"), workshop, Cancel));
        Assert.Equal(before, Directory.GetFileSystemEntries(workshop.Folder));
    }

    [Fact]
    public async Task An_export_that_is_stopped_drops_its_database_and_its_file()
    {
        await using var source = await postgres.CreateDatabaseAsync("export");
        await source.ExecuteAsync("CREATE TABLE a AS SELECT generate_series(1, 1000) i", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var options = new RestoreOptions { Connection = ConnectionSettings.Parse(source.Server.Uri()), TargetDatabase = "", Jobs = 2, Backup = backup };
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var observer = new StopsAtSql(stop);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => SqlExport.RunAsync([(workshop.Store, backup.Name)], options, Path.Combine(workshop.Folder, "out.sql.gz"), false, _ => Task.FromResult(true), observer, stop.Token));
        Assert.True(observer.Stopped);
        Assert.Empty(Directory.GetFiles(workshop.Folder, "out*"));
    }

    private static async Task<(ArchiveAccess? Access, OpenPgpSeal? Seal)> KeysAsync(GnuPgHome home, bool encrypted)
    {
        if (!encrypted)
        {
            return (null, null);
        }

        var fingerprint = await home.CreateKeyAsync("Export <export@example.com>", "rsa3072", "rsa3072");
        var seal = await ArchiveKeys.SealAsync([await home.ExportAsync("public.asc", fingerprint)], Cancel);
        return (new ArchiveAccess(OpenPgpOpener.FromFile(await home.ExportSecretAsync("secret.asc", "", fingerprint), "")), seal);
    }

    private sealed class StopsAtSql(CancellationTokenSource stop) : IOperationObserver
    {
        public bool Stopped { get; private set; }

        public void Verbose(string message)
        {
        }

        public void Warning(string message) => Assert.DoesNotContain("could not be", message, StringComparison.Ordinal);

        public void Progress(OperationProgress progress)
        {
            if (progress.Status.Contains("of SQL", StringComparison.Ordinal))
            {
                Stopped = true;
                stop.Cancel();
            }
        }
    }
}
