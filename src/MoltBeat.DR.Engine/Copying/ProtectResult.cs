using System.Text.Json.Serialization;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Copying;

/// <summary>What became of a backup in one store.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ProtectStatus>))]
public enum ProtectStatus
{
    /// <summary>A new archive, encrypted to these recipients, is there.</summary>
    Protected,

    /// <summary>An earlier run had made it.</summary>
    AlreadyThere,

    /// <summary>The backup was encrypted to exactly these before.</summary>
    Unchanged,
}

/// <summary>What became of the archive that it was made of.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OldArchiveStatus>))]
public enum OldArchiveStatus
{
    /// <summary>There is no other one: nothing had to be done.</summary>
    None,
    Removed,

    /// <summary>It was to stay.</summary>
    Kept,

    /// <summary>It could not be removed, or was not yet to be: whoever could open it still can.</summary>
    StillThere,
}

/// <summary>A backup that was encrypted anew, in one store.</summary>
/// <param name="BackupId">The backup; it is the same as before.</param>
/// <param name="Database">Whose backup it is.</param>
/// <param name="Name">File name of the new archive.</param>
/// <param name="Path">Its path or URI.</param>
/// <param name="Status">Whether anything had to be done.</param>
/// <param name="Recipients">Who can open it.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Proven">Fingerprints of the recipients whose private keys were at hand and have opened it.</param>
/// <param name="OldPath">Path or URI of the archive that it was made of.</param>
/// <param name="Old">What became of that.</param>
/// <param name="Reason">Why it is still there, in a sentence; empty when it is not.</param>
/// <param name="Duration">How long all of it took, for all stores.</param>
public sealed record ProtectResult(
    string BackupId, string Database, string Name, string Path, ProtectStatus Status, IReadOnlyList<RecipientInfo> Recipients, long Size,
    IReadOnlyList<string> Proven, string OldPath, OldArchiveStatus Old, string Reason, TimeSpan Duration);
