using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR;

/// <summary>The plan as a session sees it: paths relative to its location, secrets out of its vaults.</summary>
internal static class SessionPlan
{
    /// <summary>Finds plans for this session.</summary>
    public static PlanLocator Locator(PSCmdlet cmdlet) => new(cmdlet.SessionState.Path.CurrentFileSystemLocation.ProviderPath);

    /// <summary>A cmdlet's -PlanPath as an absolute path; null when none was given.</summary>
    public static string? Resolve(PSCmdlet cmdlet, string? planPath) => string.IsNullOrEmpty(planPath) ? null : cmdlet.GetUnresolvedProviderPathFromPSPath(planPath);

    /// <summary>The plan that counts; what its owner should know is written as warnings.</summary>
    /// <param name="cmdlet">Who asks.</param>
    /// <param name="planPath">Its -PlanPath.</param>
    /// <exception cref="MoltException">As of <see cref="PlanLocator.Locate"/>.</exception>
    public static PlanInForce Locate(PSCmdlet cmdlet, string? planPath = null)
    {
        var plan = Locator(cmdlet).Locate(Resolve(cmdlet, planPath));
        foreach (var warning in plan.Warnings)
        {
            cmdlet.WriteWarning(warning);
        }

        return plan;
    }

    /// <summary>Fetches secrets; to be used on the pipeline thread only, as a vault is asked by a command.</summary>
    public static SecretResolver Secrets(PSCmdlet cmdlet) => new(Vault(cmdlet), cmdlet.WriteWarning);

    /// <summary>Asks SecretManagement's Get-Secret; null where there is no such command.</summary>
    public static Func<string, string?>? Vault(PSCmdlet cmdlet) =>
        cmdlet.InvokeCommand.GetCommand("Get-Secret", CommandTypes.Cmdlet | CommandTypes.Function) is null ? null : name => Ask(cmdlet, name);

    /// <summary>Throws when a connection string is none; for <see cref="PlanTest"/>.</summary>
    public static void CheckUrl(string url) => _ = ConnectionSettings.Parse(url);

    private static string? Ask(PSCmdlet cmdlet, string name)
    {
        try
        {
            Collection<PSObject> found = cmdlet.InvokeCommand.InvokeScript(
                "param($Name) Get-Secret -Name $Name -AsPlainText -ErrorAction Stop", true, PipelineResultTypes.None, null, name);
            return found is [{ BaseObject: string secret }] ? secret : null;
        }
        catch (PipelineStoppedException)
        {
            throw;
        }
        catch (RuntimeException)
        {
            // What a vault says is not repeated: nobody knows what it quotes. The error tells how to ask it oneself.
            return null;
        }
    }
}
