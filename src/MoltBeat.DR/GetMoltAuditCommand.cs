using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Audit;

namespace MoltBeat.DR;

/// <summary>Shows who did what: the lines of the audit log, the oldest first.</summary>
[Cmdlet(VerbsCommon.Get, "MoltAudit")]
[OutputType(typeof(AuditRecord))]
public sealed class GetMoltAuditCommand : AuditCommand
{
    /// <summary>Only operations that began at this moment or after it, for example 2026-01-31T12:00Z.</summary>
    [Parameter]
    [UtcTime]
    public DateTimeOffset? After { get; set; }

    /// <summary>Only operations that began before this moment.</summary>
    [Parameter]
    [UtcTime]
    public DateTimeOffset? Before { get; set; }

    /// <summary>Only these cmdlets; wildcards are allowed.</summary>
    [Parameter]
    [SupportsWildcards]
    public string[]? Cmdlet { get; set; }

    /// <summary>Only operations that ended so.</summary>
    [Parameter]
    public AuditResult[]? Result { get; set; }

    /// <summary>Only operations on these databases; wildcards are allowed.</summary>
    [Parameter]
    [SupportsWildcards]
    public string[]? Database { get; set; }

    /// <summary>Only the lines of one pipeline.</summary>
    [Parameter]
    public string? Correlation { get; set; }

    /// <summary>Only so many of the newest, of those that the other parameters leave.</summary>
    [Parameter]
    [ValidateRange(1, 1_000_000)]
    public int? Last { get; set; }

    protected override void ProcessRecord()
    {
        var folder = LogPath;
        var (cmdlets, databases) = (Patterns(Cmdlet), Patterns(Database));
        var newest = new Queue<AuditRecord>();
        var complete = RunEach((_, token) => LinesAsync(folder, token), line =>
        {
            if (line.Damage is { } damage)
            {
                WriteFailure(damage);
            }
            else if (line.Record is { } record && Wanted(record, cmdlets, databases))
            {
                if (Last is null)
                {
                    WriteObject(record);
                }
                else
                {
                    newest.Enqueue(record);
                    if (newest.Count > Last)
                    {
                        newest.Dequeue();
                    }
                }
            }
        }, folder);
        if (complete)
        {
            WriteObject(newest, enumerateCollection: true);
        }
    }

    private bool Wanted(AuditRecord record, List<WildcardPattern>? cmdlets, List<WildcardPattern>? databases)
        => (After is null || record.Time >= After)
            && (Before is null || record.Time < Before)
            && (Result is null || Result.Contains(record.Result))
            && (Correlation is null || record.Correlation.Equals(Correlation, StringComparison.OrdinalIgnoreCase))
            && (cmdlets is null || cmdlets.Exists(p => p.IsMatch(record.Cmdlet)))
            && (databases is null || (record.Database is { } database && databases.Exists(p => p.IsMatch(database))));

    private static List<WildcardPattern>? Patterns(string[]? texts) => texts?.Select(t => new WildcardPattern(t, WildcardOptions.IgnoreCase)).ToList();

    /// <summary>Records, and in their midst what was damaged, in the order in which they stand there.</summary>
    private static async IAsyncEnumerable<(AuditRecord? Record, MoltException? Damage)> LinesAsync(string folder, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var damaged = new Queue<MoltException>();
        await foreach (var record in AuditReader.ReadAsync(folder, damaged.Enqueue, cancellationToken).ConfigureAwait(false))
        {
            while (damaged.TryDequeue(out var damage))
            {
                yield return (null, damage);
            }

            yield return (record, null);
        }

        while (damaged.TryDequeue(out var damage))
        {
            yield return (null, damage);
        }
    }
}
