using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace MoltBeat.DR.Tests;

/// <summary>Where the build has put what is tested.</summary>
internal static class Staged
{
    public static string RepositoryFolder { get; } = Metadata("RepositoryRoot");

    public static string OutputFolder { get; } = Metadata("OutputRoot");

    public static string ModuleFolder { get; } = Path.Combine(OutputFolder, "MoltBeat.DR");

    public static string Manifest { get; } = Path.Combine(ModuleFolder, "MoltBeat.DR.psd1");

    public static string Molt { get; } = Path.Combine(OutputFolder, "molt", OperatingSystem.IsWindows() ? "molt.exe" : "molt");

    public static string TestCommands { get; } = Metadata("TestCommands");

    /// <summary>Assemblies of other versions than ours, as another module would bring them.</summary>
    public static string ForeignFolder { get; } = Path.Combine(AppContext.BaseDirectory, "foreign");

    /// <summary>
    /// Before the first test. All of them run as a German in Newfoundland would run them: decimal commas, and a zone that is
    /// half an hour off the others. What holds there holds where there is nothing to get wrong.
    /// </summary>
    [ModuleInitializer]
    internal static void SetUp()
    {
        // The engine of PowerShell reads it when its first type is touched.
        Environment.SetEnvironmentVariable("POWERSHELL_TELEMETRY_OPTOUT", "1");
        Environment.SetEnvironmentVariable("TZ", "America/St_Johns");
        TimeZoneInfo.ClearCachedData();

        // Neither these tests nor the processes that they start write into the machine's own log.
        var folder = Directory.CreateTempSubdirectory("molt-tests-").FullName;
        Environment.SetEnvironmentVariable("MOLTBEAT_AUDIT", Path.Combine(folder, "audit"));
        Environment.SetEnvironmentVariable("MOLTBEAT_STATE", Path.Combine(folder, "state"));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = new CultureInfo("de-DE");
    }

    private static string Metadata(string key) =>
        typeof(Staged).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;
}
