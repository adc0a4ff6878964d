using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Encryption;
using ZstdSharp;

namespace MoltBeat.DR.Engine.Copying;

/// <summary>
/// Writes an archive once more with other recipients: each member is opened and checked as it is read, and encrypted again on
/// its way out. Nothing plain touches a disk.
/// </summary>
/// <param name="source">What is read; with a private key when it is encrypted.</param>
/// <param name="contents">Its contents.</param>
/// <param name="seal">Encrypts.</param>
/// <param name="name">File name of the new archive.</param>
/// <param name="observer">Is told of the progress.</param>
internal sealed class Resealer(ArchiveReader source, Contents contents, OpenPgpSeal seal, string name, IOperationObserver observer)
{
    private const int Piece = 1 << 18;

    private readonly Dictionary<string, string> digests = new(StringComparer.Ordinal);
    private readonly byte[] buffer = new byte[Piece];
    private long done;
    private bool canaryIsNew;

    /// <summary>SHA-256 of the plain bytes of each member of the new archive, by plain names.</summary>
    public IReadOnlyDictionary<string, string> Digests => digests;

    /// <summary>The same, but for a canary that has a new text each time.</summary>
    public IReadOnlyDictionary<string, string> LastingDigests => digests.Where(d => d.Key != ArchiveFormat.Canary || !canaryIsNew).ToDictionary(StringComparer.Ordinal);

    /// <summary>Writes and publishes it.</summary>
    /// <param name="output">Where to; closed at the end.</param>
    /// <param name="sourceName">The source's file name.</param>
    /// <param name="newCanary">Those who could open the old canary are not to know the new one's text.</param>
    /// <param name="signer">Signs it; null for none.</param>
    /// <param name="cancellationToken">Stops it; nothing is left then.</param>
    /// <exception cref="SourceException">The source is not what its manifest says.</exception>
    /// <exception cref="MoltException">The store's errors.</exception>
    public async Task WriteAsync(IArchiveOutput output, string sourceName, bool newCanary, IManifestSigner? signer, CancellationToken cancellationToken)
    {
        var before = source.Manifest;
        var names = source.Encrypted ? [] : NewNames();
        var archive = new ArchiveWriter(output, before.Created, seal);
        await using (archive.ConfigureAwait(false))
        {
            var canary = before.Canary;
            foreach (var member in before.Members)
            {
                var plain = ArchiveFormat.PlainName(member.Name);
                switch (plain)
                {
                    case ArchiveFormat.Readme:
                        var kinds = contents.Extras.Select(e => e.Kind).Distinct().ToList();
                        await AddAsync(archive, plain, StockTools.Readme(name, before.Id, contents.Database, before.Server.Version, before.Created, seal.Recipients, kinds), cancellationToken).ConfigureAwait(false);
                        break;
                    case ArchiveFormat.RestoreScript when !source.Encrypted:
                        await AddAsync(archive, plain, StockTools.RestoreScript([], encrypted: true), cancellationToken, executable: true).ConfigureAwait(false);
                        await AddAsync(archive, ArchiveFormat.RestoreDetails, StockTools.RestoreDetails(contents, before.Server.VersionNumber), cancellationToken).ConfigureAwait(false);
                        canary = await AddCanaryAsync(archive, cancellationToken).ConfigureAwait(false);
                        break;
                    case ArchiveFormat.RestoreScript:
                        await AddAsync(archive, plain, await ReadAsync(member, cancellationToken).ConfigureAwait(false), cancellationToken, executable: true).ConfigureAwait(false);
                        break;
                    case ArchiveFormat.Canary when newCanary:
                        canary = await AddCanaryAsync(archive, cancellationToken).ConfigureAwait(false);
                        break;
                    case ArchiveFormat.Contents when !source.Encrypted:
                        await AddAsync(archive, plain, Compress(Renamed(names)), cancellationToken).ConfigureAwait(false);
                        break;
                    default:
                        await CopyAsync(archive, member, names.GetValueOrDefault(plain, plain), cancellationToken).ConfigureAwait(false);
                        break;
                }
            }

            await archive.CompleteAsync(members => before with
            {
                Name = name,
                Recipients = seal.Recipients,
                Canary = canary,
                ProtectedFrom = new ProtectedFrom(sourceName, source.Index.ManifestSha256, DateTimeOffset.UtcNow),
                Members = members,
            }, cancellationToken, signer).ConfigureAwait(false);
        }
    }

    /// <summary>In an encrypted archive a part does not bear its table's name.</summary>
    private Dictionary<string, string> NewNames()
        => contents.Tables.SelectMany((table, i) => table.Parts.Select(p => (Old: p.Member, New: string.Create(CultureInfo.InvariantCulture, $"{ArchiveFormat.DataFolder}{i + 1}/{p.Member.Split('/')[^1]}"))))
            .ToDictionary(n => n.Old, n => n.New, StringComparer.Ordinal);

    private Contents Renamed(Dictionary<string, string> names)
        => contents with { Tables = [.. contents.Tables.Select(t => t with { Parts = [.. t.Parts.Select(p => p with { Member = names[p.Member] })] })] };

    private static byte[] Compress(Contents contents)
    {
        using var compressor = new Compressor(3);
        compressor.SetParameter(ZstdSharp.Unsafe.ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        return compressor.Wrap(JsonSerializer.SerializeToUtf8Bytes(contents, ArchiveJson.Default.Contents)).ToArray();
    }

    /// <returns>The SHA-256 of its text.</returns>
    private async Task<string> AddCanaryAsync(ArchiveWriter archive, CancellationToken cancellationToken)
    {
        await AddAsync(archive, ArchiveFormat.Canary, Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(64, lowercase: true) + "\n"), cancellationToken).ConfigureAwait(false);
        canaryIsNew = true;
        return digests[ArchiveFormat.Canary];
    }

    private async Task AddAsync(ArchiveWriter archive, string member, byte[] content, CancellationToken cancellationToken, bool executable = false)
    {
        digests[member] = Convert.ToHexStringLower(SHA256.HashData(content));
        await archive.AddAsync(member, content, cancellationToken, executable).ConfigureAwait(false);
    }

    private async Task CopyAsync(ArchiveWriter archive, MemberInfo from, string to, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var plain = source.OpenPlain(from);
        await using (plain.ConfigureAwait(false))
        {
            using var member = await archive.OpenAsync(to, cancellationToken).ConfigureAwait(false);
            while (await PullAsync(plain, cancellationToken).ConfigureAwait(false) is > 0 and var n)
            {
                hash.AppendData(buffer, 0, n);
                await member.WriteAsync(buffer.AsMemory(0, n), cancellationToken).ConfigureAwait(false);
            }

            await member.CompleteAsync(cancellationToken).ConfigureAwait(false);
        }

        digests[to] = Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private async Task<byte[]> ReadAsync(MemberInfo member, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        var stored = source.OpenMember(member);
        await using (stored.ConfigureAwait(false))
        {
            while (await PullAsync(stored, cancellationToken).ConfigureAwait(false) is > 0 and var n)
            {
                bytes.Write(buffer, 0, n);
            }
        }

        return bytes.ToArray();
    }

    private async Task<int> PullAsync(Stream from, CancellationToken cancellationToken)
    {
        try
        {
            var n = await from.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            done += n;
            observer.Progress(new OperationProgress($"Encrypting {name}", string.Create(CultureInfo.InvariantCulture, $"{done / 1e6:N0} of {source.Length / 1e6:N0} MB"), Math.Min(1.0, (double)done / source.Length), null));
            return n;
        }
        catch (MoltException e)
        {
            throw new SourceException(e);
        }
    }
}
