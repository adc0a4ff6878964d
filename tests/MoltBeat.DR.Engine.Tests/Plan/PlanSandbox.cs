using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Tests.Plan;

/// <summary>A machine of the test's own: variables, a home folder and a folder of settings.</summary>
public sealed class PlanSandbox : IDisposable
{
    private readonly Dictionary<string, string> variables = new(StringComparer.Ordinal);

    public string Root { get; } = Directory.CreateTempSubdirectory("molt-plan-").FullName;

    public string SystemPlan => Path.Combine(Root, "etc", "moltbeat", "plan.json");

    public string UserPlan => Path.Combine(Root, "home", ".config", "moltbeat", "plan.json");

    public string? this[string variable]
    {
        set => variables[variable] = value!;
    }

    internal PlanLocator Locator => new(new PlanSurroundings(name => variables.GetValueOrDefault(name), Path.Combine(Root, "home"), Path.Combine(Root, "etc"), Path.Combine(Root, "here")));

    /// <summary>Writes a file, 0600 unless said otherwise, and gives back its path.</summary>
    public string Write(string path, string text, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        var full = Path.Combine(Root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
        SetMode(full, mode);
        return full;
    }

    /// <summary>Of a file or folder; nothing on Windows.</summary>
    public static void SetMode(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
