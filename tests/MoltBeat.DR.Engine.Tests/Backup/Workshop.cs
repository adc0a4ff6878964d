using System.Collections.Concurrent;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>A folder of backups, and the engine's operations on it as a test wants them.</summary>
internal sealed class Workshop : IOperationObserver, IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("molt-workshop-");

    public ConcurrentQueue<string> Warnings { get; } = new();

    public string Folder => folder.FullName;

    public LocalStore Store => new(Folder);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public Task<BackupInfo> BackupAsync(TestDatabase database, Func<BackupOptions, BackupOptions>? with = null) => BackupAsync(database.Uri, with);

    public Task<BackupInfo> BackupAsync(string uri, Func<BackupOptions, BackupOptions>? with = null)
    {
        var options = new BackupOptions { Connection = ConnectionSettings.Parse(uri), Destinations = [StoreSettings.Parse(Folder)], LockTimeout = TimeSpan.FromSeconds(30), Jobs = 2 };
        return BackupOperation.RunAsync(with?.Invoke(options) ?? options, this, problem => throw problem, Cancel);
    }

    public async Task<VerificationResult> VerifyAsync(BackupInfo backup, VerificationLevel level = VerificationLevel.Full)
    {
        var result = await VerificationOperation.RunAsync(Store, backup.Name, new VerificationOptions { Level = level }, this, Cancel);
        Assert.Empty(result.Failed.Select(c => $"{c.Name}: {c.Detail}"));
        Assert.Empty(result.Skipped.Select(c => $"{c.Name}: {c.Detail}"));
        return result;
    }

    /// <summary>Restores; the caller drops the database.</summary>
    public Task<RestoreResult> RestoreAsync(BackupInfo backup, PostgresServer server, string target, Func<RestoreOptions, RestoreOptions>? with = null)
        => RestoreAsync(backup, server.Uri(), target, with);

    public Task<RestoreResult> RestoreAsync(BackupInfo backup, string uri, string target, Func<RestoreOptions, RestoreOptions>? with = null)
    {
        var options = new RestoreOptions { Connection = ConnectionSettings.Parse(uri), TargetDatabase = target, Jobs = 2 };
        return RestoreOperation.RunAsync(Store, backup.Name, with?.Invoke(options) ?? options, this, Cancel);
    }

    public async Task<ArchiveReader> OpenAsync(BackupInfo backup) => await ArchiveReader.OpenAsync(await Store.OpenAsync(await Store.FindAsync(backup.Name, Cancel), false, Cancel), Cancel);

    public async Task<Contents> ContentsAsync(BackupInfo backup)
    {
        await using var archive = await OpenAsync(backup);
        return await archive.ReadContentsAsync(Cancel);
    }

    public static async Task<MoltException> RefusedAsync(string id, Func<Task> action)
    {
        var e = await Assert.ThrowsAsync<MoltException>(action);
        Assert.True(e.Id == id, $"{e.Id} in place of {id}: {e.Message}");
        return e;
    }

    void IOperationObserver.Verbose(string message)
    {
    }

    void IOperationObserver.Warning(string message) => Warnings.Enqueue(message);

    void IOperationObserver.Progress(OperationProgress progress)
    {
    }

    public void Dispose() => folder.Delete(recursive: true);
}
