using System.Text;
using System.Text.Json.Nodes;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Storage;
using MoltBeat.DR.Engine.Tests.Archive;
using MoltBeat.DR.Engine.Verification;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Failures;

/// <summary>Archives that are cut, damaged, forged, or none: every reader says so with an error of ours, and believes nothing.</summary>
[Collection(Workbench.Name)]
public sealed class DamagedArchiveTests(Workbench bench)
{
    private const string NoTools = "/nowhere/at/all";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_sample_is_sound()
    {
        var archive = await bench.SampleAsync();
        Assert.All((await Workbench.VerifyAsync(archive)).Checks, c => Assert.True(c.Status == CheckStatus.Passed, $"{c}: {c.Detail}"));
        Assert.All((await Workbench.VerifyAsync(new ArchiveEditor(archive).Build())).Checks, c => Assert.True(c.Status == CheckStatus.Passed, $"{c}: {c.Detail}"));
    }

    [Fact]
    public async Task Cut_anywhere_it_is_no_archive()
    {
        var archive = await bench.SampleAsync();
        var lengths = new SortedSet<int> { 0, 1, 511, 512, archive.Length - 1, archive.Length - 512, archive.Length - 1024, archive.Length - 1536, archive.Length - 2048, archive.Length - 2049 };
        foreach (var member in await MembersAsync(archive))
        {
            lengths.UnionWith([(int)member.Offset - 512, (int)member.Offset, (int)(member.Offset + member.Length / 2), (int)(member.Offset + member.Length)]);
        }

        var random = new Random(1);
        for (var i = 0; i < 200; i++)
        {
            lengths.Add(random.Next(archive.Length));
        }

        foreach (var length in lengths)
        {
            var e = await Assert.ThrowsAsync<MoltException>(() => ArchiveReader.OpenAsync(new MemoryArchive(archive[..length]), Cancel));
            Assert.True(e.Id is "NotAnArchive" or "ArchiveDamaged", $"{length}: {e.Id}");
            Assert.False((await Workbench.VerifyAsync(archive[..length], tools: NoTools)).Passed, $"{length}");
        }
    }

    [Fact]
    public async Task A_flipped_bit_in_any_header_content_or_padding_fails_a_quick_test()
    {
        var archive = await bench.SampleAsync();
        var random = new Random(2);
        foreach (var member in await MembersAsync(archive))
        {
            var padding = TarHeader.Padding(member.Length);
            var places = new List<(string Part, long At)> { ("header", member.Offset - 512 + random.Next(512)), ("header", member.Offset - 512), ("header", member.Offset - 1) };
            if (member.Length > 0)
            {
                places.AddRange([("content", member.Offset), ("content", member.Offset + member.Length - 1), ("content", member.Offset + random.Next((int)member.Length))]);
            }

            if (padding > 0)
            {
                places.AddRange([("padding", member.Offset + member.Length), ("padding", member.Offset + member.Length + padding - 1)]);
            }

            foreach (var (part, at) in places)
            {
                foreach (var level in new[] { VerificationLevel.Quick, VerificationLevel.Full })
                {
                    var result = await Workbench.VerifyAsync(Flip(archive, at, random.Next(8)), level, NoTools);
                    Assert.False(result.Passed, $"{level}: a flipped bit in the {part} of {member.Name} at {at}");
                    Assert.True(member.Name is ArchiveFormat.Manifest or ArchiveFormat.Index || result.Failed.Any(c => c.Detail.Contains(member.Name, StringComparison.Ordinal)),
                        $"{level}: {part} of {member.Name}: {string.Join("; ", result.Failed.Select(c => c.Detail))}");
                }
            }
        }
    }

    [Fact]
    public async Task A_flipped_bit_anywhere_in_the_tail_fails_a_quick_test()
    {
        var archive = await bench.SampleAsync();
        for (var at = archive.Length - ArchiveIndex.TailBytes; at < archive.Length; at += 1)
        {
            try
            {
                Assert.False((await Workbench.VerifyAsync(Flip(archive, at, at % 8), VerificationLevel.Quick)).Passed, $"{archive.Length - at} from the end");
            }
            catch (MoltException e)
            {
                Assert.Equal("ArchiveVersionUnknown", e.Id);
            }
        }
    }

    [Fact]
    public async Task A_damaged_part_is_refused_by_a_restore_which_leaves_no_database()
    {
        var archive = await bench.SampleAsync();
        foreach (var member in (await MembersAsync(archive)).Where(m => m.Name.StartsWith("data/", StringComparison.Ordinal) || m.Name is ArchiveFormat.DatabaseDump or ArchiveFormat.Contents))
        {
            var target = bench.Unique("damaged");
            var e = await Assert.ThrowsAsync<MoltException>(() => bench.RestoreAsync(Flip(archive, member.Offset + member.Length / 2, 3), target));
            Assert.True(e.Id == "ArchiveDamaged", $"{member.Name}: {e.Id} {e.Message}");
            await bench.ExpectNothingLeftAsync(null, target);
        }
    }

    public static TheoryData<string> HostileNames =>
        ["../evil", "/etc/evil", "a/../../evil", "a//b", "./a", "a/.", "..", ".", "", "a\\..\\b", "C:\\evil", "a\u0000b", "a\nb", "ä", "data/1_public.t/", "README.txt", ArchiveFormat.Contents, new string('x', 300)];

    [Theory]
    [MemberData(nameof(HostileNames))]
    public async Task A_member_name_that_is_not_allowed_or_is_there_twice_is_refused(string name)
    {
        var editor = new ArchiveEditor(await bench.SampleAsync());
        editor.Insert(2, "harmless", [1]);
        var forged = editor.Build(m => m["members"]![2]!["name"] = name);
        await RefusedAsync(forged, "ArchiveDamaged");
    }

    public static TheoryData<string, string> Places => new()
    {
        { "offset", "-1" }, { "offset", "0" }, { "offset", "513" }, { "offset", "9223372036854775807" }, { "offset", "-9223372036854775808" }, { "offset", "9223372036854775808" },
        { "offset", "1e300" }, { "offset", "1.5" }, { "offset", "\"512\"" }, { "offset", "null" }, { "offset", "[]" },
        { "length", "-1" }, { "length", "0" }, { "length", "9223372036854775807" }, { "length", "9223372036854775295" }, { "length", "-9223372036854775808" }, { "length", "99999999999999999999" }, { "length", "null" }, { "length", "{}" },
        { "name", "null" }, { "name", "7" }, { "name", "{}" }, { "sha256", "null" }, { "sha256", "7" },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public async Task A_member_where_it_cannot_be_is_refused(string property, string value)
    {
        var editor = new ArchiveEditor(await bench.SampleAsync());
        for (var i = 0; i < editor.Names.Count; i++)
        {
            var at = i;
            await RefusedAsync(editor.Build(m => m["members"]![at]![property] = JsonNode.Parse(value)), "ArchiveDamaged");
            await RefusedAsync(editor.Build(m => m["members"]![at]!.AsObject().Remove(property)), "ArchiveDamaged");
        }
    }

    public static TheoryData<string> SomeValues => ["null", "7", "-1", "\"x\"", "[]", "{}", "[null]", "true", "1e999", "[[[[[[]]]]]]"];

    [Theory]
    [MemberData(nameof(SomeValues))]
    public async Task Any_field_of_the_manifest_may_be_missing_or_of_any_kind_and_no_reader_falls_over(string value)
    {
        var editor = new ArchiveEditor(await bench.SampleAsync());
        var paths = Paths(JsonNode.Parse(Encoding.UTF8.GetString(await ManifestAsync(editor.Build())))!).ToList();
        foreach (var path in paths)
        {
            await SurvivesAsync(editor.Build(m => Replace(m, path, JsonNode.Parse(value))));
            if (value == "null")
            {
                await SurvivesAsync(editor.Build(m => Remove(m, path)));
            }
        }
    }

    [Theory]
    [MemberData(nameof(SomeValues))]
    public async Task Any_field_of_the_contents_may_be_missing_or_of_any_kind_and_no_reader_falls_over(string value)
    {
        var sample = await bench.SampleAsync();
        foreach (var path in Paths(new ArchiveEditor(sample).ReadContents()))
        {
            foreach (var remove in value == "null" ? new[] { false, true } : [false])
            {
                var editor = new ArchiveEditor(sample);
                var contents = editor.ReadContents();
                if (remove)
                {
                    Remove(contents, path);
                }
                else
                {
                    Replace(contents, path, JsonNode.Parse(value));
                }

                editor.WriteContents(contents);
                await SurvivesAsync(editor.Build());
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"formatVersion\":1}")]
    [InlineData("{\"formatVersion\":")]
    [InlineData("\"\ud83e\"")]
    [InlineData("no json at all")]
    public async Task A_manifest_that_is_none_is_refused(string json) =>
        await RefusedAsync(new ArchiveEditor(await bench.SampleAsync()).BuildWithManifest(Encoding.UTF8.GetBytes(json)), "ArchiveDamaged");

    [Fact]
    public async Task Json_nested_too_deeply_is_refused()
    {
        var deep = new string('[', 100_000) + new string(']', 100_000);
        var editor = new ArchiveEditor(await bench.SampleAsync());
        await RefusedAsync(editor.BuildWithManifest(Encoding.UTF8.GetBytes($"{{\"unknown\":{deep}}}")), "ArchiveDamaged");
        editor[ArchiveFormat.Contents] = ArchiveEditor.Compress(Encoding.UTF8.GetBytes($"{{\"unknown\":{deep}}}"));
        await RefusedAsync(editor.Build(), "ArchiveDamaged", contents: true);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(int.MaxValue)]
    [InlineData(-1)]
    public async Task An_unknown_version_is_said_to_be_one(int version)
    {
        var editor = new ArchiveEditor(await bench.SampleAsync());
        editor.Manifest["formatVersion"] = version;
        await RefusedAsync(editor.Build(), "ArchiveVersionUnknown", verifies: false);
        if (version is 0 or 2)
        {
            await RefusedAsync(new ArchiveEditor(await bench.SampleAsync()).Build(index: i => i.Replace("archive 1\n", $"archive {version}\n", StringComparison.Ordinal)), "ArchiveVersionUnknown", verifies: false);
        }
    }

    [Fact]
    public async Task Unknown_fields_of_later_versions_are_no_harm()
    {
        var editor = new ArchiveEditor(await bench.SampleAsync());
        editor.Manifest["later"] = new JsonObject { ["x"] = 1 };
        var contents = editor.ReadContents();
        contents["tables"]![0]!["later"] = "y";
        editor.WriteContents(contents);
        Assert.True((await Workbench.VerifyAsync(editor.Build(), tools: NoTools)).Passed);
    }

    public static TheoryData<string> Forgeries =>
    [
        "rows", "table rows", "table digest", "part digest no hex", "part digest too long", "part member elsewhere", "part member missing", "negative rows", "negative bytes",
        "expands too far", "part twice", "part unnamed", "table twice", "oid twice", "raw bytes", "manifest rows", "manifest tables", "manifest raw bytes", "right that no database has", "rows overflow", "member of no table", "form of rows",
    ];

    [Theory]
    [MemberData(nameof(Forgeries))]
    public async Task Contents_that_do_not_agree_with_themselves_or_the_manifest_are_refused(string what)
    {
        var editor = new ArchiveEditor(await bench.SampleAsync());
        var contents = editor.ReadContents();
        var tables = contents["tables"]!.AsArray();
        var table = tables.First(t => t!["rows"]!.GetValue<long>() > 0)!;
        var part = table["parts"]![0]!;
        switch (what)
        {
            case "rows": part["rows"] = 1; break;
            case "table rows": table["rows"] = 1; break;
            case "table digest": table["digest"] = new string('0', 32); break;
            case "part digest no hex": part["digest"] = "xyz"; break;
            case "part digest too long": part["digest"] = new string('f', 33); break;
            case "part member elsewhere": part["member"] = ArchiveFormat.DatabaseDump; break;
            case "part member missing": part["member"] = "data/nowhere"; break;
            case "negative rows": part["rows"] = -1; break;
            case "negative bytes": part["rawBytes"] = -1; break;
            case "expands too far": part["rawBytes"] = long.MaxValue; break;
            case "part twice": table["parts"]!.AsArray().Add(new JsonObject { ["member"] = part["member"]!.GetValue<string>(), ["rows"] = 0, ["digest"] = new string('0', 32), ["rawBytes"] = 0 }); break;
            case "part unnamed": table["parts"] = new JsonArray(); table["rows"] = 0; table["digest"] = new string('0', 32); table["rawBytes"] = 0; break;
            case "table twice": tables.Add(Empty(tables.Last()!, 99_999)); break;
            case "oid twice": { var copy = Empty(tables.Last()!, null); copy["name"] = "other"; tables.Add(copy); break; }
            case "raw bytes": table["rawBytes"] = table["rawBytes"]!.GetValue<long>() + 1; break;
            case "manifest rows": editor.Manifest["rows"] = 7; break;
            case "manifest tables": editor.Manifest["tables"] = 7; break;
            case "manifest raw bytes": editor.Manifest["rawBytes"] = 7; break;
            case "right that no database has": contents["database"]!["grants"] = JsonNode.Parse("""[{"grantee":"","privilege":"CONNECT ON DATABASE x TO y; DROP DATABASE z; GRANT CONNECT","grantable":false}]"""); break;
            case "member of no table": editor.Insert(4, "data/99_x/0001.copy.zst", ArchiveEditor.Compress([])); break;
            case "form of rows": table["format"] = 7; break;
            case "rows overflow": part["rows"] = long.MaxValue; table["rows"] = long.MaxValue; break;
        }

        editor.WriteContents(contents);
        await RefusedAsync(editor.Build(), "ArchiveDamaged", contents: true);

        static JsonObject Empty(JsonNode table, int? oid)
        {
            var copy = table.DeepClone().AsObject();
            copy["oid"] = oid ?? copy["oid"]!.GetValue<long>();
            copy["parts"] = new JsonArray();
            copy["rows"] = 0;
            copy["rawBytes"] = 0;
            copy["digest"] = new string('0', 32);
            return copy;
        }
    }

    [Fact]
    public async Task A_part_that_expands_beyond_what_the_contents_say_is_given_up_at_once()
    {
        // 4 GB of one endless text row in about 400 KB: a row of zeros, as text so that it never ends.
        var editor = new ArchiveEditor(await bench.SampleAsync());
        var part = editor.ReadContents()["tables"]!.AsArray().First(t => t!["rows"]!.GetValue<long>() > 0)!["parts"]![0]!["member"]!.GetValue<string>();
        editor[part] = Bomb(4L << 30);
        var bomb = editor.Build();
        var before = GC.GetTotalAllocatedBytes();
        var result = await Workbench.VerifyAsync(bomb, tools: NoTools);
        Assert.Contains(result.Failed, c => c.Detail.Contains(part, StringComparison.Ordinal));
        var target = bench.Unique("bomb");
        Assert.Equal("ArchiveDamaged", (await Assert.ThrowsAsync<MoltException>(() => bench.RestoreAsync(bomb, target))).Id);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 500_000_000);
        await bench.ExpectNothingLeftAsync(null, target);
    }

    [Theory]
    [InlineData(ArchiveFormat.Contents)]
    [InlineData(ArchiveFormat.Globals)]
    public async Task A_description_that_expands_without_end_is_given_up(string member)
    {
        var editor = new ArchiveEditor(await bench.SampleAsync()) { [member] = Bomb(4L << 30) };
        if (member == ArchiveFormat.Globals)
        {
            var contents = editor.ReadContents();
            contents["roles"]!.AsArray().Add(new JsonObject { ["name"] = "nobody_has_this_role", ["owns"] = false, ["granted"] = true, ["policy"] = false });
            editor.WriteContents(contents);
        }

        var bomb = editor.Build();
        var before = GC.GetTotalAllocatedBytes();
        var target = bench.Unique("bomb");
        var e = await Assert.ThrowsAsync<MoltException>(() => bench.RestoreAsync(bomb, target, o => o with { CreateRoles = true }));
        Assert.Equal("ArchiveDamaged", e.Id);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 600_000_000);
        await bench.ExpectNothingLeftAsync(null, target);
    }

    [Theory]
    [InlineData(ArchiveFormat.Contents)]
    [InlineData(ArchiveFormat.Globals)]
    [InlineData("data/")]
    public async Task A_member_that_is_no_zstd_although_its_hash_is_right_is_refused(string start)
    {
        var sample = await bench.SampleAsync();
        var random = new Random(7);
        foreach (var damage in new Func<byte[], byte[]>[] { _ => [], b => b[..^1], b => b[..(b.Length / 2)], b => [.. b, 1], b => CopyData.Random(random, b.Length), b => Flip(b, b.Length / 2, 1), b => Flip(b, 5, 7) })
        {
            var editor = new ArchiveEditor(sample);
            var contents = editor.ReadContents();
            var member = editor.Names.First(n => n.StartsWith(start, StringComparison.Ordinal));
            contents["roles"]!.AsArray().Add(new JsonObject { ["name"] = "nobody_has_this_role", ["owns"] = false, ["granted"] = true, ["policy"] = false });
            editor.WriteContents(contents);
            editor[member] = damage(editor[member]);
            var target = bench.Unique("broken");
            var e = await Assert.ThrowsAsync<MoltException>(() => bench.RestoreAsync(editor.Build(), target, o => o with { CreateRoles = true }));
            Assert.True(e.Id is "ArchiveDamaged" or "RolesMissing", e.Id + e.Message);
            Assert.False((await Workbench.VerifyAsync(editor.Build(), tools: NoTools)).Passed);
            await bench.ExpectNothingLeftAsync(null, target);
        }
    }

    [Fact]
    public async Task A_bad_file_in_the_folder_is_one_error_and_the_others_are_listed()
    {
        var sample = await bench.SampleAsync();
        var folder = Directory.CreateTempSubdirectory("molt-list-").FullName;
        try
        {
            Task Write(string name, byte[] content) => File.WriteAllBytesAsync(Path.Combine(folder, name), content, Cancel);
            await Write("good.tar", sample);
            await Write("cut.tar", sample[..^700]);
            await Write("empty.tar", []);
            await Write("foreign.tar", CopyData.Random(new Random(1), 10_240));
            await Write("other.tar", [.. TarHeader.Build("file", 3, DateTimeOffset.UnixEpoch), .. new byte[512], .. new byte[1024]]);
            await Write("notes.txt", [1]);
            await Write("unfinished.tar.partial", sample);
            File.CreateSymbolicLink(Path.Combine(folder, "link.tar"), Path.Combine(folder, "good.tar"));
            File.CreateSymbolicLink(Path.Combine(folder, "loop.tar"), Path.Combine(folder, "loop.tar"));
            Directory.CreateDirectory(Path.Combine(folder, "folder.tar"));
            await TestServers.Tool.RunAsync("mkfifo", [Path.Combine(folder, "pipe.tar")], cancel: Cancel);
            Directory.CreateDirectory(Path.Combine(folder, "good.tar.records"));
            await Write("good.tar.records/1_verification_x.json", Encoding.UTF8.GetBytes("{\"backupId\":null}"));
            await Write("good.tar.records/2_verification_x.json", Encoding.UTF8.GetBytes("nonsense"));
            await Write("good.tar.records/3_verification_x.json", Encoding.UTF8.GetBytes("{\"backupId\":\"x\",\"level\":\"Full\",\"passed\":true,\"time\":\"2026-01-01T00:00:00Z\",\"host\":\"h\",\"failed\":[null]}"));

            var errors = new List<MoltException>();
            var listed = await Task.Run(() => new BackupCatalog(new LocalStore(folder)).ListAsync(errors.Add, Cancel), Cancel).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
            Assert.Equal(["good.tar", "link.tar"], listed.Select(b => b.Name).Order(StringComparer.Ordinal));
            Assert.Equal(["cut.tar", "empty.tar", "foreign.tar", "loop.tar", "other.tar", "pipe.tar"], errors.Select(e => Path.GetFileName((string)e.TargetObject!)).Order(StringComparer.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Random_mutations_give_an_error_or_a_failed_test_and_nothing_else()
    {
        var sample = await bench.SampleAsync();
        var index = ArchiveIndex.Parse(sample.AsSpan(sample.Length - ArchiveIndex.TailBytes), sample.Length, "x");
        for (var seed = 0; seed < 3000; seed++)
        {
            await SurvivesAsync(Mutate(sample, index, new Random(seed)), $"seed {seed}", changed: true);
        }
    }

    [Fact]
    public async Task Random_mutations_with_all_hashes_right_give_an_error_or_a_result_and_nothing_else()
    {
        var sample = await bench.SampleAsync();
        for (var seed = 0; seed < 1500; seed++)
        {
            var random = new Random(seed);
            var editor = new ArchiveEditor(sample);
            if (seed % 3 == 0)
            {
                var name = editor.Names[random.Next(editor.Names.Count)];
                editor[name] = MutateBytes(editor[name], random);
                await SurvivesAsync(editor.Build(), $"seed {seed}: {name}");
            }
            else if (seed % 3 == 1)
            {
                var contents = MutateBytes(ArchiveEditor.Decompress(editor[ArchiveFormat.Contents]), random);
                editor[ArchiveFormat.Contents] = ArchiveEditor.Compress(contents);
                await SurvivesAsync(editor.Build(), $"seed {seed}: contents");
            }
            else
            {
                await SurvivesAsync(editor.BuildWithManifest(MutateBytes(await ManifestAsync(sample), random)), $"seed {seed}: manifest");
            }
        }
    }

    /// <summary>Every reader refuses it for this reason.</summary>
    private async Task RefusedAsync(byte[] archive, string id, bool contents = false, bool verifies = true)
    {
        if (!contents)
        {
            Assert.Equal(id, (await Assert.ThrowsAsync<MoltException>(() => ArchiveReader.OpenAsync(new MemoryArchive(archive), Cancel))).Id);
        }

        if (verifies)
        {
            Assert.False((await Workbench.VerifyAsync(archive, tools: NoTools)).Passed);
        }
        else
        {
            Assert.Equal(id, (await Assert.ThrowsAsync<MoltException>(() => Workbench.VerifyAsync(archive, tools: NoTools))).Id);
        }

        var target = bench.Unique("refused");
        Assert.Equal(id, (await Assert.ThrowsAsync<MoltException>(() => bench.RestoreAsync(archive, target))).Id);
    }

    /// <summary>Listing and both tests end with a result or with an error of ours.</summary>
    private static async Task SurvivesAsync(byte[] archive, string what = "", bool changed = false)
    {
        try
        {
            try
            {
                await using var reader = await ArchiveReader.OpenAsync(new MemoryArchive(archive), Cancel);
                await reader.ReadContentsAsync(Cancel);
            }
            catch (MoltException)
            {
                // As it should be.
            }

            try
            {
                await new BackupCatalog(new MemoryStore(archive)).ListAsync(_ => { }, Cancel);
                var result = await Workbench.VerifyAsync(archive, tools: NoTools);
                Assert.False(changed && result.Passed, $"passed although changed: {what}");
            }
            catch (MoltException)
            {
                // As it should be.
            }
        }
        catch (Exception e) when (e is not Xunit.Sdk.XunitException)
        {
            Assert.Fail($"{what}: {e}");
        }
    }

    private static byte[] Mutate(byte[] archive, ArchiveIndex index, Random random)
    {
        var copy = archive.ToArray();
        switch (random.Next(6))
        {
            case 0:
                return copy[..random.Next(copy.Length)];
            case 1: // the tail
                for (var i = random.Next(1, 4); i > 0; i--)
                {
                    copy[copy.Length - 1 - random.Next(ArchiveIndex.TailBytes)] ^= (byte)(1 << random.Next(8));
                }

                break;
            case 2: // the manifest
                copy[index.ManifestOffset + random.Next((int)index.ManifestLength)] ^= (byte)(1 << random.Next(8));
                break;
            case 3: // a block moved
                var from = random.Next(copy.Length / 512) * 512;
                var to = random.Next(copy.Length / 512) * 512;
                archive.AsSpan(from, 512).CopyTo(copy.AsSpan(to));
                break;
            case 4: // bytes lost or doubled
                var at = random.Next(copy.Length);
                var length = Math.Min(random.Next(1, 2000), copy.Length - at);
                return random.Next(2) == 0 ? [.. copy[..at], .. copy[(at + length)..]] : [.. copy[..(at + length)], .. copy[at..]];
            default:
                copy[random.Next(copy.Length)] ^= (byte)(1 << random.Next(8));
                break;
        }

        // Some of these change nothing: a block over its like.
        return copy.AsSpan().SequenceEqual(archive) ? copy[..^1] : copy;
    }

    private static byte[] MutateBytes(byte[] bytes, Random random)
    {
        if (bytes.Length == 0)
        {
            return [1];
        }

        var copy = bytes.ToArray();
        switch (random.Next(4))
        {
            case 0:
                return copy[..random.Next(copy.Length)];
            case 1:
                var at = random.Next(copy.Length);
                return [.. copy[..at], .. copy[Math.Min(copy.Length, at + random.Next(1, 40))..]];
            case 2:
                copy[random.Next(copy.Length)] = (byte)"0123456789\"{}[]:,-eE.null"[random.Next(24)];
                return copy;
            default:
                for (var i = random.Next(1, 5); i > 0; i--)
                {
                    copy[random.Next(copy.Length)] ^= (byte)(1 << random.Next(8));
                }

                return copy;
        }
    }

    private static async Task<List<MemberInfo>> MembersAsync(byte[] archive)
    {
        await using var reader = await ArchiveReader.OpenAsync(new MemoryArchive(archive), Cancel);
        return [.. reader.Manifest.Members, new MemberInfo(ArchiveFormat.Manifest, reader.Index.ManifestOffset, reader.Index.ManifestLength, "")];
    }

    private static async Task<byte[]> ManifestAsync(byte[] archive)
    {
        await using var reader = await ArchiveReader.OpenAsync(new MemoryArchive(archive), Cancel);
        return await reader.ReadRawAsync(reader.Index.ManifestOffset, (int)reader.Index.ManifestLength, Cancel);
    }

    private static byte[] Flip(byte[] bytes, long at, int bit)
    {
        var copy = bytes.ToArray();
        copy[at] ^= (byte)(1 << bit);
        return copy;
    }

    private static byte[] Bomb(long length)
    {
        using var bytes = new MemoryStream();
        using (var compression = new ZstdSharp.CompressionStream(bytes, 3, leaveOpen: true))
        {
            var zeros = new byte[1 << 20];
            for (var i = 0L; i < length; i += zeros.Length)
            {
                compression.Write(zeros);
            }
        }

        return bytes.ToArray();
    }

    /// <summary>The way to each value; of long lists to the first two elements only.</summary>
    private static IEnumerable<object[]> Paths(JsonNode node, params object[] path)
    {
        if (path.Length > 0)
        {
            yield return path;
        }

        var children = node switch
        {
            JsonObject o => o.Select(p => ((object)p.Key, p.Value)),
            JsonArray a => a.Take(2).Select((v, i) => ((object)i, v)),
            _ => [],
        };
        foreach (var (key, child) in children)
        {
            if (child is null)
            {
                yield return [.. path, key];
                continue;
            }

            foreach (var found in Paths(child, [.. path, key]))
            {
                yield return found;
            }
        }
    }

    private static JsonNode At(JsonNode node, object step) => (step is string name ? node[name] : node[(int)step])!;

    private static void Replace(JsonNode root, object[] path, JsonNode? value)
    {
        var parent = path[..^1].Aggregate(root, At);
        if (path[^1] is string name)
        {
            parent[name] = value;
        }
        else
        {
            parent[(int)path[^1]] = value;
        }
    }

    private static void Remove(JsonNode root, object[] path)
    {
        var parent = path[..^1].Aggregate(root, At);
        if (path[^1] is string name)
        {
            parent.AsObject().Remove(name);
        }
        else
        {
            parent.AsArray().RemoveAt((int)path[^1]);
        }
    }
}
