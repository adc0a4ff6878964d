using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Recovery.Checks;
using MoltBeat.DR.Engine.Recovery.Replacement;

namespace MoltBeat.DR;

/// <summary>Brings back the database that Restore-MoltBackup -Replace has put away.</summary>
[Cmdlet(VerbsCommon.Undo, "MoltRestore", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(UndoResult))]
public sealed class UndoMoltRestoreCommand : StoreCommand
{
    /// <summary>The database that was replaced, as a connection string. Without it the plan's only one, DATABASE_URL, then libpq's variables.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("ConnectionString")]
    [ValidateNotNullOrEmpty]
    public string? DatabaseUrl { get; set; }

    /// <summary>Role and password, over what the connection string says.</summary>
    [Parameter]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>The name that the database to bring back has now. Without it the one that was replaced last.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Previous { get; set; }

    /// <summary>Together with -Confirm:$false: undo on a production database without its name being typed.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override AuditAction? Audits => new("Undo", IsGuarded: true);

    protected override void ProcessRecord() => Audited(Undo);

    private void Undo(AuditSubject subject)
    {
        if (!TryParse(() => UrlOf(DatabaseUrl, planned => planned.Count == 1 ? planned[0] : null), Credential, out var connection))
        {
            return;
        }

        (subject.Database, subject.Server) = (connection.Database, connection.Describe());
        if (!IsWhatIf && IsProduction(connection.Database) && !ConfirmByName(connection.Database, $"This gives {connection.Database}, which the plan calls a production database, back what it was before its restore, and ends all sessions in it.", Force))
        {
            return;
        }

        async Task<bool> ApproveAsync(UndoPlan plan, IOperationObserver observer, CancellationToken token)
        {
            foreach (var check in plan.Checks.Where(c => c.Status == ReadinessStatus.Warning))
            {
                observer.Warning($"{check.Name}: {check.Message}.{(check.Remedy is null ? "" : " " + check.Remedy)}");
            }

            return await ConfirmAsync(observer, $"database {plan.Database} ({plan.Server})", $"Undo: {plan}", null, token).ConfigureAwait(false);
        }

        if (Run((observer, token) => UndoOperation.RunAsync(new UndoOptions { Connection = connection, Previous = Previous }, plan => ApproveAsync(plan, observer, token), observer, token), out var result, connection.Database) && result is not null)
        {
            subject.IsDone = true;
            subject.Detail = $"{result.BroughtBack} is {result.Database} again{(result.Replaced is { } replaced ? $", the other is kept as {replaced.KeptAs}" : "")}";
            WriteObject(result);
        }
    }
}
