using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Recovery.Replacement;

namespace MoltBeat.DR;

/// <summary>Removes the databases that Restore-MoltBackup -Replace and Undo-MoltRestore have put away.</summary>
[Cmdlet(VerbsCommon.Remove, "MoltPreviousDatabase", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High)]
[OutputType(typeof(PreviousDatabase))]
public sealed class RemoveMoltPreviousDatabaseCommand : StoreCommand
{
    /// <summary>The database whose predecessors are meant, as a connection string. Without it the plan's only one, DATABASE_URL, then libpq's variables.</summary>
    [Parameter(Position = 0, ValueFromPipelineByPropertyName = true)]
    [Alias("ConnectionString")]
    [ValidateNotNullOrEmpty]
    public string? DatabaseUrl { get; set; }

    /// <summary>Role and password, over what the connection string says.</summary>
    [Parameter]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>Only this one. Without it all that -OlderThan allows.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <summary>Only those that were put away longer ago: seconds, or d.hh:mm:ss.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan? OlderThan { get; set; }

    protected override AuditAction? Audits => new("RemovePrevious", IsGuarded: true);

    protected override void ProcessRecord() => Audited(Remove);

    private void Remove(AuditSubject subject)
    {
        if (!TryParse(() => UrlOf(DatabaseUrl, planned => planned.Count == 1 ? planned[0] : null), Credential, out var connection))
        {
            return;
        }

        (subject.Database, subject.Server) = (connection.Database, connection.Describe());
        var failed = new List<MoltException>();
        Task<bool> ApproveAsync(PreviousDatabase previous, IOperationObserver observer, CancellationToken token) => ConfirmAsync(observer, $"database {previous.Name} ({previous.Server})",
            $"Remove for good what was {previous.Of} until {previous.Replaced.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss 'UTC'", System.Globalization.CultureInfo.InvariantCulture)}", null, token);
        if (!Run((observer, token) => PreviousRemoval.RunAsync(new PreviousRemovalOptions { Connection = connection, Name = Name, OlderThan = OlderThan },
            previous => ApproveAsync(previous, observer, token), failed.Add, token), out var removed, connection.Database))
        {
            return;
        }

        subject.IsDone = failed.Count == 0 && removed.Count > 0;
        subject.Detail = removed.Count > 0 ? string.Join(", ", removed.Select(r => r.Name)) : null;
        WriteObject(removed, enumerateCollection: true);
        failed.ForEach(e => WriteFailure(e));
    }
}
