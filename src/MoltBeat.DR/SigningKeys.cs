using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>The key that signs: the one that is named, else the plan's, each with its own passphrase.</summary>
internal static class SigningKeys
{
    /// <param name="cmdlet">Who asks; on its pipeline thread.</param>
    /// <param name="named">Its -SigningKey, by its full path when it is a file.</param>
    /// <param name="passphrase">Its -SigningPassphrase.</param>
    /// <param name="planned">The plan's.</param>
    /// <returns>The key, null for none, and its passphrase, empty for none.</returns>
    /// <exception cref="MoltException"><c>SecretUnavailable</c>.</exception>
    public static (string? Key, string Passphrase) Of(PSCmdlet cmdlet, string? named, Passphrase? passphrase, PlannedSigning? planned)
    {
        planned = named is null ? planned : null;
        var secrets = SessionPlan.Secrets(cmdlet);
        return (named ?? planned?.Key, passphrase?.Reveal(secrets) ?? (planned?.Passphrase is { } reference ? secrets.Resolve(reference) : ""));
    }
}
