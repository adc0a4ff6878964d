using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using MoltBeat.DR.Engine.Archive;
using ZstdSharp;

namespace MoltBeat.DR.Engine.Tests.Archive;

/// <summary>
/// Takes an archive apart and puts it together again after a change, with every offset, length and hash made right: what a
/// forger, or a bug in a writer, would make. Damage is done to the bytes afterwards.
/// </summary>
internal sealed class ArchiveEditor
{
    private readonly List<(string Name, byte[] Content)> _members = [];
    private readonly DateTimeOffset _created;

    public ArchiveEditor(byte[] archive)
    {
        var index = ArchiveIndex.Parse(archive.AsSpan(archive.Length - ArchiveIndex.TailBytes), archive.Length, "original");
        Manifest = JsonNode.Parse(archive.AsSpan((int)index.ManifestOffset, (int)index.ManifestLength))!.AsObject();
        _created = Manifest["created"]!.GetValue<DateTimeOffset>();
        foreach (var member in Manifest["members"]!.AsArray())
        {
            _members.Add((member!["name"]!.GetValue<string>(), archive.AsSpan(member["offset"]!.GetValue<int>(), member["length"]!.GetValue<int>()).ToArray()));
        }
    }

    /// <summary>The manifest but for its members, which <see cref="Build"/> lists anew.</summary>
    public JsonObject Manifest { get; }

    public IReadOnlyList<string> Names => [.. _members.Select(m => m.Name)];

    /// <summary>A member's stored bytes.</summary>
    public byte[] this[string name]
    {
        get => _members.Single(m => m.Name == name).Content;
        set => _members[_members.FindIndex(m => m.Name == name)] = (name, value);
    }

    public void Insert(int at, string name, byte[] content) => _members.Insert(at, (name, content));

    public void Remove(string name) => _members.RemoveAt(_members.FindIndex(m => m.Name == name));

    public void Rename(string name, string to)
    {
        var at = _members.FindIndex(m => m.Name == name);
        _members[at] = (to, _members[at].Content);
    }

    public JsonObject ReadContents() => JsonNode.Parse(Decompress(this[ArchiveFormat.Contents]))!.AsObject();

    public void WriteContents(JsonNode? contents) => this[ArchiveFormat.Contents] = Compress(Encoding.UTF8.GetBytes(contents?.ToJsonString() ?? "null"));

    /// <summary>The archive, whole again.</summary>
    /// <param name="manifest">Changes the finished manifest.</param>
    /// <param name="index">Changes the finished index's text.</param>
    public byte[] Build(Action<JsonObject>? manifest = null, Func<string, string>? index = null)
    {
        using var archive = new MemoryStream();
        var members = new JsonArray();
        foreach (var (name, content) in _members)
        {
            members.Add(new JsonObject
            {
                ["name"] = name,
                ["offset"] = archive.Length + TarHeader.BlockBytes,
                ["length"] = content.Length,
                ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(content)),
            });
            Write(archive, name, content);
        }

        var description = Manifest.DeepClone().AsObject();
        description["members"] = members;
        manifest?.Invoke(description);
        return Finish(archive, Encoding.UTF8.GetBytes(description.ToJsonString()), index);
    }

    /// <summary>The archive with another text in the place of its manifest.</summary>
    public byte[] BuildWithManifest(byte[] manifest)
    {
        using var archive = new MemoryStream();
        foreach (var (name, content) in _members)
        {
            Write(archive, name, content);
        }

        return Finish(archive, manifest, null);
    }

    public static byte[] Compress(byte[] bytes)
    {
        using var compressor = new Compressor(3);
        return compressor.Wrap(bytes).ToArray();
    }

    public static byte[] Decompress(byte[] bytes)
    {
        using var all = new MemoryStream();
        using var stream = new DecompressionStream(new MemoryStream(bytes));
        stream.CopyTo(all);
        return all.ToArray();
    }

    private byte[] Finish(MemoryStream archive, byte[] manifest, Func<string, string>? index)
    {
        var at = new ArchiveIndex(archive.Length + TarHeader.BlockBytes, manifest.Length, 0, 0, Convert.ToHexStringLower(SHA256.HashData(manifest)));
        Write(archive, ArchiveFormat.Manifest, manifest);
        var block = at.ToBytes();
        if (index is not null)
        {
            block = Encoding.ASCII.GetBytes((index(Encoding.ASCII.GetString(block).TrimEnd()) + "\n").PadRight(TarHeader.BlockBytes - 1) + "\n");
        }

        Write(archive, ArchiveFormat.Index, block);
        archive.Write(new byte[2 * TarHeader.BlockBytes]);
        return archive.ToArray();
    }

    private void Write(MemoryStream archive, string name, byte[] content)
    {
        archive.Write(TarHeader.Build(name, content.Length, _created));
        archive.Write(content);
        archive.Write(new byte[TarHeader.Padding(content.Length)]);
    }
}
