using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Tests.Backup;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery;

/// <summary>The database with every kind of object and value, there and back.</summary>
public sealed class EverythingRestoreTests(PostgresFixture postgres)
{
    [Theory]
    [InlineData("UTF8")]
    [InlineData("LATIN1")]
    [InlineData("SQL_ASCII")]
    public async Task A_restored_database_is_like_its_source_in_schema_rows_sequences_and_properties(string encoding)
    {
        await using var source = await postgres.CreateEverythingAsync(encoding);
        using var workshop = new Workshop();
        // Small parts and ranges, so that tables of a few megabytes are split as large ones are.
        var backup = await workshop.BackupAsync(source, o => o with { PartBytes = 1 << 20, RangeBytes = 1 << 20, Jobs = 16 });
        await workshop.VerifyAsync(backup);

        var copy = postgres.Unique("copy");
        try
        {
            var result = await workshop.RestoreAsync(backup, source.Server, copy);
            Assert.Equal(ProofStatus.Proven, result.Proof);
            Assert.True(result.LargeObjectsProven);
            Assert.All(result.Tables, t => Assert.True(t.Proven));
            Assert.Contains(result.NotCompared, t => t.StartsWith("parts.by_mood", StringComparison.Ordinal)); // pg_dump's to load, so said to be unproven
            await Likeness.AssertAsync(source, source.Server, copy);
        }
        finally
        {
            await source.Server.DropDatabaseAsync(copy, TestContext.Current.CancellationToken);
        }
    }
}
