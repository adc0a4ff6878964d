using System.Security.Cryptography;
using System.Text.RegularExpressions;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Copying;

/// <summary>What encrypting a backup anew will do, as it is known before anything is changed.</summary>
public sealed partial record ProtectPlan
{
    public required string Database { get; init; }

    /// <summary>Path or URI of the copy that is read.</summary>
    public required string Source { get; init; }

    /// <summary>File name of the new archive, or of one that an earlier run has made.</summary>
    public required string Name { get; init; }

    /// <summary>The stores that get it, by their locations.</summary>
    public required IReadOnlyList<string> Stores { get; init; }

    /// <summary>Who can open the new archive.</summary>
    public required IReadOnlyList<RecipientInfo> Recipients { get; init; }

    /// <summary>Who can open the old one, and cannot open the new one.</summary>
    public required IReadOnlyList<RecipientInfo> Lost { get; init; }

    /// <summary>Whether the new one will be signed.</summary>
    public bool Signed { get; init; }

    /// <summary>Whether the old one stays.</summary>
    public bool KeepOld { get; init; }

    public override string ToString()
        => $"Encrypt anew to {Names(Recipients)}{(Lost.Count > 0 ? $", and no more to {Names(Lost)}" : "")}, as another archive{(KeepOld ? "" : ", and remove this one once that is proven")}";

    /// <summary>A name for another archive of the same backup: the old one's, and what tells it from all others.</summary>
    internal static string NewName(string old) => $"{StemOf(old)}_k{RandomNumberGenerator.GetHexString(8, lowercase: true)}{ArchiveFormat.Extension}";

    /// <summary>What the names of all archives of a backup begin with.</summary>
    internal static string StemOf(string name) => Mark().Replace(name, "");

    private static string Names(IEnumerable<RecipientInfo> keys) => string.Join(", ", keys.Select(k => k.Fingerprint));

    [GeneratedRegex(@"(_k[0-9a-f]{8})?(\.tar)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Mark();
}
