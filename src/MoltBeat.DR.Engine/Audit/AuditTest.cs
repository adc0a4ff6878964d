using System.Globalization;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>Follows the chain through all files of a log, and says at which line it does not hold.</summary>
public sealed class AuditTest
{
    private readonly List<AuditProblem> problems = [];
    private readonly List<AuditProblem> torn = [];
    private readonly long headAt;
    private string? hashAtHead;
    private AuditText? foreign;
    private long lines;
    private DateTimeOffset? first;
    private DateTimeOffset? last;

    // The line with the highest number so far; its hash is null when the line is known not to be as it was written.
    private long sequence;
    private string? hash;
    private (string File, int Line) at;

    /// <summary>Lines since then that are none: each stands in the place of one that is missing.</summary>
    private int replaced;

    private AuditTest(long headAt) => this.headAt = headAt;

    /// <summary>Tests a log.</summary>
    /// <param name="folder">Its folder.</param>
    /// <param name="isPartial">Older files have been moved away on purpose: the first line that is there need not be the first there ever was.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>AuditNotFound</c>, <c>AuditNotReadable</c>.</exception>
    public static async Task<AuditTestResult> RunAsync(string folder, bool isPartial, CancellationToken cancellationToken)
    {
        // Others may be writing. What seems wrong and has changed meanwhile is looked at again.
        for (var attempt = 1; ; attempt++)
        {
            var before = AuditHead.Read(folder);
            var result = await RunOnceAsync(folder, isPartial, before.Head, before.IsDamaged, cancellationToken).ConfigureAwait(false);
            if ((result.Passed && result.TornWrites.All(t => !t.Detail.Contains(Unfinished, StringComparison.Ordinal))) || attempt == 5 || (attempt > 1 && before == AuditHead.Read(folder)))
            {
                return result;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50 * attempt), cancellationToken).ConfigureAwait(false);
        }
    }

    private const string Unfinished = "nothing has been written since";

    private static async Task<AuditTestResult> RunOnceAsync(string folder, bool isPartial, AuditHead? head, bool headIsDamaged, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> files;
        try
        {
            files = AuditReader.FilesOf(folder);
        }
        catch (MoltException e) when (e.Id == "AuditNotFound" && (head is not null || headIsDamaged))
        {
            return new AuditTestResult(folder, 0, 0, null, null, 0,
                [new AuditProblem(AuditProblemKind.Missing, AuditFiles.Head(folder), 1, "all lines are gone, and audit.head says that there were some")], []);
        }

        var test = new AuditTest(head?.Sequence ?? 0);
        foreach (var file in files)
        {
            await foreach (var text in AuditReader.LinesAsync(file, cancellationToken).ConfigureAwait(false))
            {
                test.Take(text, isPartial);
            }
        }

        test.End();
        test.CompareWith(folder, head, headIsDamaged, AuditHead.Read(folder).Head);
        return new AuditTestResult(folder, files.Count, test.lines, test.first, test.last, test.sequence, test.problems, test.torn);
    }

    private void Take(AuditText text, bool isPartial)
    {
        lines++;
        var record = AuditLine.Read(text.Bytes, out var sound);
        if (record is null)
        {
            End();
            foreign = text;
            return;
        }

        if (foreign is { } broken)
        {
            foreign = null;
            if (record.Torn == AuditLine.HashOf(broken.Bytes))
            {
                torn.Add(new AuditProblem(AuditProblemKind.TornWrite, broken.File, broken.Number, "a writer died in the midst of this line; the next one closed it off"));
            }
            else
            {
                Foreign(broken);
            }
        }

        first ??= record.Time;
        if (!sound)
        {
            Add(AuditProblemKind.Changed, text, $"line {Number(record.Sequence)} of the log was changed after it was written");
        }

        if (record.Notice is { } notice)
        {
            Add(AuditProblemKind.Noticed, text, "when this line was written, " + notice);
        }

        Follow(record, text, sound, isPartial);
        if (record.Sequence == headAt)
        {
            hashAtHead = AuditLine.HashOf(text.Bytes);
        }
    }

    /// <summary>Whether the line follows on the one before it.</summary>
    private void Follow(AuditRecord record, AuditText text, bool sound, bool isPartial)
    {
        if (record.Sequence <= sequence)
        {
            Add(AuditProblemKind.OutOfOrder, text, $"line {Number(record.Sequence)} of the log stands behind line {Number(sequence)}");
            return;
        }

        if (record.Sequence > sequence + 1)
        {
            var count = record.Sequence - sequence - 1;
            if ((!isPartial || sequence > 0) && count > replaced)
            {
                var behind = record.PreviousFile is { } file ? $", the end of {file} among them" : "";
                Add(AuditProblemKind.Missing, text, $"{(count == 1 ? $"line {Number(sequence + 1)} of the log is" : $"lines {Number(sequence + 1)} to {Number(record.Sequence - 1)} of the log are")} missing before this one{behind}");
            }
        }
        else if (sequence == 0 ? record.Previous != AuditLine.NoHash : hash is not null && sound && record.Previous != hash)
        {
            // Its own hash was made anew; the next line remembers what it was.
            problems.Add(new AuditProblem(AuditProblemKind.Changed, sequence == 0 ? text.File : at.File, sequence == 0 ? text.Number : at.Line,
                sequence == 0 ? "the first line says that there was another before it" : $"line {Number(sequence)} of the log is not the one on which line {Number(record.Sequence)} was written"));
        }

        replaced = 0;
        (sequence, hash, at, last) = (record.Sequence, sound ? AuditLine.HashOf(text.Bytes) : null, (text.File, text.Number), record.Time);
    }

    private void End()
    {
        if (foreign is { } broken)
        {
            foreign = null;
            if (broken.IsEnded)
            {
                Foreign(broken);
            }
            else
            {
                torn.Add(new AuditProblem(AuditProblemKind.TornWrite, broken.File, broken.Number, $"a writer died in the midst of this line; {Unfinished}"));
            }
        }
    }

    private void CompareWith(string folder, AuditHead? head, bool isDamaged, AuditHead? now)
    {
        var path = AuditFiles.Head(folder);
        void Problem(AuditProblemKind kind, string detail) => problems.Add(new AuditProblem(kind, kind == AuditProblemKind.Head ? path : at.File ?? path, kind == AuditProblemKind.Head ? 1 : Math.Max(1, at.Line), detail));
        if (head is null)
        {
            // A writer may have died between the very first line and its head.
            if (isDamaged || sequence > 1)
            {
                Problem(AuditProblemKind.Head, isDamaged ? "audit.head cannot be read" : "audit.head is missing: whether lines were cut off the end cannot be told");
            }
        }
        else if (head.Sequence > sequence + replaced)
        {
            var count = head.Sequence - sequence;
            Problem(AuditProblemKind.Missing, $"the log ends here with line {Number(sequence)}, and had gone to {Number(head.Sequence)}: {(count == 1 ? "one line is" : Number(count) + " lines are")} missing at its end");
        }
        else if (hashAtHead is { } found && found != head.Hash)
        {
            if (head.Sequence == sequence && !problems.Exists(p => p.File == at.File && p.Line == at.Line))
            {
                Problem(AuditProblemKind.Changed, $"line {Number(sequence)}, the last one, is not the one that audit.head says was written");
            }
        }
        else if (sequence > (now ?? head).Sequence + 1)
        {
            Problem(AuditProblemKind.Head, $"audit.head is at line {Number((now ?? head).Sequence)}, and the log goes to {Number(sequence)}: an older head was put back, or lines were added without it");
        }
    }

    private void Foreign(AuditText text)
    {
        replaced++;
        Add(AuditProblemKind.Foreign, text, "this is no line of an audit log");
    }

    private void Add(AuditProblemKind kind, AuditText text, string detail) => problems.Add(new AuditProblem(kind, text.File, text.Number, detail));

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
