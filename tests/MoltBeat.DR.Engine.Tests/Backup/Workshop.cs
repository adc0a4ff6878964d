using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Backup;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Failures;
using MoltBeat.DR.Engine.Verification;
using MoltBeat.TestServers;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Backup;

/// <summary>The engine's operations as tests want them, and a folder of backups for them.</summary>
internal sealed class Workshop : Listener, IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("molt-workshop-");

    public string Folder => folder.FullName;

    public LocalStore Store => new(Folder);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Backs up into a folder, with two jobs and whatever the change says.</summary>
    public static Task<BackupInfo> BackUpAsync(string uri, string folder, Func<BackupOptions, BackupOptions>? change, IOperationObserver observer, Action<MoltException> onProblem, CancellationToken cancel)
        => BackupOperation.RunAsync(Options(uri, folder, change), observer, onProblem, cancel);

    /// <summary>Restores from a store, with two jobs and whatever the change says; the caller drops the database.</summary>
    public static Task<RestoreResult> RestoreAsync(IBackupStore store, string name, string uri, string target, Func<RestoreOptions, RestoreOptions>? change, IOperationObserver observer, CancellationToken cancel)
        => RestoreOperation.RunAsync(store, name, Options(uri, target, change), observer, cancel);

    /// <summary>A problem that does not keep the backup from being made fails the test.</summary>
    public Task<BackupInfo> BackupAsync(TestDatabase database, Func<BackupOptions, BackupOptions>? with = null) => BackupAsync(database.Uri, with);

    public Task<BackupInfo> BackupAsync(string uri, Func<BackupOptions, BackupOptions>? with = null) => BackUpAsync(uri, Folder, with, this, problem => throw problem, Cancel);

    /// <summary>Looks at what a backup would do into a folder, and declines it.</summary>
    public async Task<BackupPreview> PreviewBackupAsync(string uri, string? to = null, Func<BackupOptions, BackupOptions>? with = null, Action<MoltException>? onProblem = null)
    {
        BackupPreview? made = null;
        Assert.Null(await BackupOperation.RunAsync(Options(uri, to ?? Folder, with), plan =>
        {
            made = plan;
            return Task.FromResult(false);
        }, this, onProblem ?? (problem => throw problem), Cancel));
        return made!;
    }

    public async Task<VerificationResult> VerifyAsync(BackupInfo backup, VerificationLevel level = VerificationLevel.Full, ArchiveAccess? access = null)
    {
        var result = await VerificationOperation.RunAsync(Store, backup.Name, new VerificationOptions { Level = level, Access = access }, this, Cancel);
        Assert.Empty(result.Failed.Select(c => $"{c.Name}: {c.Detail}"));
        Assert.Empty(result.Skipped.Select(c => $"{c.Name}: {c.Detail}"));
        return result;
    }

    /// <summary>Restores; the caller drops the database.</summary>
    public Task<RestoreResult> RestoreAsync(BackupInfo backup, PostgresServer server, string target, Func<RestoreOptions, RestoreOptions>? with = null)
        => RestoreAsync(backup, server.Uri(), target, with);

    public Task<RestoreResult> RestoreAsync(BackupInfo backup, string uri, string target, Func<RestoreOptions, RestoreOptions>? with = null)
        => RestoreAsync(Store, backup.Name, uri, target, with, this, Cancel);

    /// <summary>Plans a restore, and declines it.</summary>
    public async Task<RestorePlan> PlanRestoreAsync(BackupInfo backup, string uri, string target, Func<RestoreOptions, RestoreOptions>? with = null, Func<Task>? meanwhile = null)
    {
        RestorePlan? made = null;
        Assert.Null(await RestoreOperation.RunAsync([(Store, backup.Name)], Options(uri, target, with), async plan =>
        {
            made = plan;
            await (meanwhile?.Invoke() ?? Task.CompletedTask);
            return false;
        }, this, Cancel));
        return made!;
    }

    public async Task<ArchiveReader> OpenAsync(BackupInfo backup, ArchiveAccess? access = null)
        => await ArchiveReader.OpenAsync(await Store.OpenAsync(await Store.FindAsync(backup.Name, Cancel), false, Cancel), Cancel, access);

    public async Task<Contents> ContentsAsync(BackupInfo backup, ArchiveAccess? access = null)
    {
        await using var archive = await OpenAsync(backup, access);
        return await archive.ReadContentsAsync(Cancel);
    }

    public static async Task<MoltException> RefusedAsync(string id, Func<Task> action)
    {
        var e = await Assert.ThrowsAsync<MoltException>(action);
        Assert.True(e.Id == id, $"{e.Id} in place of {id}: {e.Message}");
        return e;
    }

    public void Dispose() => folder.Delete(recursive: true);

    private static BackupOptions Options(string uri, string folder, Func<BackupOptions, BackupOptions>? change)
    {
        var options = new BackupOptions { Connection = ConnectionSettings.Parse(uri), Destinations = [StoreSettings.Parse(folder)], LockTimeout = TimeSpan.FromSeconds(30), Jobs = 2 };
        return change?.Invoke(options) ?? options;
    }

    private static RestoreOptions Options(string uri, string target, Func<RestoreOptions, RestoreOptions>? change)
    {
        var options = new RestoreOptions { Connection = ConnectionSettings.Parse(uri), TargetDatabase = target, Jobs = 2 };
        return change?.Invoke(options) ?? options;
    }
}
