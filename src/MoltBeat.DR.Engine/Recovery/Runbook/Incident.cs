using System.Globalization;
using System.Text;
using System.Text.Json;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Recovery.Runbook;

/// <summary>A recovery's folder: <c>incident.json</c>, from which it can be taken up again, and <c>incident.md</c> for people. Safe for several threads.</summary>
internal sealed class Incident : IDisposable
{
    private const string FileName = "incident.json";
    private const int MostEvents = 5000;

    private readonly Lock gate = new();
    private readonly FileStream held;
    private readonly IOperationObserver observer;
    private readonly TimeProvider clock;
    private bool hasWarned;

    private Incident(string folder, IncidentRecord record, FileStream held, IOperationObserver observer, TimeProvider clock)
    {
        Folder = folder;
        Record = record;
        this.held = held;
        this.observer = observer;
        this.clock = clock;
    }

    public string Folder { get; }

    public IncidentRecord Record { get; private set; }

    /// <summary>Begins one, or takes one up again.</summary>
    /// <param name="root">The folder of all incidents.</param>
    /// <param name="make">A new record.</param>
    /// <param name="resume">Take up the newest that has not come to its end.</param>
    /// <param name="observer">Is told when it cannot be written any more.</param>
    /// <param name="clock">Tells the time.</param>
    /// <exception cref="MoltException"><c>RecoveryNotRecorded</c>, <c>RecoveryBusy</c>, <c>RecoveryNothingToResume</c>, <c>RecoveryChanged</c>.</exception>
    public static Incident Open(string root, IncidentRecord make, bool resume, IOperationObserver observer, TimeProvider clock)
    {
        try
        {
            PrivateFiles.MakeFolder(root);
            var held = PrivateFiles.TryLock(Path.Combine(root, LockName(make.Database)))
                ?? throw new MoltException("RecoveryBusy", ErrorKind.Busy, $"Another recovery of {make.Database} is running on this machine.", "Wait for it, or stop it first.", make.Database);
            try
            {
                (string Folder, IncidentRecord Record)? open = Unfinished(root, make) is { Count: > 0 } all ? all[^1] : null;
                if (!resume)
                {
                    if (open is not null)
                    {
                        observer.Warning($"An earlier recovery of {make.Database} has not come to its end: {open.Value.Folder}. This one begins anew.");
                    }

                    var folder = Path.Combine(root, make.Id);
                    PrivateFiles.MakeFolder(folder);
                    var begun = new Incident(folder, make, held, observer, clock);
                    begun.Write();
                    return begun;
                }

                if (open is not { } found)
                {
                    throw new MoltException("RecoveryNothingToResume", ErrorKind.NotFound, $"There is no recovery of {make.Database} ({make.Scenario}) in {root} that could be taken up again.", "Begin one without -Resume, or name the folder of incidents with -IncidentPath.", root);
                }

                return found.Record.Server == make.Server
                    ? new Incident(found.Folder, found.Record, held, observer, clock)
                    : throw new MoltException("RecoveryChanged", ErrorKind.InvalidArgument, $"The recovery in {found.Folder} is of {found.Record.Server}, and this would be {make.Server}.", "Give the same -DatabaseUrl, or begin anew without -Resume.", found.Folder);
            }
            catch
            {
                held.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new MoltException("RecoveryNotRecorded", ErrorKind.PermissionDenied, $"Nothing was done, because it could not be written down in {root}: {e.Message}", "Make room, or name a folder that this user may write to: -IncidentPath, or the variable MOLTBEAT_INCIDENTS.", root, e);
        }
    }

    /// <summary>Writes something into the timeline.</summary>
    public void Note(string text) => Update(r => r with { Events = [.. r.Events.Take(MostEvents), new IncidentEvent(Seconds(clock.GetUtcNow()), Clean(text))] });

    /// <summary>Writes a step, and what happened with it.</summary>
    public void Checkpoint(RunbookStep step, Func<IncidentRecord, IncidentRecord>? also = null)
        => Update(r => (also?.Invoke(r) ?? r) with
        {
            Steps = [.. r.Steps.Where(s => s.Number != step.Number), step],
            Events = [.. r.Events.Take(MostEvents), new IncidentEvent(Seconds(clock.GetUtcNow()), $"Step {step.Number}, {step.Name}: {step.Status}. {Clean(step.Detail)}")],
        });

    public void Update(Func<IncidentRecord, IncidentRecord> change)
    {
        lock (gate)
        {
            Record = change(Record);
            try
            {
                Write();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The recovery matters more than its record: it was writable when it began.
                if (!hasWarned)
                {
                    hasWarned = true;
                    observer.Warning($"The incident's record in {Folder} cannot be written any more: {e.Message} The recovery goes on; should it break off, -Resume would begin with an earlier step.");
                }
            }
        }
    }

    public void Dispose() => held.Dispose();

    /// <summary>Those of the same scenario and database that have not come to their end, the oldest first. What cannot be read is passed over.</summary>
    private static List<(string Folder, IncidentRecord Record)> Unfinished(string root, IncidentRecord like)
    {
        var found = new List<(string Folder, IncidentRecord Record)>();
        foreach (var folder in Directory.EnumerateDirectories(root).Where(f => File.Exists(Path.Combine(f, FileName))))
        {
            try
            {
                if (JsonSerializer.Deserialize(File.ReadAllBytes(Path.Combine(folder, FileName)), IncidentJson.Default.IncidentRecord) is { Finished: null } record
                    && record.Database == like.Database && record.Scenario == like.Scenario)
                {
                    found.Add((folder, record));
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
            {
                // Another's, or spoilt: nothing to go on from.
            }
        }

        return [.. found.OrderBy(f => f.Record.Started)];
    }

    private void Write()
    {
        PrivateFiles.Write(Path.Combine(Folder, FileName), JsonSerializer.SerializeToUtf8Bytes(Record, IncidentJson.Default.IncidentRecord));
        PrivateFiles.Write(Path.Combine(Folder, "incident.md"), Encoding.UTF8.GetBytes(Markdown(Record)));
    }

    private static string Markdown(IncidentRecord record)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# Recovery of {record.Database}: {record.Scenario}\n\n");
        text.Append(CultureInfo.InvariantCulture, $"- server: {record.Server}\n- begun: {Time(record.Started)}\n- priority {record.Priority}, to be done by {Time(record.Due)} (RTO {record.RtoMinutes:0.#} min)\n");
        text.Append(record.Finished is { } end
            ? string.Create(CultureInfo.InvariantCulture, $"- done: {Time(end)}, after {(end - record.Started).TotalMinutes:0.0} min: {(end <= record.Due ? "within" : "later than")} the RTO\n")
            : "- not done yet\n");
        if (record.Backup is { } backup)
        {
            text.Append(CultureInfo.InvariantCulture, $"- backup: {backup.Name} of {backup.Store}, state of {Time(backup.StateOf)}: changes of after that are lost\n");
        }

        text.Append("\n## Steps\n\n| step | status | begun | took | what |\n| --- | --- | --- | --- | --- |\n");
        foreach (var step in record.Steps.OrderBy(s => s.Number))
        {
            text.Append(CultureInfo.InvariantCulture, $"| {step.Number}. {step.Name} | {step.Status} | {(step.Started is { } begun ? Time(begun) : "")} | {step.Duration?.TotalSeconds:0.0} s | {step.Detail.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ")} |\n");
        }

        text.Append("\n## Timeline\n\n");
        foreach (var happened in record.Events)
        {
            text.Append(CultureInfo.InvariantCulture, $"- {Time(happened.Time)} {happened.Text.ReplaceLineEndings(" ")}\n");
        }

        return text.ToString();
    }

    private static string Clean(string text) => PlanText.SecretIn("", text) is { } secret ? $"(left out: it seems to hold {secret})" : text;

    private static DateTimeOffset Seconds(DateTimeOffset time) => time.AddTicks(-(time.Ticks % TimeSpan.TicksPerSecond));

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static string LockName(string database)
        => $"recovery-{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(database)).AsSpan(0, 8))}.lock";
}
