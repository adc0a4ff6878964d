using System.Diagnostics;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.DR.Engine.Tests.Encryption;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery;

/// <summary>What an operator without this module has: the archive's own restore.sh and stock tools.</summary>
public sealed class RestoreScriptTests(PostgresFixture postgres, GnuPgFixture gnuPg)
{
    /// <summary>All that the script may call: what it asks for, and POSIX utilities.</summary>
    private static readonly string[] Programs = ["tar", "zstd", "psql", "pg_restore", "cat", "grep", "mktemp", "rm", "sed", "head", "tail", "sort", "awk", "dd"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("UTF8", false)]
    [InlineData("LATIN1", false)]
    [InlineData("SQL_ASCII", false)]
    [InlineData("UTF8", true)]
    [InlineData("SQL_ASCII", true)]
    public async Task The_archives_own_script_brings_back_the_same_database(string encoding, bool encrypted)
    {
        var keys = encrypted ? await gnuPg.KeysAsync() : null;
        using var seal = keys is null ? null : new OpenPgpSeal(await keys.RecipientsAsync(keys.Rsa));
        await using var source = await postgres.CreateEverythingAsync(encoding);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source, o => o with { PartBytes = 8 << 20, Seal = seal });
        using var opener = keys is null ? null : await keys.OpenerAsync(keys.Rsa);
        var copy = postgres.Unique("it's a \"copy\" = \\ %s");
        try
        {
            var (code, said) = await RunAsync(workshop, source.Server, backup.Path, copy, keys?.Home);
            Assert.True(code == 0, said);
            await Likeness.AssertAsync(source, source.Server, copy);
            await AssertDigestsAsync(await workshop.ContentsAsync(backup, new ArchiveAccess(opener)), source.Server, copy);
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task A_script_that_fails_leaves_no_database()
    {
        await using var source = await postgres.CreateDatabaseAsync("script");
        await source.ExecuteAsync("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);

        // The rows' bytes are damaged: zstd finds that out when the database is half made.
        MemberInfo part;
        await using (var archive = await workshop.OpenAsync(backup))
            part = archive.Manifest.Members.First(m => m.Name.StartsWith(ArchiveFormat.DataFolder, StringComparison.Ordinal));
        await using (var file = File.OpenWrite(backup.Path))
        {
            file.Seek(part.Offset + (part.Length / 2), SeekOrigin.Begin);
            file.WriteByte(0x55);
        }

        var copy = postgres.Unique("script_copy");
        var (code, said) = await RunAsync(workshop, source.Server, backup.Path, copy);
        Assert.NotEqual(0, code);
        Assert.Contains("nothing of it is left", said, StringComparison.Ordinal);
        Assert.Equal(0L, await source.Server.ScalarAsync<long>($"SELECT count(*) FROM pg_database WHERE datname = {Sql.Literal(copy)}", cancel: Cancel));
    }

    [Fact]
    public async Task A_database_that_is_there_already_is_left_alone()
    {
        await using var source = await postgres.CreateDatabaseAsync("script");
        await source.ExecuteAsync("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)", Cancel);
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source);
        var (code, _) = await RunAsync(workshop, source.Server, backup.Path, source.Name);
        Assert.NotEqual(0, code);
        Assert.Equal(1L, await source.ScalarAsync<long>("SELECT count(*) FROM t", Cancel));
    }

    internal static async Task<(int Code, string Said)> RunAsync(Workshop workshop, PostgresServer server, string archive, string target, GnuPgHome? keys = null)
    {
        var bin = Directory.CreateDirectory(Path.Combine(workshop.Folder, "bin")).FullName;
        foreach (var program in keys is null ? Programs : [.. Programs, "gpg", "gpg-agent"])
        {
            if (Path.Combine(bin, program) is var link && !File.Exists(link) && Tool.Find(program) is { } found)
                File.CreateSymbolicLink(link, found);
        }

        await Tool.RunAsync("tar", ["-xf", archive, "-C", workshop.Folder, ArchiveFormat.RestoreScript], cancel: Cancel);
        var start = new ProcessStartInfo(Tool.Find("sh")!, [Path.Combine(workshop.Folder, ArchiveFormat.RestoreScript), archive, target])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();
        start.Environment["PATH"] = bin;
        if (keys is not null)
            start.Environment["GNUPGHOME"] = keys.Path;
        foreach (var (name, value) in server.ToolEnvironment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(Cancel);
        var output = process.StandardOutput.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        return (process.ExitCode, await output + await error);
    }

    private static async Task AssertDigestsAsync(Contents contents, PostgresServer server, string database)
    {
        var (connection, pinned) = await ServerConnector.OpenAsync(ConnectionSettings.Parse(server.Uri(database)), SessionOptions.Default.In(contents.Database.Encoding), Cancel);
        await using (pinned)
        await using (connection)
        {
            await DatabaseCatalog.ExecuteAsync(connection, SessionSettings.Pin(150000, TimeSpan.Zero), Cancel);
            var tables = (await DatabaseCatalog.TablesAsync(connection, Cancel)).ToDictionary(t => t.QuotedName);
            await DatabaseCatalog.ExecuteAsync(connection, $"SET client_encoding = '{contents.Database.Encoding}'", Cancel);
            Assert.NotEmpty(contents.Tables);
            foreach (var table in contents.Tables)
            {
                var range = TableRange.Plan([tables[table.QuotedName] with { Columns = table.Columns }], 1, 150000).Single();
                await using var copy = await CopyOut.OpenAsync(connection, CopySql.Out(range, table.Format, contents.Database.Encoding), table.Format, Cancel);
                var (digest, _) = await RowCounter.CountAsync(copy, table.Format, long.MaxValue, null, Cancel);
                Assert.Equal((table.QuotedName, table.Rows, table.Digest), (table.QuotedName, digest.Rows, digest.ToHex()));
            }
        }
    }
}
