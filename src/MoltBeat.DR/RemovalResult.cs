using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>What happened to a backup that was to be removed, or looked at for it.</summary>
public enum RemovalStatus
{
    Kept,
    Removed,

    /// <summary>With -WhatIf, or when the question was answered with no.</summary>
    WouldBeRemoved,
    Failed,
}

/// <summary>What happened to one backup in one store, and why.</summary>
/// <param name="Store">The store's name.</param>
/// <param name="Database">The backup's database.</param>
/// <param name="Name">Its file name.</param>
/// <param name="Id">Its id.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="Created">When its snapshot was taken, UTC.</param>
/// <param name="Size">Bytes of this copy.</param>
/// <param name="Status">What was done.</param>
/// <param name="Rule">The rule that decided; null when somebody asked for the removal.</param>
/// <param name="Reason">The same in words.</param>
public sealed record RemovalResult(string Store, string Database, string Name, string Id, BackupKind Kind, DateTimeOffset Created, long Size, RemovalStatus Status, RetentionReason? Rule, string Reason)
{
    internal static RemovalResult Of(BackupInfo backup, StoreSettings store, RemovalStatus status, RetentionReason? rule, string reason)
        => new(store.Name, backup.Database, backup.Name, backup.Id, backup.Kind, backup.Created, (backup.Locations.FirstOrDefault(l => l.Store == store.Name) ?? backup.Locations[0]).Size, status, rule, reason);
}
