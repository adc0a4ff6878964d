using System.Diagnostics;
using System.Text;
using System.Text.Json;
using MoltBeat.DR.Engine.Audit;
using MoltBeat.DR.Engine.Tests.Storage;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Audit;

/// <summary>What is written: alone, by many at once, after a crash, on a full disk.</summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class AuditLogTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("molt-audit-").FullName;

    private string Folder => Path.Combine(_root, "log");

    private string Current => Path.Combine(Folder, "audit.jsonl");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_line_says_who_what_where_how_and_nobody_else_may_read_it()
    {
        var log = new AuditLog(new AuditSettings(Folder));
        var written = log.Append(AuditSamples.Record());
        log.Append(AuditSamples.Record("shop", AuditResult.Failed) with { ErrorId = "ServerUnreachable", Detail = "Zürich \u001b[31m" });
        var lines = File.ReadAllLines(Current);
        Assert.Equal(2, lines.Length);
        Assert.All(lines, l => Assert.True(Ascii.IsValid(l)));
        var first = JsonElement.Parse(lines[0]);
        Assert.Equal(1, first.GetProperty("sequence").GetInt64());
        Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", first.GetProperty("time").GetString());
        Assert.Equal(Environment.UserName, first.GetProperty("user").GetString());
        Assert.Equal(Environment.MachineName, first.GetProperty("host").GetString());
        Assert.Equal(Environment.ProcessId, first.GetProperty("processId").GetInt32());
        Assert.Equal(("New-MoltBackup", "Succeeded", 12.5), (first.GetProperty("cmdlet").GetString(), first.GetProperty("result").GetString(), first.GetProperty("seconds").GetDouble()));
        Assert.Equal(new string('0', 64), first.GetProperty("previous").GetString());
        Assert.Equal(written.Hash, first.GetProperty("hash").GetString());
        Assert.Equal(AuditLine.HashOf(Encoding.UTF8.GetBytes(lines[0])), JsonElement.Parse(lines[1]).GetProperty("previous").GetString());
        Assert.Equal("hash", JsonElement.Parse(lines[1]).EnumerateObject().Last().Name);
        Assert.Equal("700", Convert.ToString((int)File.GetUnixFileMode(Folder), 8));
        Assert.All(Directory.GetFiles(Folder), f => Assert.Equal("600", Convert.ToString((int)File.GetUnixFileMode(f), 8)));
    }

    [Fact]
    public async Task Eight_processes_with_two_hundred_lines_each_make_one_whole_chain()
    {
        var writers = Enumerable.Range(1, 8).Select(i => AuditWriterProcess.Start(Folder, $"writer{i}", 200)).ToList();
        foreach (var writer in writers)
        {
            var error = await writer.StandardError.ReadToEndAsync(Cancel);
            await writer.WaitForExitAsync(Cancel);
            Assert.Equal((0, ""), (writer.ExitCode, error));
            writer.Dispose();
        }

        var result = await AuditTest.RunAsync(Folder, false, Cancel);
        Assert.Empty(result.Problems);
        Assert.Empty(result.TornWrites);
        Assert.Equal((1600, 1600), (result.Lines, result.LastSequence));
        Assert.True(result.Files > 1, "The files were to be rotated meanwhile.");
        var records = await ReadAsync();
        Assert.Equal(Enumerable.Range(1, 1600).Select(i => (long)i), records.Select(r => r.Sequence));
        Assert.All(Enumerable.Range(1, 8), i => Assert.Equal(200, records.Count(r => r.Database == $"writer{i}")));
    }

    [Fact]
    public async Task Writers_that_are_killed_in_the_midst_leave_a_log_that_goes_on_and_passes()
    {
        for (var i = 0; i < 6; i++)
        {
            using var writer = AuditWriterProcess.Start(Folder, "killed", 100_000);
            var begun = File.Exists(Current) ? new FileInfo(Current).Length : 0;
            var clock = Stopwatch.StartNew();
            while (!File.Exists(Current) || new FileInfo(Current).Length == begun)
            {
                Assert.False(writer.HasExited && clock.Elapsed > TimeSpan.FromSeconds(30));
                await Task.Delay(1, Cancel);
            }

            await Task.Delay(7 * i, Cancel);
            writer.Kill();
            await writer.WaitForExitAsync(Cancel);
        }

        var before = (await ReadAsync()).Count;
        new AuditLog(new AuditSettings(Folder)).Append(AuditSamples.Record());
        var result = await AuditTest.RunAsync(Folder, false, Cancel);
        Assert.Empty(result.Problems);
        Assert.True(result.LastSequence >= before + 1);
    }

    [Fact]
    public async Task A_torn_line_is_closed_off_and_told_as_what_it_is()
    {
        var log = new AuditLog(new AuditSettings(Folder));
        log.Append(AuditSamples.Record());
        await File.AppendAllTextAsync(Current, """{"sequence":2,"time":"2026-01-3""", Cancel);
        var now = await AuditTest.RunAsync(Folder, false, Cancel);
        Assert.True(now.Passed);
        Assert.Equal((AuditProblemKind.TornWrite, 2), (Assert.Single(now.TornWrites).Kind, now.TornWrites[0].Line));

        Assert.Equal(2, log.Append(AuditSamples.Record()).Sequence);
        log.Append(AuditSamples.Record());
        var result = await AuditTest.RunAsync(Folder, false, Cancel);
        Assert.Empty(result.Problems);
        Assert.Equal((AuditProblemKind.TornWrite, 2), (Assert.Single(result.TornWrites).Kind, result.TornWrites[0].Line));
        Assert.Equal([1, 2, 3], (await ReadAsync(expectDamage: 1)).Select(r => r.Sequence));
    }

    [Fact]
    public async Task A_line_without_its_head_or_its_line_end_counts()
    {
        var log = new AuditLog(new AuditSettings(Folder));
        log.Append(AuditSamples.Record());
        var head = await File.ReadAllBytesAsync(Path.Combine(Folder, "audit.head"), Cancel);
        log.Append(AuditSamples.Record());

        // A crash between the line and its head, and one before the line's last byte.
        await File.WriteAllBytesAsync(Path.Combine(Folder, "audit.head"), head, Cancel);
        await using (var file = new FileStream(Current, FileMode.Open))
        {
            file.SetLength(file.Length - 1);
        }

        Assert.True((await AuditTest.RunAsync(Folder, false, Cancel)).Passed);
        Assert.Equal(3, log.Append(AuditSamples.Record()).Sequence);
        var result = await AuditTest.RunAsync(Folder, false, Cancel);
        Assert.Empty(result.Problems);
        Assert.Empty(result.TornWrites);
        Assert.Equal(3, result.Lines);
    }

    [Fact]
    public async Task Writers_that_die_before_they_have_written_a_head_leave_no_suspicion()
    {
        var log = new AuditLog(new AuditSettings(Folder));
        log.Append(AuditSamples.Record());
        File.Delete(Path.Combine(Folder, "audit.head"));

        // The next one dies at the same place.
        log.Append(AuditSamples.Record());
        var lines = await File.ReadAllLinesAsync(Current, Cancel);
        await File.WriteAllTextAsync(Path.Combine(Folder, "audit.head"), $$"""{"sequence":1,"hash":"{{AuditLine.HashOf(Encoding.UTF8.GetBytes(lines[0]))}}"}""", Cancel);
        log.Append(AuditSamples.Record());
        Assert.Empty((await AuditTest.RunAsync(Folder, false, Cancel)).Problems);
    }

    [Fact]
    public async Task Rotation_keeps_the_chain_and_every_file()
    {
        var log = new AuditLog(new AuditSettings(Folder) { RotateBytes = 2000 });
        for (var i = 0; i < 20; i++)
        {
            log.Append(AuditSamples.Record());
        }

        var files = Directory.GetFiles(Folder, "*.jsonl").Order(StringComparer.Ordinal).ToList();
        Assert.True(files.Count > 3);
        Assert.Matches(@"audit-\d{8}T\d{6}Z-000000000001\.jsonl$", files[0]);
        var firsts = files.Skip(1).Select(f => JsonElement.Parse(File.ReadLines(f).First())).ToList();
        Assert.Equal(files.SkipLast(1).Select(Path.GetFileName), firsts.Select(f => f.GetProperty("previousFile").GetString()));
        Assert.Equal(files.SkipLast(1).Select(f => AuditLine.HashOf(Encoding.UTF8.GetBytes(File.ReadLines(f).Last()))), firsts.Select(f => f.GetProperty("previous").GetString()));
        Assert.True((await AuditTest.RunAsync(Folder, false, Cancel)).Passed);

        // A crash just behind a rotation: the new file is not there yet.
        log = new AuditLog(new AuditSettings(Folder) { RotateBytes = 1 });
        File.Move(Current, Path.Combine(Folder, AuditFiles.RotatedName(AuditLine.Read(Encoding.UTF8.GetBytes(File.ReadLines(Current).First()), out _)!)));
        Assert.Equal(21, log.Append(AuditSamples.Record()).Sequence);
        Assert.True((await AuditTest.RunAsync(Folder, false, Cancel)).Passed);
    }

    [Fact]
    public async Task A_full_disk_is_told_beforehand_and_leaves_the_log_whole()
    {
        await using var disk = await SmallDisk.MountAsync(64 << 10, Cancel);
        var folder = Path.Combine(disk.Folder, "log");
        var log = new AuditLog(new AuditSettings(folder));
        Assert.Null(log.Prepare());
        log.Append(AuditSamples.Record());
        var filler = Path.Combine(disk.Folder, "filler");
        await using (var file = new FileStream(filler, FileMode.Create, FileAccess.Write, FileShare.None, 1))
        {
            try
            {
                while (true)
                {
                    file.Write(new byte[4096]);
                }
            }
            catch (IOException)
            {
                // Full now.
            }
        }

        Assert.Equal("AuditNotWritable", Assert.Throws<MoltException>(() => log.Prepare()).Id);
        var failed = 0;
        for (var i = 0; i < 20; i++)
        {
            // The page that the log has begun takes a few more lines; its head does not get any.
            failed += Record.Exception(() => log.Append(AuditSamples.Record())) is MoltException { Id: "AuditNotWritable" } ? 1 : 0;
        }

        Assert.True(failed > 10);
        File.Delete(filler);
        log.Append(AuditSamples.Record());
        var result = await AuditTest.RunAsync(folder, false, Cancel);
        Assert.Empty(result.Problems);
        Assert.Empty(result.TornWrites);
        Assert.Equal(["audit.head", "audit.jsonl", "audit.lock"], Directory.GetFiles(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_place_that_cannot_be_written_is_told_beforehand()
    {
        // Root may write to any folder, but not below a file.
        var file = Path.Combine(_root, "file");
        File.WriteAllText(file, "");
        var log = new AuditLog(new AuditSettings(Path.Combine(file, "log")));
        Assert.Equal("AuditNotWritable", Assert.Throws<MoltException>(() => log.Prepare()).Id);
        Assert.Equal("AuditNotWritable", Assert.Throws<MoltException>(() => log.Append(AuditSamples.Record())).Id);
        Assert.Equal("AuditNotWritable", Assert.Throws<MoltException>(() => new AuditLog(new AuditSettings("/proc/molt")).Prepare()).Id);
    }

    [Fact]
    public void A_folder_that_others_may_write_to_is_warned_of()
    {
        var log = new AuditLog(new AuditSettings(Folder));
        Assert.Null(log.Prepare());
        File.SetUnixFileMode(Folder, (UnixFileMode)0b111_111_000);
        Assert.Contains($"chmod 0700 '{Folder}'", log.Prepare(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_seems_to_hold_a_password_and_what_is_too_long_stays_out()
    {
        var log = new AuditLog(new AuditSettings(Folder));
        log.Append(AuditSamples.Record() with { Server = "postgresql://moltbeat:s3cret@h/d", Detail = "password=hunter2", Target = new string('x', 5000), Stores = [.. Enumerable.Repeat("/srv", 500)] });
        var text = await File.ReadAllTextAsync(Current, Cancel);
        Assert.DoesNotContain("s3cret", text, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", text, StringComparison.Ordinal);
        Assert.InRange(text.Length, 1000, 4000);
    }

    private async Task<List<AuditRecord>> ReadAsync(int expectDamage = 0)
    {
        var damage = new List<MoltException>();
        var records = new List<AuditRecord>();
        await foreach (var record in AuditReader.ReadAsync(Folder, damage.Add, Cancel))
        {
            records.Add(record);
        }

        Assert.Equal(expectDamage, damage.Count);
        return records;
    }
}
