using Amazon.S3;
using Amazon.S3.Model;
using MoltBeat.DR.Engine.Plan;
using LockMode = MoltBeat.DR.Engine.Plan.ObjectLockMode;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>How a store's objects are to be kept, in the SDK's terms: the one place where settings become those. Null leaves it to the bucket.</summary>
internal static class S3Keeping
{
    public static S3StorageClass? Class(StoreSettings settings) => settings.StorageClass is { } name ? new S3StorageClass(name) : null;

    public static ServerSideEncryptionMethod? Encryption(StoreSettings settings) => settings.Encryption is { } name ? new ServerSideEncryptionMethod(name) : null;

    public static Amazon.S3.ObjectLockMode? Lock(StoreSettings settings) => settings.ObjectLock switch
    {
        LockMode.Compliance => Amazon.S3.ObjectLockMode.Compliance,
        LockMode.Governance => Amazon.S3.ObjectLockMode.Governance,
        _ => null,
    };

    /// <param name="settings">The store.</param>
    /// <param name="created">The time that the archive bears: a copy made later is not locked for longer.</param>
    public static DateTime? LockedUntil(StoreSettings settings, DateTimeOffset created)
        => settings.ObjectLock == LockMode.None ? null : created.UtcDateTime.AddDays(settings.ObjectLockDays);

    public static ObjectLockRetention Retention(StoreSettings settings, DateTimeOffset created) => new()
    {
        Mode = settings.ObjectLock == LockMode.Compliance ? ObjectLockRetentionMode.Compliance : ObjectLockRetentionMode.Governance,
        RetainUntilDate = LockedUntil(settings, created),
    };
}
