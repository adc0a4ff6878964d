using MoltBeat.DR.Engine.Recovery;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>What a role or a database may set must change neither what is backed up nor whether it can be.</summary>
public sealed class HostileSettingsTests(PostgresFixture postgres)
{
    private const string Password = "hostile";

    private static readonly string[] Settings =
    [
        "statement_timeout = '50ms'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '2s'", "idle_session_timeout = '2s'", "search_path = evil", "DateStyle = 'German'",
        "IntervalStyle = 'sql_standard'", "default_transaction_read_only = on", "default_transaction_isolation = 'serializable'",
        "default_transaction_deferrable = on", "bytea_output = 'escape'", "extra_float_digits = -15", "TimeZone = 'Asia/Kolkata'",
        "client_encoding = 'LATIN1'", "row_security = on", "lc_monetary = 'C.UTF-8'", "xmloption = 'document'", "standard_conforming_strings = off",
        "check_function_bodies = on", "quote_all_identifiers = on", "client_min_messages = 'error'", "default_table_access_method = 'heap'", "enable_tidscan = off",
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Settings_of_the_role_and_the_database_change_nothing(bool everything)
    {
        await using var source = everything ? await postgres.CreateEverythingAsync() : await postgres.CreateDatabaseAsync("hostile");
        var server = source.Server;
        if (!everything)
        {
            // Functions and operators of the same names that an unqualified call would find first.
            await source.ExecuteAsync("""
                CREATE SCHEMA evil;
                CREATE FUNCTION evil.count(int) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
                CREATE FUNCTION evil.pg_relation_size(oid) RETURNS bigint LANGUAGE plpgsql AS $$BEGIN RAISE 'evil'; END$$;
                CREATE FUNCTION evil.has_table_privilege(oid, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
                CREATE VIEW evil.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE false;
                CREATE TABLE t (id integer PRIMARY KEY, f float8, i interval, d timestamptz, b bytea, x xml, m money);
                INSERT INTO t SELECT n, 1 / 3.0::float8, '1 day -02:03:04', '2024-05-06 07:08:09.123456+00', '\x00ff5c', 'no <root/>', '1.50' FROM generate_series(1, 5000) n
                """, Cancel);
        }

        var role = postgres.Unique("hostile_role");
        await server.ExecuteAsync($"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD '{Password}'", cancel: Cancel);
        var copy = postgres.Unique("copy");
        try
        {
            foreach (var setting in Settings)
                await server.ExecuteAsync($"ALTER ROLE {role} SET {setting}; ALTER DATABASE {Sql.Identifier(source.Name)} SET {setting}", cancel: Cancel);
            using var workshop = new Workshop();
            var backup = await workshop.BackupAsync(server.Uri(source.Name, role, Password));
            await workshop.VerifyAsync(backup);
            var result = await workshop.RestoreAsync(backup, server.Uri("postgres", role, Password), copy);
            Assert.Equal(ProofStatus.Proven, result.Proof);
            await Likeness.AssertAsync(source, server, copy, schema: !everything); // members of extensions belong to who restores

            // Without them the backup is the same.
            await server.ExecuteAsync($"ALTER ROLE {role} RESET ALL; ALTER DATABASE {Sql.Identifier(source.Name)} RESET ALL", cancel: Cancel);
            using var other = new Workshop();
            var plain = await other.ContentsAsync(await other.BackupAsync(source));
            Assert.Equal(plain.Tables.Select(t => (t.QuotedName, t.Digest)), (await workshop.ContentsAsync(backup)).Tables.Select(t => (t.QuotedName, t.Digest)));
        }
        finally
        {
            NpgsqlConnection.ClearAllPools();
            await server.DropDatabaseAsync(copy, Cancel);
            await server.ExecuteAsync($"DROP ROLE {role}", cancel: Cancel);
        }
    }
}
