using System.Management.Automation;

namespace MoltBeat.DR;

/// <summary>A cmdlet that reads the audit log. Reading it is not written down in it.</summary>
public abstract class AuditCommand : MoltCommand
{
    /// <summary>The log's folder, or one of its files. Without it the variable MOLTBEAT_AUDIT, then the plan's, then the machine's or the user's own.</summary>
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("FullName")]
    public string? Path { get; set; }

    /// <summary>The plan's file. Without it MOLTBEAT_PLAN, then the machine's plan, then the user's, then the variables.</summary>
    [Parameter]
    public string? PlanPath { get; set; }

    protected sealed override string? PlanFile => PlanPath;

    /// <summary>Absolute.</summary>
    private protected string LogPath => string.IsNullOrEmpty(Path) ? Settings.Folder : GetUnresolvedProviderPathFromPSPath(Path);
}
