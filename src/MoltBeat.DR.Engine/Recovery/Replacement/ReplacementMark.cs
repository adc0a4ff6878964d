using System.Globalization;
using System.Text.Json;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>
/// What is written down on a database that was replaced: in its comment, because only that may be written by an owner who is no
/// superuser, goes with the database through every renaming, and is seen by whoever looks (<c>\l+</c>). The first line is for
/// people, the second for us.
/// </summary>
internal sealed record ReplacementMark
{
    private const string Beginning = "MoltBeat.DR: this was ";

    /// <summary>The name that it had.</summary>
    public required string Of { get; init; }

    /// <summary>UTC, by the server's clock.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>The id of the backup that took its place.</summary>
    public string? By { get; init; }

    /// <summary>The comment that it had.</summary>
    public string? Comment { get; init; }

    /// <summary>Of the database itself. A comment also gets into backups, and with them onto other databases, which it does not speak of.</summary>
    public required uint Oid { get; init; }

    /// <summary>Of its cluster, for the same reason; null when the role could not ask.</summary>
    public string? Cluster { get; init; }

    public override string ToString()
        => $"{Beginning}{Of.ReplaceLineEndings(" ")} until {At.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC, and was replaced by a restore. Undo-MoltRestore brings it back, Remove-MoltPreviousDatabase removes it.\n{JsonSerializer.Serialize(this)}";

    /// <summary>The mark in a comment; null when there is none, or it is another database's.</summary>
    public static ReplacementMark? Read(string? comment, uint oid, string? cluster)
    {
        var line = comment?.IndexOf('\n', StringComparison.Ordinal) ?? -1;
        if (line < 0 || !comment!.StartsWith(Beginning, StringComparison.Ordinal))
        {
            return null;
        }

        try
        {
            var mark = JsonSerializer.Deserialize<ReplacementMark>(comment.AsSpan(line + 1));
            return mark is not null && mark.Oid == oid && (mark.Cluster is null || cluster is null || mark.Cluster == cluster) ? mark : null;
        }
        catch (JsonException)
        {
            // Somebody has written into it: it is a comment like any other.
            return null;
        }
    }

    /// <summary>COMMENT ON DATABASE with this text; null removes it.</summary>
    public static string Statement(string database, string? comment) => $"COMMENT ON DATABASE {SqlName.Quote(database)} IS {(comment is null ? "NULL" : SqlName.Literal(comment))}";
}
