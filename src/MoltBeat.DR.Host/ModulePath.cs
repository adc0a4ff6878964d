namespace MoltBeat.DR.Host;

/// <summary>Lets <c>Import-Module MoltBeat.DR</c>, and loading on first use, find the module that stands beside this host.</summary>
internal static class ModulePath
{
    private const string Variable = "PSModulePath";

    public static void AddOwn()
    {
        var parent = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, ".."));

        // Installed elsewhere (say /usr/local/lib/molt) the parent is full of folders that are no modules: leave it out.
        if (!File.Exists(Path.Combine(parent, "MoltBeat.DR", "MoltBeat.DR.psd1")))
        {
            return;
        }

        var inherited = Environment.GetEnvironmentVariable(Variable);
        Environment.SetEnvironmentVariable(
            Variable, string.IsNullOrEmpty(inherited) ? parent : parent + Path.PathSeparator + inherited);
    }
}
