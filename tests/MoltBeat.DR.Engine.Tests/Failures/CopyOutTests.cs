using MoltBeat.DR.Engine.Postgres;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Failures;

[Collection(Workbench.Name)]
public sealed class CopyOutTests(Workbench bench)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RowFormat.Text)]
    [InlineData(RowFormat.Binary)]
    public async Task Giving_up_early_stops_the_server_and_does_not_read_the_table_to_its_end(RowFormat format)
    {
        var server = await bench.ServerAsync();
        await using var database = await server.CreateDatabaseAsync(bench.Unique("copy"), cancel: Cancel);
        // More than any socket's buffers hold: the server cannot be done before it is told to stop.
        await database.ExecuteAsync("CREATE TABLE big AS SELECT i, repeat(md5(i::text), 30) AS text FROM generate_series(1, 60000) i", Cancel);
        await using (var connection = await database.OpenAsync(Cancel))
        {
            await using var rows = await CopyOut.OpenAsync(connection, $"COPY big TO STDOUT (FORMAT {format})", format, Cancel);
            Assert.True(await rows.ReadAsync(new byte[1000], Cancel) > 0);
        }

        Assert.Contains(server.Log.Split('\n'), line => line.Contains($"@{database.Name} ", StringComparison.Ordinal) && line.Contains("canceling statement", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_stream_read_to_its_end_leaves_the_session_usable()
    {
        var server = await bench.ServerAsync();
        await using var database = await server.CreateDatabaseAsync(bench.Unique("copy"), cancel: Cancel);
        await using var connection = await database.OpenAsync(Cancel);
        for (var i = 0; i < 3; i++)
        {
            await using var rows = await CopyOut.OpenAsync(connection, "COPY (SELECT 1) TO STDOUT", RowFormat.Text, Cancel);
            using var text = new MemoryStream();
            await rows.CopyToAsync(text, Cancel);
            Assert.Equal("1\n"u8, text.ToArray());
        }
    }
}
