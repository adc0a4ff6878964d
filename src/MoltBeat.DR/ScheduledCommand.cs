using MoltBeat.DR.Engine;

namespace MoltBeat.DR;

/// <summary>What a scheduler calls: this module in pwsh or in molt, whichever is there.</summary>
internal static class ScheduledCommand
{
    private const string DotnetRoot = "DOTNET_ROOT";

    /// <param name="kind">The job.</param>
    /// <param name="plan">Full path of the plan.</param>
    /// <param name="host">Full path of pwsh or molt; null to look for one: the one that runs now, pwsh in PATH, molt beside the module.</param>
    /// <exception cref="MoltException"><c>ScheduleHostMissing</c>.</exception>
    public static IReadOnlyList<string> Of(string kind, string plan, string? host)
    {
        var module = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(ScheduledCommand).Assembly.Location)!, "..", "MoltBeat.DR.psd1"));
        var program = host ?? Find(module) ?? throw new MoltException("ScheduleHostMissing", ErrorKind.NotInstalled, "Neither pwsh nor molt was found, and one of them has to run the jobs.", "Name it with -HostPath.");
        if (!File.Exists(program))
        {
            throw new MoltException("ScheduleHostMissing", ErrorKind.NotInstalled, $"There is no program {program}.", "Name the full path of pwsh or molt with -HostPath.", program);
        }

        var job = $"Invoke-MoltJob {kind} -PlanPath {Quote(plan)}";
        IReadOnlyList<string> command = Name(program) == "molt"
            ? [program, "-NonInteractive", "-Command", $"Import-Module {Quote(module)}; {job}"]
            : [program, "-NoProfile", "-NonInteractive", "-Command", $"Import-Module {Quote(module)} -ErrorAction Stop; {job}"];

        // A scheduler's environment is nearly empty: without this molt would not find the runtime that it runs on here.
        return Environment.GetEnvironmentVariable(DotnetRoot) is { Length: > 0 } root && Name(program) == "molt" && !OperatingSystem.IsWindows() ? ["/usr/bin/env", $"{DotnetRoot}={root}", .. command] : command;
    }

    private static string? Find(string module)
    {
        if (Environment.ProcessPath is { } here && Name(here) is "pwsh" or "molt")
        {
            return Environment.ProcessPath;
        }

        var ending = OperatingSystem.IsWindows() ? ".exe" : "";
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Where(Path.IsPathFullyQualified).Select(f => Path.Combine(f, "pwsh" + ending))
            .Append(Path.GetFullPath(Path.Combine(Path.GetDirectoryName(module)!, "..", "molt", "molt" + ending))).FirstOrDefault(File.Exists);
    }

    private static string Name(string program) => Path.GetFileNameWithoutExtension(program);

    private static string Quote(string text) => "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";
}
