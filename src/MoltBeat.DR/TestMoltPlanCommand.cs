using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Application.Redis;
using MoltBeat.DR.Engine.Encryption;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>Examines a plan, and says of each thing found what to do. Touches no server and no store.</summary>
[Cmdlet(VerbsDiagnostic.Test, "MoltPlan")]
[OutputType(typeof(PlanTestResult))]
public sealed class TestMoltPlanCommand : MoltCommand
{
    /// <summary>The plan's file. Without it MOLTBEAT_PLAN, then the machine's plan, then the user's, then the variables.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("Path", "FullName")]
    public string? PlanPath { get; set; }

    /// <summary>Asks SecretManagement for the plan's secret: references, too; its vault may be on the network.</summary>
    [Parameter]
    public SwitchParameter Online { get; set; }

    protected override void ProcessRecord()
    {
        PlanTestResult result;
        try
        {
            result = PlanTest.Run(SessionPlan.Locator(this), SessionPlan.Resolve(this, PlanPath), SessionPlan.Vault(this), Online, SessionPlan.CheckUrl,
                plan => CheckKeys(plan), checkFile: file => _ = EnvironmentFiles.Find([file]), checkFolder: FolderCapture.Check, checkRedisUrl: url => _ = RedisUrl.Parse(url));
        }
        catch (MoltException e)
        {
            WriteFailure(e, PlanPath);
            return;
        }

        WriteObject(result);
        if (!result.Passed)
        {
            WriteFailure(new MoltException("PlanCheckFailed", ErrorKind.InvalidData,
                $"The plan {result.Source} did not pass: {string.Join("; ", result.Failed.Select(c => $"{c.Name}: {c.Detail}"))}.",
                "Each check of the result says what to do.", result.Source));
        }
    }

    /// <summary>Throws when backups cannot be encrypted, believed or signed with the plan's keys. A signing key is only looked at, not used.</summary>
    private void CheckKeys(BackupPlan plan)
    {
        async Task<bool> Look(CancellationToken token)
        {
            using var seal = await ArchiveKeys.SealAsync(plan.Recipients, token).ConfigureAwait(false);
            await ArchiveKeys.VerifierAsync(plan.TrustedSigners, token).ConfigureAwait(false);
            if (plan.Signing is { } signing && PlanKeys.IsFile(signing.Key) && !File.Exists(signing.Key))
            {
                throw new MoltException("KeyFileMissing", ErrorKind.NotFound, $"There is no signing key {signing.Key}.", "Export the private key there: gpg --export-secret-keys.", signing.Key);
            }

            return true;
        }

        Wait(Look);
    }
}
