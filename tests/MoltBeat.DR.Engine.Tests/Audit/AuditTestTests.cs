using System.Text;
using MoltBeat.DR.Engine.Audit;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Audit;

/// <summary>What somebody with an editor can do to the log, and where it is found.</summary>
public sealed class AuditTestTests : IDisposable
{
    private const int Count = 9;
    private readonly string _folder = Directory.CreateTempSubdirectory("molt-audit-").FullName;
    private readonly AuditLog _log;

    public AuditTestTests()
    {
        _log = new AuditLog(new AuditSettings(_folder));
        for (var i = 1; i <= Count; i++)
        {
            _log.Append(AuditSamples.Record($"database{i}"));
        }
    }

    private string Current => Path.Combine(_folder, "audit.jsonl");

    private string Head => Path.Combine(_folder, "audit.head");

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_log_that_nobody_touched_passes()
    {
        var result = await TestAsync();
        Assert.Empty(result.Problems);
        Assert.Equal((true, 1, (long)Count, (long)Count), (result.Passed, result.Files, result.Lines, result.LastSequence));
        Assert.True(result.First <= result.Last);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(Count)]
    public async Task An_edited_line_is_named(int line)
    {
        Edit(lines => lines[line - 1] = lines[line - 1].Replace("Succeeded", "Refused", StringComparison.Ordinal));
        Assert.Equal([(AuditProblemKind.Changed, line)], await FoundAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(Count)]
    public async Task An_edited_line_whose_own_hash_was_made_anew_is_named(int line)
    {
        Edit(lines => lines[line - 1] = Forge(lines[line - 1], r => r with { User = "somebody else" }));
        Assert.Equal([(AuditProblemKind.Changed, line)], await FoundAsync());
    }

    [Theory]
    [InlineData(5)]
    [InlineData(Count)]
    public async Task A_line_in_whose_place_something_else_stands_is_named(int line)
    {
        Edit(lines => lines[line - 1] = "nothing to see here");
        Assert.Equal([(AuditProblemKind.Foreign, line)], await FoundAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task A_removed_line_is_missed_where_it_stood(int line)
    {
        Edit(lines => lines.RemoveAt(line - 1));
        Assert.Equal([(AuditProblemKind.Missing, line)], await FoundAsync());
    }

    [Fact]
    public async Task Removed_lines_are_told_by_their_numbers()
    {
        Edit(lines => lines.RemoveRange(3, 3));
        Assert.Contains("lines 4 to 6 of the log are missing", Assert.Single((await TestAsync()).Problems).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_in_another_order_are_named()
    {
        Edit(lines => (lines[3], lines[4]) = (lines[4], lines[3]));
        Assert.Equal([(AuditProblemKind.Missing, 4), (AuditProblemKind.OutOfOrder, 5)], await FoundAsync());
    }

    [Fact]
    public async Task A_line_that_was_put_in_is_named()
    {
        Edit(lines => lines.Insert(5, lines[2]));
        Assert.Equal([(AuditProblemKind.OutOfOrder, 6)], await FoundAsync());
    }

    [Fact]
    public async Task A_forged_line_that_was_put_in_is_named_with_the_one_whose_number_it_took()
    {
        Edit(lines => lines.Insert(5, Forge(lines[5], r => r with { Cmdlet = "Restore-MoltBackup" })));
        var found = await FoundAsync();
        Assert.Contains((AuditProblemKind.OutOfOrder, 7), found);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public async Task Lines_cut_off_the_end_are_missed_and_stay_missed_when_the_log_goes_on(int cut)
    {
        Edit(lines => lines.RemoveRange(Count - cut, cut));
        Assert.Equal([(AuditProblemKind.Missing, Count - cut)], await FoundAsync());

        Assert.Equal(Count + 1, _log.Append(AuditSamples.Record()).Sequence);
        var found = await FoundAsync();
        Assert.Equal([(AuditProblemKind.Noticed, Count - cut + 1), (AuditProblemKind.Missing, Count - cut + 1)], found);
    }

    [Fact]
    public async Task A_log_that_was_emptied_is_missed()
    {
        await File.WriteAllTextAsync(Current, "", Cancel);
        Assert.Equal([(AuditProblemKind.Missing, 1)], await FoundAsync());
        File.Delete(Current);
        Assert.Equal([(AuditProblemKind.Missing, 1)], await FoundAsync());
        Assert.Equal(Count + 1, _log.Append(AuditSamples.Record()).Sequence);
        Assert.Contains((AuditProblemKind.Missing, 1), await FoundAsync());
    }

    [Fact]
    public async Task A_head_that_is_gone_old_or_unreadable_is_told_and_the_next_writer_notes_it()
    {
        var head = await File.ReadAllBytesAsync(Head, Cancel);
        File.Delete(Head);
        Assert.Equal([(AuditProblemKind.Head, 1)], await FoundAsync());
        _log.Append(AuditSamples.Record());
        Assert.Equal([(AuditProblemKind.Noticed, Count + 1)], await FoundAsync());

        await File.WriteAllTextAsync(Head, "{", Cancel);
        Assert.Contains((AuditProblemKind.Head, 1), await FoundAsync());

        _log.Append(AuditSamples.Record());
        await File.WriteAllBytesAsync(Head, head, Cancel);
        Assert.Contains("an older head was put back", string.Join('\n', (await TestAsync()).Problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_torn_line_cannot_be_used_to_hide_one()
    {
        // Made unreadable, and the next one does not know of it.
        Edit(lines => lines[4] = lines[4][..40]);
        Assert.Equal([(AuditProblemKind.Foreign, 5)], await FoundAsync());
    }

    [Fact]
    public async Task A_rotated_file_that_is_gone_is_missed_by_its_name_unless_it_is_known_to_be_away()
    {
        var log = new AuditLog(new AuditSettings(_folder) { RotateBytes = 2000 });
        for (var i = 0; i < 12; i++)
        {
            log.Append(AuditSamples.Record());
        }

        var rotated = Directory.GetFiles(_folder, "audit-*.jsonl").Order(StringComparer.Ordinal).ToList();
        File.Delete(rotated[1]);
        Assert.Contains(Path.GetFileName(rotated[1]), string.Join('\n', (await TestAsync()).Problems), StringComparison.Ordinal);
        File.Delete(rotated[0]);
        Assert.False((await TestAsync()).Passed);
        Assert.Empty((await AuditTest.RunAsync(_folder, isPartial: true, Cancel)).Problems);
    }

    [Fact]
    public async Task A_test_beside_writers_finds_nothing_wrong()
    {
        using var writer = AuditWriterProcess.Start(_folder, "busy", 300);
        while (!writer.HasExited)
        {
            Assert.Empty((await TestAsync()).Problems);
        }

        Assert.Equal(0, writer.ExitCode);
        Assert.Equal(Count + 300, (await TestAsync()).Lines);
    }

    [Fact]
    public async Task Without_a_log_there_is_nothing_to_test()
    {
        var e = await Assert.ThrowsAsync<MoltException>(() => AuditTest.RunAsync(Path.Combine(_folder, "none"), false, Cancel));
        Assert.Equal("AuditNotFound", e.Id);
    }

    private static string Forge(string line, Func<AuditRecord, AuditRecord> change)
        => Encoding.UTF8.GetString(AuditLine.Write(change(AuditLine.Read(Encoding.UTF8.GetBytes(line), out _)!)));

    private void Edit(Action<List<string>> change)
    {
        var lines = File.ReadAllLines(Current).ToList();
        change(lines);
        File.WriteAllText(Current, string.Concat(lines.Select(l => l + "\n")));
    }

    private Task<AuditTestResult> TestAsync() => AuditTest.RunAsync(_folder, false, Cancel);

    private async Task<IEnumerable<(AuditProblemKind, int)>> FoundAsync() => [.. (await TestAsync()).Problems.Select(p => (p.Kind, p.Line))];
}
