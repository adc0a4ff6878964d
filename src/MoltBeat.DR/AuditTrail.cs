using System.Diagnostics;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Audit;

namespace MoltBeat.DR;

/// <summary>One operation on its way into the audit log.</summary>
internal sealed class AuditScope
{
    private readonly Stopwatch clock = Stopwatch.StartNew();

    public AuditSubject Subject { get; } = new();

    public DateTimeOffset Started { get; } = DateTimeOffset.UtcNow;

    public TimeSpan Duration => clock.Elapsed;

    /// <summary>The first thing that went wrong.</summary>
    public Exception? Failure { get; set; }

    public bool IsDeclined { get; set; }

    /// <summary>-WhatIf: not an operation.</summary>
    public bool IsPreview { get; set; }

    public (AuditResult Result, string? ErrorId) Outcome(Exception? ended)
    {
        var id = Failure is null ? null : AuditTrail.IdOf(Failure);
        return Subject.IsDone ? (AuditResult.Succeeded, id)
            : Failure is not null ? (AuditTrail.IsRefusal(Failure) ? AuditResult.Refused : AuditResult.Failed, id)
            : IsDeclined ? (AuditResult.Refused, AuditTrail.DeclinedId)
            : ended is null ? (AuditResult.Succeeded, null)
            // Ctrl+C, or a command behind it in the pipeline that wanted no more: PowerShell's own exceptions.
            : ended.GetType().Namespace?.StartsWith("System.Management.Automation", StringComparison.Ordinal) == true ? (AuditResult.Stopped, null)
            : (AuditResult.Failed, ErrorRecords.UnexpectedId);
    }
}

/// <summary>Writes a cmdlet's lines into the audit log, and sends the copies that the plan asks for.</summary>
internal sealed class AuditTrail(Cmdlet cmdlet, AuditSettings settings, string name, string correlation, string version)
{
    public const string DeclinedId = "Declined";

    /// <summary>Errors of safeguards: nothing was done, and that was right.</summary>
    private static readonly HashSet<string> s_safeguards = new(StringComparer.Ordinal)
    {
        "AuditNotWritable", "CannotAsk", "NotConfirmed", "BackupPinned", "BackupInUse", "BackupLocked", "LastGoodBackup", "RetentionWouldRemoveAll", "TargetNotEmpty", "PlanExists", "RecoveryBusy", "RecoveryNotRecorded",
    };

    private static readonly Lock s_gate = new();
    private static (Guid Runspace, long History, string? Script, int Line, int Length, int Position, string Id) s_last;

    private readonly AuditLog log = new(settings);
    private bool isWritable;
    private bool hasWarned;

    public bool IsRequired => settings.Required;

    public static string IdOf(Exception failure) => failure is MoltException known ? known.Id : ErrorRecords.UnexpectedId;

    public static bool IsRefusal(Exception failure) => failure is MoltException known && (known.Kind == ErrorKind.InvalidArgument || s_safeguards.Contains(known.Id));

    /// <summary>One id for all commands of one pipeline: they begin one after the other, from left to right, on one thread.</summary>
    public static string Correlate(InvocationInfo invocation)
    {
        var runspace = Runspace.DefaultRunspace?.InstanceId ?? Guid.Empty;
        lock (s_gate)
        {
            var isSame = s_last.Id is not null && s_last.Runspace == runspace && s_last.History == invocation.HistoryId && s_last.Script == invocation.ScriptName
                && s_last.Line == invocation.ScriptLineNumber && s_last.Length == invocation.PipelineLength && s_last.Position < invocation.PipelinePosition;
            s_last = (runspace, invocation.HistoryId, invocation.ScriptName, invocation.ScriptLineNumber, invocation.PipelineLength, invocation.PipelinePosition,
                isSame ? s_last.Id! : Guid.NewGuid().ToString("N"));
            return s_last.Id!;
        }
    }

    /// <summary>Finds out, once, whether the log can be written.</summary>
    /// <exception cref="MoltException"><c>AuditNotWritable</c>.</exception>
    public void Prepare()
    {
        if (!isWritable && log.Prepare() is { } warning)
        {
            cmdlet.WriteWarning(warning);
        }

        isWritable = true;
    }

    /// <summary>Writes an operation's line.</summary>
    /// <param name="action">What it was.</param>
    /// <param name="scope">The operation.</param>
    /// <param name="ended">The exception that ended it; null when none did.</param>
    /// <param name="isStopping">Nothing may be written to the pipeline any more.</param>
    /// <exception cref="MoltException"><c>AuditNotWritable</c>.</exception>
    public void Write(AuditAction action, AuditScope scope, Exception? ended, bool isStopping)
    {
        var (result, id) = scope.Outcome(ended);
        var subject = scope.Subject;
        AuditRecord written;
        try
        {
            written = log.Append(new AuditRecord
            {
                Time = scope.Started,
                Cmdlet = name,
                Action = action.Name,
                Result = result,
                ErrorId = id,
                Database = subject.Database,
                Backup = subject.Backup,
                BackupId = subject.BackupId,
                Target = subject.Target,
                Server = subject.Server,
                Detail = subject.Detail,
                Stores = subject.Stores,
                Duration = scope.Duration,
                Correlation = correlation,
                Version = version,
            });
        }
        catch (MoltException)
        {
            isWritable = false;
            throw;
        }

        var trouble = Copy(written, isStopping);
        if (!isStopping)
        {
            trouble.ForEach(Warn);
            cmdlet.WriteVerbose(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"Audit: {action.Name} {result}, line {written.Sequence}, correlation id {correlation}."));
        }
    }

    /// <summary>Copies never make an operation fail: the line is in the log, and the next operation takes along what a store has missed.</summary>
    private List<string> Copy(AuditRecord written, bool isStopping)
    {
        if (settings.Syslog is null && settings.Store is null)
        {
            return [];
        }

        return Task.Run(async () =>
        {
            var trouble = new List<string>();
            try
            {
                await AuditCopies.SendAsync(settings, written, toStore: !isStopping, trouble.Add, CancellationToken.None).ConfigureAwait(false);
            }
            catch (MoltException e)
            {
                trouble.Add(e.Message);
            }

            return trouble;
        }).GetAwaiter().GetResult();
    }

    private void Warn(string text)
    {
        if (!hasWarned)
        {
            hasWarned = true;
            cmdlet.WriteWarning(text);
        }
    }
}
