using System.Text.Json;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>What a route's file holds.</summary>
/// <param name="Told">Open problems by their keys.</param>
/// <param name="Sends">When alerts were sent in the last hour, UTC, the oldest first.</param>
internal sealed record AlertMemoryFile(IReadOnlyDictionary<string, AlertMemoryFile.Entry> Told, IReadOnlyList<DateTimeOffset> Sends)
{
    /// <summary>The service wants to hear nothing before that.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    public DateTimeOffset? LastSent { get; init; }

    public string? LastTrouble { get; init; }

    /// <param name="Time">When it was told last.</param>
    /// <param name="Severity">How bad it was then.</param>
    internal sealed record Entry(DateTimeOffset Time, Plan.Priority Severity);
}

/// <summary>
/// What one route has told, so that nothing is told twice, and how much of late. To be used by the holder of the route's lock.
/// A memory that is lost does no harm but to tell again.
/// </summary>
internal sealed class AlertMemory
{
    private const string FileName = "memory.json";
    private const int MostTold = 1000;
    private static readonly TimeSpan s_hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_forget = TimeSpan.FromDays(90);

    private readonly string path;
    private readonly AlertSettings settings;
    private AlertMemoryFile content;

    private AlertMemory(string path, AlertSettings settings, AlertMemoryFile content)
    {
        this.path = path;
        this.settings = settings;
        this.content = content;
    }

    public AlertMemoryFile Content => content;

    private DateTimeOffset Now => settings.Clock.GetUtcNow();

    /// <summary>Never throws: what cannot be read is nothing.</summary>
    public static AlertMemory Read(string folder, AlertSettings settings)
    {
        var path = Path.Combine(folder, FileName);
        AlertMemoryFile? content = null;
        try
        {
            content = File.Exists(path) ? JsonSerializer.Deserialize(File.ReadAllBytes(path), AlertJson.Default.AlertMemoryFile) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            // See above.
        }

        return new AlertMemory(path, settings, content ?? new AlertMemoryFile(new Dictionary<string, AlertMemoryFile.Entry>(), []));
    }

    /// <summary>Why an alert need not be sent; null when it has to be.</summary>
    public string? Unneeded(Alert alert, bool foldsByKey)
    {
        // Nothing but the service itself knows for certain what is open there.
        if (alert.IsTest || foldsByKey)
        {
            return null;
        }

        var told = content.Told.GetValueOrDefault(alert.Key);
        return alert.Kind switch
        {
            AlertKind.Trigger => told is not null && told.Severity <= alert.Severity && Now - told.Time < settings.RepeatAfter && told.Time <= Now ? $"told already at {AlertJson.Time(told.Time)}" : null,
            _ => told is null ? "nothing was told that it would be about" : null,
        };
    }

    /// <summary>How long the service wants to be left alone; null when it may be asked now.</summary>
    public TimeSpan? Rest()
    {
        // A day at most: a clock that was wrong must not silence a route for years.
        var rest = content.NotBefore - Now;
        return rest > TimeSpan.Zero && rest < TimeSpan.FromDays(1) ? rest : null;
    }

    /// <summary>Whether an hour's alerts have been sent.</summary>
    public bool IsFull(int mostPerHour) => Recent().Count >= mostPerHour;

    /// <summary>Notes that the service has taken an alert.</summary>
    public void Sent(Alert alert)
    {
        var told = new Dictionary<string, AlertMemoryFile.Entry>(content.Told, StringComparer.Ordinal);
        if (alert is { Kind: AlertKind.Trigger, IsTest: false })
        {
            told[alert.Key] = new(Now, alert.Severity ?? Plan.Priority.P2);
        }
        else if (alert.Kind == AlertKind.Resolve)
        {
            told.Remove(alert.Key);
        }

        content = new(told.Where(t => Now - t.Value.Time < s_forget).OrderByDescending(t => t.Value.Time).Take(MostTold).ToDictionary(), [.. Recent(), Now])
        {
            LastSent = Now,
        };
        Write();
    }

    /// <summary>Notes that it has not, and for how long it wants to be left alone.</summary>
    public void Failed(string trouble, TimeSpan? rest)
    {
        content = content with { LastTrouble = trouble, NotBefore = rest is { } time ? Now + time : null };
        Write();
    }

    private List<DateTimeOffset> Recent() => [.. content.Sends.Where(s => Now - s < s_hour && s <= Now)];

    private void Write()
    {
        try
        {
            PrivateFiles.Write(path, JsonSerializer.SerializeToUtf8Bytes(content, AlertJson.Default.AlertMemoryFile));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk is no reason to keep an alert back.
        }
    }
}
