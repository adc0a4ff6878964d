using System.Buffers;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Application.Redis;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application.Redis;

/// <summary>Takes keys into an archive in memory, and brings them back out of it.</summary>
internal static class RedisBench
{
    public static readonly Observer Silent = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static RedisTarget TargetOf(RedisServer server, int? database = null, IReadOnlyList<int>? databases = null, bool required = true, string? login = null)
        => new("cache", RedisUrl.Parse(server.Url(login, database)), databases, required);

    public static Task<(byte[] Archive, ExtraContents Extra)> CaptureAsync(RedisServer server) => CaptureAsync(new RedisCapture(TargetOf(server)));

    public static async Task<(byte[] Archive, ExtraContents Extra)> CaptureAsync(RedisCapture capture)
    {
        await capture.PrepareAsync(new CaptureContext(false, []), Cancel);
        var memory = new MemoryArchive();
        await using var writer = new ArchiveWriter(memory, DateTimeOffset.UnixEpoch);
        var extra = await capture.CaptureAsync(writer, Silent, Cancel);
        await CompleteAsync(writer);
        return (memory.Bytes, extra);
    }

    public static Task CompleteAsync(ArchiveWriter writer) => writer.CompleteAsync(members => new Manifest
    {
        FormatVersion = 1,
        Id = new string('0', 32),
        Kind = BackupKind.Manual,
        Database = "d",
        Created = DateTimeOffset.UnixEpoch,
        Completed = DateTimeOffset.UnixEpoch,
        Server = new ServerInfo { Version = "15.0", VersionNumber = 150000, InRecovery = false },
        Tools = new ToolInfo("0", "15.0"),
        Rows = 0,
        Tables = 0,
        RawBytes = 0,
        Members = members,
    }, Cancel);

    public static RedisRestore RestoreTo(RedisServer server, bool replace = false, int? database = null) => new(_ => TargetOf(server, database)) { Replace = replace };

    public static async Task<ExtraRestoreItem> PlanAsync(byte[] archive, ExtraContents extra, RedisRestore restore)
    {
        await using var reader = await ArchiveReader.OpenAsync(new MemoryArchive(archive), Cancel);
        return Assert.Single(await restore.PlanAsync(reader, [extra], Cancel));
    }

    public static async Task<RedisRestoreResult> RestoreAsync(byte[] archive, ExtraContents extra, RedisRestore restore, CancellationToken? cancel = null)
    {
        await using var reader = await ArchiveReader.OpenAsync(new MemoryArchive(archive), Cancel);
        var item = Assert.Single(await restore.PlanAsync(reader, [extra], Cancel));
        return item.Problem is null ? (RedisRestoreResult)await restore.RestoreAsync(reader, item, Silent, cancel ?? Cancel) : throw item.Problem;
    }

    /// <summary>What a server holds, in an order that does not depend on it: one line for each key, its value in words.</summary>
    public static async Task<string> DigestAsync(RedisServer server, int database = 0)
        => await server.CliAsync(Cancel, "-n", database.ToString(System.Globalization.CultureInfo.InvariantCulture), "DEBUG", "DIGEST");

    /// <summary>Sends many commands at once.</summary>
    public static Task SendAsync(RedisServer server, Action<IBufferWriter<byte>> write)
    {
        var commands = new ArrayBufferWriter<byte>();
        write(commands);
        return server.SendAsync(commands.WrittenMemory, Cancel);
    }

    public sealed class Observer : IOperationObserver
    {
        public List<string> Warnings { get; } = [];

        public void Verbose(string message)
        {
        }

        public void Warning(string message) => Warnings.Add(message);

        public void Progress(OperationProgress progress)
        {
        }
    }
}
