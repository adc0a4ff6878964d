using System.Text.Json.Serialization;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>How an operation ended.</summary>
public enum AuditResult
{
    Succeeded,

    /// <summary>It began, and did not come to a good end.</summary>
    Failed,

    /// <summary>It was not begun: somebody declined it, a safeguard held, or what was asked for made no sense.</summary>
    Refused,

    /// <summary>Ctrl+C, or the command behind it in the pipeline wanted no more.</summary>
    Stopped,
}

/// <summary>One line of the audit log: who did what to which backup, where, and how it ended. Holds no secret.</summary>
public sealed record AuditRecord
{
    /// <summary>1 for the first line there ever was, then without a gap; given by the log.</summary>
    public long Sequence { get; init; }

    /// <summary>When the operation began, UTC.</summary>
    [JsonConverter(typeof(AuditTimeConverter))]
    public required DateTimeOffset Time { get; init; }

    /// <summary>The user that the process runs as.</summary>
    public string User { get; init; } = "";

    /// <summary>Who became that user by sudo, as sudo says it in the process's environment; null without sudo.</summary>
    public string? SudoUser { get; init; }

    public string Host { get; init; } = "";

    public int ProcessId { get; init; }

    /// <summary>As <c>Remove-MoltBackup</c>.</summary>
    public required string Cmdlet { get; init; }

    /// <summary>What was done, as one word: see docs/audit.md.</summary>
    public required string Action { get; init; }

    public required AuditResult Result { get; init; }

    /// <summary>The first error's id, or <c>Declined</c>; null when it succeeded.</summary>
    public string? ErrorId { get; init; }

    /// <summary>The database that was backed up, or whose backup it is.</summary>
    public string? Database { get; init; }

    /// <summary>The backup's file name.</summary>
    public string? Backup { get; init; }

    public string? BackupId { get; init; }

    /// <summary>What was made of it elsewhere: a restored database, a copy's place, a plan's file.</summary>
    public string? Target { get; init; }

    /// <summary>Folders and buckets that were written to, read or removed from.</summary>
    public IReadOnlyList<string>? Stores { get; init; }

    /// <summary>The database server, without a password.</summary>
    public string? Server { get; init; }

    /// <summary>More about it: the level of a verification, the reason of a pin.</summary>
    public string? Detail { get; init; }

    /// <summary>How long it took.</summary>
    [JsonPropertyName("seconds")]
    [JsonConverter(typeof(AuditDurationConverter))]
    public TimeSpan Duration { get; init; }

    /// <summary>The same for all lines of one pipeline.</summary>
    public string Correlation { get; init; } = "";

    /// <summary>Of this module.</summary>
    public string Version { get; init; } = "";

    /// <summary>In the first line of a file: the file that it goes on from.</summary>
    public string? PreviousFile { get; init; }

    /// <summary>SHA-256, hex, of what a writer that died had left of a line before this one; null when there was no such thing.</summary>
    public string? Torn { get; init; }

    /// <summary>What was wrong with the log when this line was written; null when nothing was.</summary>
    public string? Notice { get; init; }

    /// <summary>SHA-256, hex, of the whole line before this one; 64 zeros in the very first.</summary>
    public string Previous { get; init; } = "";

    /// <summary>SHA-256, hex, of this line up to here.</summary>
    public string? Hash { get; init; }

    /// <summary>Where it was read.</summary>
    [JsonIgnore]
    public string? File { get; init; }

    /// <summary>1 for the file's first line.</summary>
    [JsonIgnore]
    public int Line { get; init; }

    public override string ToString() => $"{Time.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z {Cmdlet} {Result}";
}
