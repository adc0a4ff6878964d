using System.IO.Compression;
using System.Text;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Archive.Dumps;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Recovery.Dumps;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Dumps;

/// <summary>Dumps made by the real programs, restored.</summary>
public sealed class DumpRestoreTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("UTF8", "sql.gz")]
    [InlineData("LATIN1", "sql.gz")]
    [InlineData("SQL_ASCII", "sql.gz")]
    [InlineData("UTF8", "custom")]
    [InlineData("UTF8", "directory")]
    public async Task A_dump_with_everything_is_restored_and_counted(string encoding, string form)
    {
        await using var source = await postgres.CreateEverythingAsync(encoding);
        using var workshop = new Workshop();
        var dump = await DumpAsync(source, workshop.Folder, form);
        var copy = postgres.Unique("copy");
        try
        {
            var result = await RestoreAsync(workshop, dump, source.Server, copy);
            Assert.Equal(ProofStatus.Counted, result!.Proof);
            Assert.Contains(result.NotCompared, t => t.StartsWith("the rows themselves", StringComparison.Ordinal));
            Assert.All(result.Tables, t => Assert.False(t.Proven));
            Assert.True(result.Rows > 1000);
            await Likeness.AssertAsync(source, source.Server, copy, properties: false); // SQL holds none of the database's own
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task An_encrypted_dump_goes_to_psql_without_touching_a_disk()
    {
        await using var home = GnuPgHome.Create();
        var fingerprint = await home.CreateKeyAsync("Legacy <legacy@example.com>", "rsa3072", "rsa3072");
        await using var source = await SmallAsync();
        using var workshop = new Workshop();
        var plain = await DumpAsync(source, workshop.Folder, "sql.gz");
        var message = await home.RunAsync(["--trust-model", "always", "--encrypt", "--recipient", fingerprint], await File.ReadAllBytesAsync(plain, Cancel));
        File.Delete(plain);
        var sealedDump = Path.Combine(workshop.Folder, "moltbeat_backup_20260131_020000.sql.gz.gpg");
        await File.WriteAllBytesAsync(sealedDump, message, Cancel);
        using var opener = OpenPgpOpener.FromFile(await home.ExportSecretAsync("secret.asc", "", fingerprint), "");
        var copy = postgres.Unique("copy");
        try
        {
            var result = await RestoreAsync(workshop, sealedDump, source.Server, copy, opener: opener);
            Assert.Equal((ProofStatus.Counted, 1000L), (result!.Proof, result.Rows));

            // A message that was changed anywhere makes nothing.
            message[^3] ^= 1;
            await File.WriteAllBytesAsync(sealedDump, message, Cancel);
            await Workshop.RefusedAsync("MemberTampered", () => RestoreAsync(workshop, sealedDump, source.Server, copy + "_no", opener: opener));
            await Workshop.RefusedAsync("PrivateKeyNeeded", () => RestoreAsync(workshop, sealedDump, source.Server, copy + "_no"));
            Assert.Equal([sealedDump], Directory.GetFileSystemEntries(workshop.Folder));
            await NothingIsLeftAsync(source.Server, copy + "_no");
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Theory]
    [InlineData("cut", "DumpDamaged")]
    [InlineData("crc", "DumpDamaged")]
    [InlineData("noCrc", "DumpDamaged")]
    [InlineData("trailing", "DumpDamaged")]
    [InlineData("noTrailer", "DumpIncomplete")]
    [InlineData("empty", "DumpIncomplete")]
    [InlineData("shell", "DumpHasCommand")]
    [InlineData("include", "DumpHasCommand")]
    [InlineData("connect", "DumpHasCommand")]
    [InlineData("gset", "DumpHasCommand")]
    [InlineData("create", "DumpNamesDatabase")]
    [InlineData("createHidden", "DumpNamesDatabase")]
    [InlineData("grantDatabase", "DumpNamesDatabase")]
    [InlineData("commentDatabase", "DumpNamesDatabase")]
    [InlineData("role", "DumpChangesServer")]
    [InlineData("superuser", "DumpChangesServer")]
    [InlineData("membership", "DumpChangesServer")]
    [InlineData("tablespace", "DumpChangesServer")]
    [InlineData("program", "DumpNotSupported")]
    [InlineData("programHidden", "DumpNotSupported")]
    [InlineData("programBehindTab", "DumpNotSupported")]
    [InlineData("sjis", "DumpNotSupported")]
    [InlineData("broken", "RestoreFailed")]
    [InlineData("other", "NotADump")]
    public async Task What_is_cut_short_hostile_or_wrong_makes_nothing(string how, string id)
    {
        await using var source = await SmallAsync();
        using var workshop = new Workshop();
        var dump = await DumpAsync(source, workshop.Folder, "sql.gz");
        var bytes = await File.ReadAllBytesAsync(dump, Cancel);
        var sql = Unzip(bytes);
        var proof = Path.Combine(workshop.Folder, "ran");
        var at = sql.IndexOf("CREATE TABLE", StringComparison.Ordinal);
        string Insert(string text) => sql.Insert(at, text + "\n");
        bytes = how switch
        {
            "cut" => bytes[..(bytes.Length / 2)],
            "noCrc" => bytes[..^8],
            "crc" => [.. bytes[..^8], (byte)(bytes[^8] ^ 1), .. bytes[^7..]],
            "trailing" => [.. bytes, 1, 2, 3],
            "noTrailer" => Zip(sql[..sql.IndexOf("-- PostgreSQL database dump complete", StringComparison.Ordinal)]),
            "empty" => Zip("--\n"),
            "shell" => Zip(Insert($"\\! touch {proof}")),
            "include" => Zip(Insert("SELECT 1 \\i /etc/passwd")),
            "connect" => Zip(Insert("\\connect postgres")),
            "gset" => Zip(Insert("SELECT 'a' AS b \\gset")),
            "create" => Zip(Insert("ALTER DATABASE postgres SET search_path TO evil;")),
            "createHidden" => Zip(Insert("ALTER/**/DATABASE postgres SET search_path TO evil;")),
            "grantDatabase" => Zip(Insert("GRANT CONNECT\nON -- here\n DATABASE postgres TO PUBLIC;")),
            "commentDatabase" => Zip(Insert("COMMENT ON\tDATABASE postgres IS 'evil';")),
            "role" => Zip(Insert("CREATE ROLE dump_evil;")),
            "superuser" => Zip(Insert("alter\n/* a */role postgres SET search_path TO evil;")),
            "membership" => Zip(Insert("GRANT pg_read_all_data TO CURRENT_USER;")),
            "tablespace" => Zip(Insert("CREATE TABLESPACE evil LOCATION '/tmp';")),
            "programHidden" => Zip(Insert($"COPY/**/public.a FROM PROGRAM 'touch {proof}';")),
            "programBehindTab" => Zip(Insert($"copy\tpublic.a FROM PROGRAM 'touch {proof}';")),
            "program" => Zip(Insert($"COPY public.a FROM PROGRAM 'touch {proof}';")),
            "sjis" => Zip(sql.Replace("client_encoding = 'UTF8'", "client_encoding = 'SJIS'", StringComparison.Ordinal)),
            "broken" => Zip(Insert("SELECT 1/0;")),
            "other" => Zip("hello"),
            _ => throw new ArgumentOutOfRangeException(nameof(how)),
        };
        await File.WriteAllBytesAsync(dump, bytes, Cancel);
        var target = postgres.Unique("never");
        await Workshop.RefusedAsync(id, () => RestoreAsync(workshop, dump, source.Server, target));
        await NothingIsLeftAsync(source.Server, target);
        Assert.False(File.Exists(proof));
    }

    [Fact]
    public async Task What_psql_might_take_for_a_command_is_data_in_a_real_dump()
    {
        await using var source = await SmallAsync();
        await source.ExecuteAsync("""
            INSERT INTO a VALUES (-1, E'\\! touch /nowhere\n\\.\n\\connect x'), (-2, E'a\\');
            CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $body$ SELECT '\! no'::text; $body$;
            CREATE TABLE "odd "" (;name" (id int DEFAULT length('--;''"'), "c "" ,d" text DEFAULT E'\\connect $$ /*');
            INSERT INTO "odd "" (;name" VALUES (1, '\.');
            COMMENT ON TABLE a IS E'line\n\\! no\n-- PostgreSQL database dump complete';
            """, Cancel);
        // Npgsql would take such a body apart.
        const string Atomic = """CREATE FUNCTION g() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT '\! no'::text; SELECT E'\\''\\! no'::text; END""";
        await Tool.RunAsync("psql", ["-X", "-v", "ON_ERROR_STOP=1", "-c", Atomic, "-d", source.Name], source.Server.ToolEnvironment, Cancel);
        using var workshop = new Workshop();
        var dump = await DumpAsync(source, workshop.Folder, "sql.gz");
        var copy = postgres.Unique("copy");
        try
        {
            var result = await RestoreAsync(workshop, dump, source.Server, copy);
            Assert.Equal(1003, result!.Rows);
            Assert.Equal(await ContentAsync(source.Server, source.Name), await ContentAsync(source.Server, copy));
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, Cancel);
        }
    }

    [Fact]
    public async Task A_restore_that_is_stopped_while_it_loads_leaves_nothing()
    {
        await using var source = await SmallAsync();
        await source.ExecuteAsync("CREATE FUNCTION slow() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(60)'", Cancel);
        using var workshop = new Workshop();
        var dump = await DumpAsync(source, workshop.Folder, "sql.gz");
        var sql = Unzip(await File.ReadAllBytesAsync(dump, Cancel));
        var end = sql.IndexOf("--\n-- PostgreSQL database dump complete", StringComparison.Ordinal);
        await File.WriteAllBytesAsync(dump, Zip(sql.Insert(end, "SELECT public.slow();\n")), Cancel);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var target = postgres.Unique("never");
        var restore = RestoreAsync(workshop, dump, source.Server, target, cancel: stop.Token);
        while (await source.Server.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%public.slow()%' AND datname LIKE 'molt_restoring_%'", cancel: Cancel) == 0)
        {
            Assert.False(restore.IsCompleted);
            await Task.Delay(50, Cancel);
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => restore);
        await NothingIsLeftAsync(source.Server, target);
    }

    [Fact]
    public async Task A_dump_takes_the_place_of_a_database_and_can_be_forced_when_it_is_cut_short()
    {
        await using var source = await SmallAsync();
        using var workshop = new Workshop();
        var dump = await DumpAsync(source, workshop.Folder, "sql.gz");
        await source.ExecuteAsync("DELETE FROM a", Cancel);
        var result = await RestoreAsync(workshop, dump, source.Server, source.Name, o => o with { Replace = true });
        Assert.NotNull(result!.Replaced);
        Assert.Equal(1000, await source.ScalarAsync<long>("SELECT count(*) FROM a", Cancel));
        await source.Server.DropDatabaseAsync(result.Replaced!.KeptAs, Cancel);

        var sql = Unzip(await File.ReadAllBytesAsync(dump, Cancel));
        await File.WriteAllBytesAsync(dump, Zip(sql[..sql.IndexOf("-- PostgreSQL database dump complete", StringComparison.Ordinal)]), Cancel);
        var forced = postgres.Unique("forced");
        Assert.Equal(1000, (await RestoreAsync(workshop, dump, source.Server, forced, incomplete: true))!.Rows);
        await source.Server.DropDatabaseAsync(forced, Cancel);
    }

    [Fact]
    public async Task Missing_roles_are_named_before_anything_is_made_and_made_without_login_when_asked()
    {
        await using var server = await PostgresServer.StartAsync(cancel: Cancel);
        await using var source = await SmallAsync();
        var role = postgres.Unique("odd\"role");
        await source.ExecuteAsync($"CREATE ROLE {Sql.Identifier(role)}; ALTER TABLE a OWNER TO {Sql.Identifier(role)}", Cancel);
        using var workshop = new Workshop();
        var dump = await DumpAsync(source, workshop.Folder, "sql.gz");
        var refused = await Workshop.RefusedAsync("RolesMissing", () => RestoreAsync(workshop, dump, server, "copy"));
        Assert.Contains(role, refused.Message, StringComparison.Ordinal);
        await Workshop.RefusedAsync("DumpOptionInvalid", () => RestoreAsync(workshop, dump, server, "copy", o => o with { NoOwner = true }));
        var result = await RestoreAsync(workshop, dump, server, "copy", o => o with { CreateRoles = true });
        Assert.Equal([role], result!.RolesCreated);
        Assert.False(await server.ScalarAsync<bool>($"SELECT rolcanlogin FROM pg_roles WHERE rolname = {Sql.Literal(role)}", cancel: Cancel));
        await source.ExecuteAsync($"ALTER TABLE a OWNER TO postgres; DROP ROLE {Sql.Identifier(role)}", Cancel);
    }

    [Theory]
    [InlineData("15.14", true)]
    [InlineData("15.13", false)]
    [InlineData("17.6", true)]
    [InlineData("17.5", false)]
    [InlineData("18.0", true)]
    [InlineData("12.22", false)]
    public void Only_a_psql_that_can_be_restricted_is_taken(string version, bool can) => Assert.Equal(can, PsqlLoad.Restricts(version));

    internal static async Task<string> DumpAsync(TestDatabase source, string folder, string form)
    {
        var path = Path.Combine(folder, form == "sql.gz" ? "moltbeat_backup_20260131_020000.sql.gz" : form);
        string[] how = form switch { "sql.gz" => ["--format=plain", "--compress=6"], "custom" => ["--format=custom"], _ => ["--format=directory"] };
        await Tool.RunAsync("pg_dump", [.. how, "--file", path, "--dbname", source.Name], source.Server.ToolEnvironment, Cancel);
        return path;
    }

    private static async Task<RestoreResult?> RestoreAsync(Workshop workshop, string path, PostgresServer server, string target, Func<RestoreOptions, RestoreOptions>? change = null, IMemberOpener? opener = null, bool incomplete = false, CancellationToken? cancel = null)
    {
        var options = new RestoreOptions { Connection = ConnectionSettings.Parse(server.Uri()), TargetDatabase = target, Jobs = 2 };
        await using var source = Directory.Exists(path) ? DumpSource.OfDirectory(path)
            : (await DumpSource.OfFileAsync(await workshop.Store.OpenAsync(await workshop.Store.FindAsync(Path.GetFileName(path), Cancel), false, Cancel), opener, Cancel))!;
        return await DumpRestore.RunAsync(source, new DumpInfo(new string('a', 32), "moltbeat", DateTimeOffset.UtcNow), change?.Invoke(options) ?? options, incomplete, _ => Task.FromResult(true), workshop, cancel ?? Cancel);
    }

    /// <summary>All that pg_dump says of a database, without what changes from one dump to the next.</summary>
    private static async Task<string> ContentAsync(PostgresServer server, string database)
    {
        var sql = await Tool.RunAsync("pg_dump", ["--format=plain", "--dbname", database], server.ToolEnvironment, Cancel);
        return string.Join('\n', sql.Split('\n').Where(l => !l.StartsWith("\\restrict", StringComparison.Ordinal) && !l.StartsWith("\\unrestrict", StringComparison.Ordinal)));
    }

    private static async Task NothingIsLeftAsync(PostgresServer server, string target)
        => Assert.Equal(0, await server.ScalarAsync<long>($"SELECT count(*) FROM pg_database WHERE datname = {Sql.Literal(target)}", cancel: Cancel));

    private static byte[] Zip(string text)
    {
        using var bytes = new MemoryStream();
        using (var zip = new GZipStream(bytes, CompressionLevel.Fastest))
        {
            zip.Write(Encoding.UTF8.GetBytes(text));
        }

        return bytes.ToArray();
    }

    private static string Unzip(byte[] bytes)
    {
        using var zip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
        using var reader = new StreamReader(zip, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private async Task<TestDatabase> SmallAsync()
    {
        var database = await postgres.CreateDatabaseAsync("small");
        await database.ExecuteAsync("CREATE TABLE a (id int PRIMARY KEY, t text); INSERT INTO a SELECT i, repeat('x', i % 50) FROM generate_series(1, 1000) i", Cancel);
        return database;
    }
}
