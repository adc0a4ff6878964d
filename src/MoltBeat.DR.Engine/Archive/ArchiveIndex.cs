using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// The last member: one 512-byte block of text at a fixed place before the tar's end, so that one ranged read of the
/// archive's end finds the manifest.
/// </summary>
/// <param name="ManifestOffset">Where the manifest's content starts.</param>
/// <param name="ManifestLength">Its bytes.</param>
/// <param name="SignatureOffset">Where <c>manifest.sig</c> starts; 0 without one.</param>
/// <param name="SignatureLength">Its bytes; 0 without one.</param>
/// <param name="ManifestSha256">Of the manifest's bytes, lower-case hexadecimal.</param>
public sealed partial record ArchiveIndex(long ManifestOffset, long ManifestLength, long SignatureOffset, long SignatureLength, string ManifestSha256)
{
    /// <summary>Header, content and the two empty blocks that end a tar.</summary>
    public const int TailBytes = 4 * TarHeader.BlockBytes;

    public byte[] ToBytes()
    {
        var text = string.Create(CultureInfo.InvariantCulture,
            $"moltbeat-archive {ArchiveFormat.Version}\nmanifest {ManifestOffset} {ManifestLength}\nsignature {SignatureOffset} {SignatureLength}\nsha256 {ManifestSha256}\n");
        return Encoding.ASCII.GetBytes(text.PadRight(TarHeader.BlockBytes - 1) + "\n");
    }

    /// <summary>Reads the archive's last <see cref="TailBytes"/>.</summary>
    /// <param name="tail">Those bytes.</param>
    /// <param name="archiveLength">The archive's length, which bounds what the index may say.</param>
    /// <param name="location">The archive, for messages.</param>
    /// <exception cref="MoltException"><c>NotAnArchive</c>, <c>ArchiveVersionUnknown</c>, <c>ArchiveDamaged</c>.</exception>
    public static ArchiveIndex Parse(ReadOnlySpan<byte> tail, long archiveLength, string location)
    {
        if (tail.Length != TailBytes
            || TarHeader.Parse(tail[..TarHeader.BlockBytes]) is not (ArchiveFormat.Index, TarHeader.BlockBytes)
            || tail[(2 * TarHeader.BlockBytes)..].ContainsAnyExcept((byte)0))
        {
            throw new MoltException("NotAnArchive", ErrorKind.InvalidData,
                $"{location} does not end as a MoltBeat archive does: it is cut short, damaged, or something else.",
                "If it was a backup, it cannot be trusted: use another copy.", location);
        }

        var match = Form().Match(Encoding.ASCII.GetString(tail.Slice(TarHeader.BlockBytes, TarHeader.BlockBytes)));
        if (!match.Success)
        {
            throw Damaged(location, "its index cannot be read");
        }

        if (match.Groups["version"].Value != ArchiveFormat.Version.ToString(CultureInfo.InvariantCulture))
        {
            throw new MoltException("ArchiveVersionUnknown", ErrorKind.NotSupported,
                $"{location} is of archive format {match.Groups["version"].Value}; this module reads format {ArchiveFormat.Version}.",
                "Use a newer MoltBeat.DR, or the restore.sh inside the archive.", location);
        }

        long Number(string group) => long.TryParse(match.Groups[group].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : -1;
        var index = new ArchiveIndex(Number("mo"), Number("ml"), Number("so"), Number("sl"), match.Groups["sha"].Value);
        var end = archiveLength - TailBytes;
        if (!Inside(index.ManifestOffset, index.ManifestLength, end) || index.ManifestLength == 0
            || !Inside(index.SignatureOffset, index.SignatureLength, end) || index.ManifestLength > ArchiveFormat.MaxDescriptionBytes)
        {
            throw Damaged(location, "its index points outside of the file");
        }

        return index;
    }

    private static bool Inside(long offset, long length, long end) => offset >= 0 && length >= 0 && offset <= end && length <= end - offset;

    private static MoltException Damaged(string location, string how)
        => new("ArchiveDamaged", ErrorKind.InvalidData, $"{location} is damaged: {how}.", "Use another copy of this backup, or another backup.", location);

    [GeneratedRegex(@"\Amoltbeat-archive (?<version>[0-9]{1,9})\nmanifest (?<mo>[0-9]{1,19}) (?<ml>[0-9]{1,19})\nsignature (?<so>[0-9]{1,19}) (?<sl>[0-9]{1,19})\nsha256 (?<sha>[0-9a-f]{64})\n *\n\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
