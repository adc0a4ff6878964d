using System.Security.Cryptography;
using System.Text;

namespace MoltBeat.DR.Engine.Plan;

/// <summary>Where what has to be remembered between two runs on this machine lies.</summary>
public static class StateFolder
{
    /// <summary>The variable that names the folder, before any default.</summary>
    public const string Variable = "MOLTBEAT_STATE";

    /// <summary>The folder; it need not be there yet.</summary>
    /// <param name="currentFolder">What a relative path in the variable is relative to.</param>
    public static string Path(string currentFolder) => Path(PlanSurroundings.OfThisProcess(currentFolder), Environment.IsPrivilegedProcess);

    /// <summary>The file by which jobs of one plan keep out of each other's way: of another plan it is another file.</summary>
    public static string JobLock(string currentFolder, PlanInForce plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(plan.Source)))[..16];
        return System.IO.Path.Combine(Path(currentFolder), "jobs", name + ".lock");
    }

    internal static string Path(PlanSurroundings around, bool isAdministrator)
        => around.Set(Variable) is { } named ? System.IO.Path.GetFullPath(named, around.CurrentFolder)
            : OperatingSystem.IsWindows() ? System.IO.Path.Combine(isAdministrator ? around.SystemFolder : Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "moltbeat", "state")
            : isAdministrator ? "/var/lib/moltbeat"
            : System.IO.Path.Combine(around.Set("XDG_STATE_HOME") is { } state && System.IO.Path.IsPathFullyQualified(state) ? state : System.IO.Path.Combine(around.Home, ".local", "state"), "moltbeat-dr");
}
