using System.Text;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.TestServers;
using Npgsql;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Postgres;

/// <summary>What Npgsql makes of a session in another encoding than UTF-8; the readers and writers of rows build on it.</summary>
public sealed class ClientEncodingTests(PostgresFixture postgres) : IDisposable
{
    private static readonly byte[] s_latin1 = [(byte)'k', 0xE9, (byte)'\n'];
    private readonly FakeSurroundings _around = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("UTF8", "LATIN1")]
    [InlineData("LATIN1", "LATIN1")]
    [InlineData("LATIN1", "SQL_ASCII")]
    [InlineData("SQL_ASCII", "SQL_ASCII")]
    public async Task A_utf8_session_may_change_its_encoding_and_copy_bytes(string database, string client)
    {
        await using TestDatabase test = await postgres.CreateDatabaseAsync("enc", new DatabaseOptions { Encoding = database });
        (NpgsqlConnection connection, PinnedServer server) = await OpenAsync(test, SessionOptions.Default);
        await using (server)
        await using (connection)
        {
            await ExecuteAsync(connection, $"SET client_encoding = '{client}'");
            await ExecuteAsync(connection, "CREATE TABLE t (v text)");
            await using (NpgsqlRawCopyStream sink = await connection.BeginRawBinaryCopyAsync("COPY t FROM STDIN (FORMAT binary)", Cancel))
                await sink.WriteAsync(Binary(s_latin1.AsSpan(0, 2)), Cancel);

            using MemoryStream text = new();
            await using (Stream source = await CopyOut.OpenAsync(connection, "COPY t TO STDOUT", RowFormat.Text, Cancel))
                await source.CopyToAsync(text, Cancel);
            Assert.Equal(s_latin1, text.ToArray());

            using MemoryStream binary = new();
            await using (Stream source = await CopyOut.OpenAsync(connection, "COPY t TO STDOUT (FORMAT binary)", RowFormat.Binary, Cancel))
                await source.CopyToAsync(binary, Cancel);
            Assert.Equal(Binary(s_latin1.AsSpan(0, 2)), binary.ToArray());

            // An error with a name in that encoding: the char is lost, the session is not.
            PostgresException e = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(connection, "DO $$BEGIN RAISE '%', (SELECT v FROM t); END$$"));
            Assert.Equal("k\uFFFD", e.MessageText);
            await ExecuteAsync(connection, "SELECT 1");
        }
    }

    [Fact]
    public async Task Text_results_that_are_not_utf8_fail_but_leave_the_session_usable()
    {
        await using TestDatabase test = await postgres.CreateDatabaseAsync("enc", new DatabaseOptions { Encoding = "SQL_ASCII" });
        (NpgsqlConnection connection, PinnedServer server) = await OpenAsync(test, SessionOptions.Default);
        await using (server)
        await using (connection)
        {
            await ExecuteAsync(connection, "SET client_encoding = 'SQL_ASCII'");
            await Assert.ThrowsAsync<DecoderFallbackException>(async () =>
            {
                await using NpgsqlCommand command = new("SELECT convert_from('\\x6be9', 'SQL_ASCII')", connection);
                await command.ExecuteScalarAsync(Cancel);
            });
            await ExecuteAsync(connection, "SELECT 1");
        }
    }

    [Fact]
    public async Task A_session_of_bytes_names_what_is_in_no_encoding()
    {
        await using TestDatabase test = await postgres.CreateDatabaseAsync("enc", new DatabaseOptions { Encoding = "SQL_ASCII" });
        (NpgsqlConnection connection, PinnedServer server) = await OpenAsync(test, new SessionOptions(ByteEncoding: "SQL_ASCII"));
        await using (server)
        await using (connection)
        {
            // "k" and the single byte E9, in no UTF-8.
            await ExecuteAsync(connection, "CREATE TABLE \"k\u00E9\" AS SELECT 'v\u00E9'::text AS v");
            await using NpgsqlCommand command = new("SELECT relname::text, convert_to(relname::text, 'SQL_ASCII') FROM pg_class WHERE relname = $1", connection)
            {
                Parameters = { new() { Value = "k\u00E9" } },
            };
            await using (NpgsqlDataReader row = await command.ExecuteReaderAsync(Cancel))
            {
                Assert.True(await row.ReadAsync(Cancel));
                Assert.Equal("k\u00E9", row.GetString(0));
                Assert.Equal([(byte)'k', 0xE9], row.GetFieldValue<byte[]>(1));
            }
            using MemoryStream text = new();
            await using (Stream source = await CopyOut.OpenAsync(connection, "COPY \"k\u00E9\" TO STDOUT", RowFormat.Text, Cancel))
                await source.CopyToAsync(text, Cancel);
            Assert.Equal([(byte)'v', 0xE9, (byte)'\n'], text.ToArray());
            PostgresException e = await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(connection, "SELECT * FROM \"no\u00E9\""));
            Assert.Contains("\"no\u00E9\"", e.MessageText, StringComparison.Ordinal);
        }
    }

    public void Dispose() => _around.Dispose();

    /// <summary>A binary COPY of one row with one value.</summary>
    private static byte[] Binary(ReadOnlySpan<byte> value) =>
        [.. "PGCOPY\n"u8, 0xFF, (byte)'\r', (byte)'\n', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, (byte)value.Length, .. value, 0xFF, 0xFF];

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    private Task<(NpgsqlConnection Connection, PinnedServer Server)> OpenAsync(TestDatabase database, SessionOptions options) =>
        ServerConnector.OpenAsync(_around.Parse(database.Uri), options, Cancel);
}
