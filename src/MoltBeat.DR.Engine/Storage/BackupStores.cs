using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Opens the store that settings describe.</summary>
public static class BackupStores
{
    /// <param name="settings">A folder or a bucket.</param>
    /// <param name="observer">Is told what the store does differently from what one might expect.</param>
    /// <exception cref="MoltException"><c>StoreInvalid</c>; nothing is connected to yet.</exception>
    public static IBackupStore Open(StoreSettings settings, IOperationObserver observer)
        => settings.IsS3 ? new S3Store(settings, observer) : new LocalStore(settings);
}
