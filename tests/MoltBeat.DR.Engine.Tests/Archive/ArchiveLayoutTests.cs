using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Tests.Backup;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Archive;

public sealed class ArchiveLayoutTests(PostgresFixture postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Members_lie_in_the_documented_order()
    {
        await using var source = await postgres.CreateEverythingAsync();
        using var workshop = new Workshop();
        var backup = await workshop.BackupAsync(source, o => o with { PartBytes = 1 << 20 });
        var names = (await Tool.RunAsync("tar", ["-tf", backup.Path], cancel: Cancel)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var kinds = names.Select(n => n.StartsWith(ArchiveFormat.DataFolder, StringComparison.Ordinal) ? ArchiveFormat.DataFolder : n).ToList();
        var runs = kinds.Where((kind, i) => i == 0 || kind != kinds[i - 1]);
        Assert.Equal(
            [ArchiveFormat.Readme, ArchiveFormat.RestoreScript, ArchiveFormat.Globals, ArchiveFormat.DatabaseDump, ArchiveFormat.DataFolder, ArchiveFormat.Contents, ArchiveFormat.Manifest, ArchiveFormat.Index],
            runs);
        Assert.All(names, n => Assert.True(n.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.' or '/'), n));
    }
}
