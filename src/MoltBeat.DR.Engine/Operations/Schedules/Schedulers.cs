namespace MoltBeat.DR.Engine.Operations.Schedules;

/// <summary>Which schedulers a machine has.</summary>
public static class Schedulers
{
    private const string CronFolder = "/etc/cron.d";
    private const string UnitFolder = "/etc/systemd/system";

    /// <summary>Their names, the best one for this machine first.</summary>
    public static IReadOnlyList<string> Here()
    {
        if (OperatingSystem.IsWindows())
        {
            return ["TaskScheduler"];
        }

        var found = new List<string>();
        if (Directory.Exists("/run/systemd/system") && Program("systemctl") is not null)
        {
            found.Add("Systemd");
        }

        if (Environment.IsPrivilegedProcess && Directory.Exists(CronFolder))
        {
            found.Add("Cron");
        }

        if (Program("crontab") is not null)
        {
            found.Add("Crontab");
        }

        return found;
    }

    /// <param name="name">One of <see cref="Here"/>; null for the first.</param>
    /// <param name="user">Whom jobs run as; null for the present one.</param>
    /// <exception cref="MoltException"><c>SchedulerMissing</c>, <c>ScheduleUserNotAllowed</c>.</exception>
    public static IScheduler Open(string? name, string? user)
    {
        var here = Here();
        var chosen = name ?? here.FirstOrDefault() ?? throw Missing("no scheduler that is known");
        if (!here.Contains(chosen, StringComparer.Ordinal))
        {
            throw Missing($"no {chosen}, or not for this user; it has {(here.Count == 0 ? "none" : string.Join(", ", here))}");
        }

        var isRoot = Environment.IsPrivilegedProcess;
        if (user is not null && user != Environment.UserName && (!isRoot || chosen is "Crontab" or "TaskScheduler"))
        {
            throw new MoltException("ScheduleUserNotAllowed", ErrorKind.InvalidArgument, $"{chosen} cannot be told by {Environment.UserName} to run jobs as {user}.", "Register it as that user; or as root with Cron or Systemd.", user);
        }

        return chosen switch
        {
            "Systemd" when isRoot => new SystemdScheduler(UnitFolder, [Program("systemctl")!], user ?? Environment.UserName),
            "Systemd" => new SystemdScheduler(Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config", "systemd", "user"), [Program("systemctl")!, "--user"], null),
            "Cron" => new CronFileScheduler(CronFolder, user ?? Environment.UserName, TimeZoneInfo.Local),
            "Crontab" => new CrontabScheduler(Program("crontab")!, TimeZoneInfo.Local),
            _ => new WindowsScheduler(Path.Combine(Environment.SystemDirectory, "schtasks.exe"), $@"{Environment.UserDomainName}\{Environment.UserName}"),
        };
    }

    private static string? Program(string name)
        => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Concat(["/usr/bin", "/bin"]).Where(Path.IsPathFullyQualified).Select(f => Path.Combine(f, name)).FirstOrDefault(File.Exists);

    private static MoltException Missing(string what)
        => new("SchedulerMissing", ErrorKind.NotInstalled, $"This machine has {what}.", "Install cron, or use what it has; samples/ has jobs for schedulers elsewhere.");
}
