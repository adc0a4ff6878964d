using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Tests.Failures;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Archive;

public sealed class DumpListTests : IDisposable
{
    private const string Listed = """
        ;
        ; Archive created at 2026-01-31 12:00:00 UTC
        ;     dbname: x; 1 2 TABLE no entry
        ;
        5; 2615 16385 SCHEMA - app postgres
        216; 1259 16386 TABLE app users postgres
        3380; 0 16386 TABLE DATA app users postgres
        3381; 0 0 SEQUENCE SET app users id seq postgres
        3200; 2606 16390 FK CONSTRAINT public notes my constraint postgres
        3201; 1259 16391 INDEX public TABLE DATA postgres
        3400; 0 0 BLOBS - BLOBS
        12; 9999999999 99999999999999999999 SOMETHING NEW - x postgres
        no entry at all
        """;

    private readonly FakeTools _tools = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _tools.Dispose();

    [Fact]
    public async Task Tells_kinds_and_oids_apart_and_minds_nothing_it_does_not_know()
    {
        _tools.Replace("pg_restore", $"cat <<'LIST'\n{Listed}\nLIST");
        var list = await ReadAsync();
        Assert.Equal(
            [
                (2615u, 16385u, "SCHEMA", "- app postgres"),
                (1259u, 16386u, "TABLE", "app users postgres"),
                (0u, 16386u, "TABLE DATA", "app users postgres"),
                (0u, 0u, "SEQUENCE SET", "app users id seq postgres"),
                (2606u, 16390u, "FK CONSTRAINT", "public notes my constraint postgres"),
                (1259u, 16391u, "INDEX", "public TABLE DATA postgres"),
                (0u, 0u, "BLOBS", "- BLOBS"),
                (0u, 0u, "SOMETHING", "NEW - x postgres"),
            ],
            list.Entries.Select(e => (e.Catalog, e.Oid, e.Kind, e.Rest)));
        Assert.All(list.Entries, e => Assert.Contains(e.Line, Listed, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_dump_that_pg_restore_cannot_read_is_an_error_with_its_words()
    {
        var e = await Assert.ThrowsAsync<MoltException>(ReadAsync);
        Assert.Equal("ChildProgramFailed", e.Id);
        Assert.Contains("pg_restore", e.Message, StringComparison.Ordinal);
    }

    private async Task<DumpList> ReadAsync()
    {
        var archive = new MemoryArchive();
        await using var writer = new ArchiveWriter(archive, DateTimeOffset.UnixEpoch);
        await writer.AddAsync(ArchiveFormat.DatabaseDump, "no dump"u8.ToArray(), Cancel);
        await writer.CompleteAsync(m => Manifests.Of(m), Cancel);
        await using var reader = await ArchiveReader.OpenAsync(new MemoryArchive(archive.Bytes), Cancel);
        await using var dump = await DumpFile.ExtractAsync(reader, Cancel);
        return await DumpList.ReadAsync(ClientTools.Find(0, _tools.Folder), dump, new Listener(), Cancel);
    }
}
