using System.Security.Cryptography;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>Checks an archive's bytes against its manifest while they pass by, from front to back.</summary>
internal sealed class MemberChecker : IDisposable
{
    private readonly List<MemberInfo> members;
    private readonly string location;
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private int next;
    private long at;

    /// <param name="archive">Whose manifest counts.</param>
    /// <param name="from">Where the bytes begin: 0, or what an earlier <see cref="GoodUpTo"/> was.</param>
    /// <param name="location">Whose bytes they are, for the error.</param>
    public MemberChecker(ArchiveReader archive, long from, string location)
    {
        this.location = location;
        members = [.. archive.Manifest.Members, new MemberInfo(ArchiveFormat.Manifest, archive.Index.ManifestOffset, archive.Index.ManifestLength, archive.Index.ManifestSha256)];
        if (archive.Signature is { } signature)
        {
            members.Add(new MemberInfo(ArchiveFormat.Signature, archive.Index.SignatureOffset, signature.Length, Convert.ToHexStringLower(SHA256.HashData(signature.Span))));
        }

        next = members.FindIndex(m => m.Offset >= from) is var found and >= 0 ? found : members.Count;
        at = GoodUpTo = from;
    }

    /// <summary>The end of the last member that was right.</summary>
    public long GoodUpTo { get; private set; }

    /// <exception cref="MoltException"><c>ArchiveDamaged</c> at the end of a member that is not as the manifest has it.</exception>
    public void Feed(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (next == members.Count)
            {
                at += bytes.Length;
                return;
            }

            var member = members[next];
            var before = (int)Math.Clamp(member.Offset - at, 0, bytes.Length);
            at += before;
            bytes = bytes[before..];
            var inside = (int)Math.Min(bytes.Length, member.Offset + member.Length - at);
            hash.AppendData(bytes[..inside]);
            at += inside;
            bytes = bytes[inside..];
            if (at < member.Offset || at < member.Offset + member.Length)
            {
                return;
            }

            if (Convert.ToHexStringLower(hash.GetHashAndReset()) != member.Sha256)
            {
                throw ArchiveReader.Damaged(location, $"the bytes of {member.Name} do not have the SHA-256 that the manifest gives");
            }

            GoodUpTo = at;
            next++;
        }
    }

    public void Dispose() => hash.Dispose();
}
