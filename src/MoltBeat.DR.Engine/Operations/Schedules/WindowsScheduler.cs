using System.Globalization;
using System.Text;
using System.Xml.Linq;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>The Task Scheduler of Windows: a task for each job in a folder of its own, as XML through <c>schtasks</c>. A job that was due while the machine was off is made up for.</summary>
/// <param name="schtasks">Its full path.</param>
/// <param name="user">Whom the jobs run as.</param>
internal sealed class WindowsScheduler(string schtasks, string user) : IScheduler
{
    private const string Folder = @"\MoltBeat.DR\";
    private const string Mark = "Made by Register-MoltSchedule, which overwrites changes; Unregister-MoltSchedule removes it.";
    private const int MostTriggers = 48;
    private const int LongestTask = 1 << 20;
    private static readonly string[] s_kinds = ["Daily", "Weekly", "Monthly"];
    private static readonly XNamespace s_space = "http://schemas.microsoft.com/windows/2004/02/mit/task";

    public string Name => "TaskScheduler";

    public IReadOnlyList<ScheduleFile> Compose(IReadOnlyList<ScheduleEntry> entries) => [.. entries.Select(e => new ScheduleFile(Folder + e.Kind, Xml(e)))];

    public async Task<IReadOnlyList<ScheduleFile>> InstalledAsync(CancellationToken cancellationToken)
    {
        var found = new List<ScheduleFile>();
        foreach (var name in s_kinds.Select(k => Folder + k))
        {
            try
            {
                // Windows writes a task its own way: only that it is ours is read, and a task is always written anew.
                var text = await ChildProgram.CaptureAsync(schtasks, ["/Query", "/TN", name, "/XML", "ONE"], new Dictionary<string, string>(), null, LongestTask, cancellationToken).ConfigureAwait(false);
                found.Add(text.Contains(Mark, StringComparison.Ordinal) ? new ScheduleFile(name, text)
                    : throw new MoltException("ScheduleNotOurs", ErrorKind.AlreadyExists, $"The task {name} was not made by Register-MoltSchedule.", "Remove it if it is not wanted any more.", name));
            }
            catch (MoltException e) when (e.Id == "ChildProgramFailed")
            {
                // There is none of this name.
            }
        }

        return found;
    }

    public async Task ApplyAsync(IReadOnlyList<ScheduleFile> write, IReadOnlyList<ScheduleFile> remove, CancellationToken cancellationToken)
    {
        foreach (var task in write)
        {
            var file = Path.GetTempFileName();
            try
            {
                await File.WriteAllTextAsync(file, task.Content, Encoding.Unicode, cancellationToken).ConfigureAwait(false);
                await RunAsync(["/Create", "/TN", task.Path, "/XML", file, "/F"], cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                File.Delete(file);
            }
        }

        foreach (var task in remove)
        {
            await RunAsync(["/Delete", "/TN", task.Path, "/F"], cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
        => _ = await ChildProgram.CaptureAsync(schtasks, arguments, new Dictionary<string, string>(), null, LongestTask, cancellationToken).ConfigureAwait(false);

    private string Xml(ScheduleEntry entry)
    {
        XElement E(string name, params object[] content) => new(s_space + name, content);
        var task = E("Task",
            new XAttribute("version", "1.3"),
            E("RegistrationInfo", E("Author", "MoltBeat.DR"), E("Description", $"{entry.Kind} job at {entry.At} UTC. {Mark}")),
            E("Triggers", [.. Triggers(entry)]),
            E("Principals", E("Principal", new XAttribute("id", "Author"), E("UserId", user), E("LogonType", "S4U"), E("RunLevel", "LeastPrivilege"))),
            E("Settings",
                E("MultipleInstancesPolicy", "IgnoreNew"), E("DisallowStartIfOnBatteries", "false"), E("StopIfGoingOnBatteries", "false"), E("StartWhenAvailable", "true"), E("ExecutionTimeLimit", "PT0S"), E("Enabled", "true")),
            E("Actions", new XAttribute("Context", "Author"), E("Exec", E("Command", entry.Command[0]), E("Arguments", string.Join(' ', entry.Command.Skip(1).Select(Quote))))));
        return "<?xml version=\"1.0\" encoding=\"UTF-16\"?>\n" + task + "\n";
    }

    private static List<object> Triggers(ScheduleEntry entry)
    {
        var at = entry.At;
        XElement E(string name, params object[] content) => new(s_space + name, content);
        var schedule = at.Days is not null || at.Months is not null
            ? E("ScheduleByMonth",
                E("DaysOfMonth", [.. (at.Days ?? throw TooMuch(entry)).Select(d => E("Day", d.ToString(CultureInfo.InvariantCulture)))]),
                E("Months", [.. (at.Months ?? [.. Enumerable.Range(1, 12)]).Select(m => E(CultureInfo.InvariantCulture.DateTimeFormat.MonthNames[m - 1]))]))
            : at.WeekDays is not null
                ? E("ScheduleByWeek", E("WeeksInterval", "1"), E("DaysOfWeek", [.. at.WeekDays.Select(d => E(((DayOfWeek)d).ToString()))]))
                : E("ScheduleByDay", E("DaysInterval", "1"));
        var times = (from hour in at.Hours ?? [.. Enumerable.Range(0, 24)] from minute in at.Minutes ?? [.. Enumerable.Range(0, 60)] select $"{hour:D2}:{minute:D2}").ToList();
        return times.Count > MostTriggers ? throw TooMuch(entry)
            : [.. times.Select(time => E("CalendarTrigger", E("StartBoundary", $"2026-01-01T{time}:00Z"), E("Enabled", "true"), new XElement(schedule)))];
    }

    private static MoltException TooMuch(ScheduleEntry entry)
        => new("ScheduleNotExpressible", ErrorKind.NotSupported, $"Windows has no such trigger as '{entry.At}' of the {entry.Kind} job.", "Use days of the month, or days of the week, and at most 48 times a day.", entry.Kind);

    private static string Quote(string argument)
        => argument.Length > 0 && argument.AsSpan().IndexOfAny(" \t\"") < 0 ? argument : "\"" + argument.Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
}
