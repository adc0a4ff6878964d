using System.Globalization;
using System.Management.Automation;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Recovery.Rows;

namespace MoltBeat.DR;

/// <summary>Puts rows that were deleted back into the living database, with what they need, and writes a file that takes them out again.</summary>
[Cmdlet(VerbsData.Restore, "MoltRow", SupportsShouldProcess = true, ConfirmImpact = ConfirmImpact.High, DefaultParameterSetName = FromBackup)]
[OutputType(typeof(RestoredRows))]
public sealed class RestoreMoltRowCommand : RowCommand
{
    /// <summary>The table: name or schema.name, as PostgreSQL keeps it.</summary>
    [Parameter(Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string Table { get; set; } = "";

    /// <summary>A condition in SQL, as behind WHERE, on the table's rows as the backup has them; true for all.</summary>
    [Parameter(Mandatory = true)]
    [ValidateNotNullOrEmpty]
    public string Where { get; set; } = "";

    /// <summary>The missing rows that referred to a missing one come back too, all the way down; and references that the deletion has set to null.</summary>
    [Parameter]
    public SwitchParameter IncludeDependents { get; set; }

    /// <summary>Rows that are there with other values are put back to what they were.</summary>
    [Parameter]
    public SwitchParameter IncludeChanged { get; set; }

    /// <summary>When a living row holds a value that must be unique: Fail restores nothing, Skip leaves the row out, Update puts it over the living one.</summary>
    [Parameter]
    public ConflictRule OnConflict { get; set; } = ConflictRule.Fail;

    /// <summary>Keep triggers from firing. The role must own the tables, and nobody else can write to them meanwhile.</summary>
    [Parameter]
    public SwitchParameter SkipTriggers { get; set; }

    /// <summary>Take rows as triggers leave them. Otherwise a row that a trigger changes is an error, and nothing is restored.</summary>
    [Parameter]
    public SwitchParameter AllowTriggerChanges { get; set; }

    /// <summary>The file that takes the rows out again, or the folder for it. Without it a new file in the present folder.</summary>
    [Parameter]
    public string? UndoPath { get; set; }

    /// <summary>How long to wait for a lock; a bare number is seconds.</summary>
    [Parameter]
    [Seconds]
    public TimeSpan LockTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Together with -Confirm:$false: restore into a production database without its name being typed.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override AuditAction? Audits => new("RestoreRows", IsGuarded: true);

    protected override void EndProcessing() => Audited(Restore);

    private void Restore(AuditSubject subject)
    {
        if (!TryGetAccess(out var access) || !TryGetNewest(access, subject, out var backup, out var copies) || !TryConnect(backup.Database, out var connection))
        {
            return;
        }

        (subject.Target, subject.Server) = (connection.Database, connection.Describe());
        if (!IsWhatIf && IsProduction(connection) && !ConfirmByName(connection.Database, $"This restores rows into {connection.Database}, which the plan calls a production database.", Force))
        {
            return;
        }

        var options = new RowRestoreOptions
        {
            Connection = connection,
            Table = Table,
            Where = Where,
            IncludeDependents = IncludeDependents,
            IncludeChanged = IncludeChanged,
            OnConflict = OnConflict,
            SkipTriggers = SkipTriggers,
            AllowTriggerChanges = AllowTriggerChanges,
            UndoFile = Undo(),
            LockTimeout = LockTimeout,
            Access = access,
            Backup = backup,
        };
        Task<bool> ApproveAsync(RowRestorePlan plan, IOperationObserver observer, CancellationToken token) => ConfirmAsync(observer,
            $"{plan.Database} ({plan.Server})", $"Restore rows from {backup.Name}, state of {Time(backup)}: {plan}", null, token);
        if (RunOn(copies.Select(c => c.Store).ToList(), (stores, observer, token) => RowRestoreOperation.RunAsync(stores.Zip(copies, (s, c) => (s, c.Name)).ToList(), options, plan => ApproveAsync(plan, observer, token), observer, token), out var result, Table))
        {
            subject.IsDone = result.Any(t => t.IsDone);
            subject.Detail = string.Join("; ", result);
            if (result.Count > 0 && result.All(t => t.Inserted + t.Updated == 0))
            {
                WriteWarning($"There is nothing to restore: of the rows that {backup.Name} has, none is missing{(IncludeChanged ? " or changed" : "")}.");
            }

            WriteObject(result, enumerateCollection: true);
        }
    }

    private string Undo()
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{DumpCatalog.UndoPrefix}{new string([.. Table.Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' ? c : '_')])}_{DateTime.UtcNow:yyyyMMdd_HHmmss_fff}.sql");
        var path = UndoPath is null ? System.IO.Path.Combine(SessionState.Path.CurrentFileSystemLocation.ProviderPath, name) : GetUnresolvedProviderPathFromPSPath(UndoPath);
        return Directory.Exists(path) ? System.IO.Path.Combine(path, name) : path;
    }
}
