using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using MoltBeat.DR.Engine.Archive;

namespace MoltBeat.DR.Engine.Copying;

/// <summary>What encrypting a backup anew will do, as it is known before anything is changed.</summary>
public sealed partial record ProtectPlan
{
    public required string Database { get; init; }

    /// <summary>Path or URI of the copy that is read.</summary>
    public required string Source { get; init; }

    /// <summary>File name of the new archive.</summary>
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
        => $"Encrypt anew to {Names(Recipients)}{(Lost.Count > 0 ? $", and no more to {Names(Lost)}" : "")}, as {Name}{(KeepOld ? "" : ", and remove this archive once the new one is proven")}";

    /// <summary>
    /// The new archive's name: the old one's, and what tells it from others of the same backup. The same work done again has the
    /// same name, so that what was cut short is found.
    /// </summary>
    internal static string NameOf(string old, string manifestSha256, IEnumerable<RecipientInfo> recipients, bool signed)
    {
        var parts = recipients.Select(r => r.KeyId).Order(StringComparer.Ordinal).Prepend(signed ? "signed" : "").Prepend(manifestSha256);
        var mark = Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(string.Join('\n', parts))))[..8];
        var stem = Mark().Replace(old.EndsWith(ArchiveFormat.Extension, StringComparison.Ordinal) ? old[..^ArchiveFormat.Extension.Length] : old, "");
        return $"{stem}_k{mark}{ArchiveFormat.Extension}";
    }

    private static string Names(IEnumerable<RecipientInfo> keys) => string.Join(", ", keys.Select(k => k.Fingerprint));

    [GeneratedRegex("_k[0-9a-f]{8}$", RegexOptions.CultureInvariant)]
    private static partial Regex Mark();
}
