using System.Diagnostics.CodeAnalysis;
using System.Management.Automation;
using System.Management.Automation.Host;
using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Audit;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR;

/// <summary>
/// What all our cmdlets share: running the engine without blocking Ctrl+C, its messages and progress, its failures as error
/// records, questions that never hang, and the audit log.
/// </summary>
public abstract class MoltCommand : PSCmdlet, IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private AuditTrail? _trail;
    private AuditScope? _scope;
    private Exception? _recorded;
    private string _correlation = "";

    /// <summary>What the cmdlet does, for the audit log; null when that is not written down.</summary>
    protected virtual AuditAction? Audits => null;

    /// <summary>The plan's file, when a parameter names one.</summary>
    protected virtual string? PlanFile => null;

    private protected AuditSettings Settings => AuditSettings.Of(PlanOrNull(), SessionState.Path.CurrentFileSystemLocation.ProviderPath);

    private AuditTrail Trail => _trail ??= new AuditTrail(
        this, Settings, MyInvocation.MyCommand.Name, _correlation,
        (MyInvocation.MyCommand.Module?.Version ?? GetType().Assembly.GetName().Version)?.ToString() ?? "");

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _stop.Dispose();
        }
    }

    /// <summary>
    /// Only cancels, and not on this thread: what is registered on the token may take time. The pipeline thread waits for
    /// the engine to clean up.
    /// </summary>
    protected sealed override void StopProcessing() => _ = _stop.CancelAsync();

    protected override void BeginProcessing()
    {
        if (Audits is not null)
        {
            _correlation = AuditTrail.Correlate(MyInvocation);
        }
    }

    /// <summary>Runs one operation of which there is to be one line in the audit log, however it ends; with -WhatIf there is none.</summary>
    /// <param name="operation">Fills in what it works on as that becomes known. The first failure that it writes, or a question that is answered with no, makes the result.</param>
    protected void Audited(Action<AuditSubject> operation)
    {
        ArgumentNullException.ThrowIfNull(operation);
        if (Audits is not { } action)
        {
            operation(new AuditSubject());
            return;
        }

        var scope = new AuditScope { IsPreview = IsWhatIf };
        if (!scope.IsPreview && !MayGoOn(action))
        {
            return;
        }

        Exception? ended = null;
        _scope = scope;
        try
        {
            operation(scope.Subject);
        }
        catch (Exception e)
        {
            ended = e;
            if (e is MoltException)
            {
                scope.Failure ??= e;
                _recorded = e;
            }

            throw;
        }
        finally
        {
            _scope = null;
            Record(action, scope, ended);
        }
    }

    /// <summary>Runs an engine operation. Its failure becomes an error record.</summary>
    /// <param name="operation">Runs on the thread pool, so it must not touch the cmdlet.</param>
    /// <param name="result">What the operation returned.</param>
    /// <param name="target">What it works on, for failures that name nothing themselves.</param>
    /// <returns>False when it failed; the error has been written.</returns>
    protected bool Run<T>(
        Func<IOperationObserver, CancellationToken, Task<T>> operation, [MaybeNullWhen(false)] out T result, object? target = null)
    {
        var bridge = new PipelineBridge(this, _stop.Token);
        var task = bridge.Run(token => operation(bridge, token));
        if (task.IsCompletedSuccessfully)
        {
            result = task.Result;
            return true;
        }

        WriteFailure(task.Exception?.InnerException ?? new TaskCanceledException(task), target);
        result = default;
        return false;
    }

    /// <summary>Runs an engine operation for another that is under way on this thread: its failure is thrown.</summary>
    protected T Wait<T>(Func<CancellationToken, Task<T>> operation) => new PipelineBridge(this, _stop.Token).Run(operation).GetAwaiter().GetResult();

    /// <summary>Runs an engine operation that yields items one by one, each handled as it comes.</summary>
    /// <param name="operation">Runs on the thread pool, so it must not touch the cmdlet.</param>
    /// <param name="each">Runs on the pipeline thread; the operation waits for it before it yields the next.</param>
    /// <param name="target">What it works on, for failures that name nothing themselves.</param>
    /// <returns>False when it failed; the error has been written.</returns>
    protected bool RunEach<T>(
        Func<IOperationObserver, CancellationToken, IAsyncEnumerable<T>> operation, Action<T> each, object? target = null)
    {
        return Run(Enumerate, out _, target);

        async Task<bool> Enumerate(IOperationObserver observer, CancellationToken token)
        {
            await foreach (var item in operation(observer, token).ConfigureAwait(false))
            {
                await ((PipelineBridge)observer).InvokeAsync(() => each(item), token).ConfigureAwait(false);
            }

            return true;
        }
    }

    /// <summary>
    /// Writes a failure: as an error of this one item, so that the pipeline goes on with the next, or, when the cmdlet's own
    /// parameters are at fault and no item can fare better, as the end of the command.
    /// </summary>
    protected void WriteFailure(Exception exception, object? target = null)
    {
        ArgumentNullException.ThrowIfNull(exception);
        if (exception is MoltException { Kind: ErrorKind.InvalidArgument })
        {
            Remember(exception);
            ThrowTerminatingError(ErrorRecords.From(exception, target));
        }

        WriteItemFailure(exception, target);
    }

    /// <summary>Writes a failure of one item among several, of which all are to be told, whatever is at fault.</summary>
    protected void WriteItemFailure(Exception exception, object? target = null)
    {
        ArgumentNullException.ThrowIfNull(exception);
        Remember(exception);
        WriteError(ErrorRecords.From(exception, target));
    }

    /// <summary>
    /// <see cref="Cmdlet.ShouldProcess(string, string)"/>, with a question that cannot be put as an error that says the way on.
    /// </summary>
    protected bool Confirm(string target, string action) =>
        Ask(() =>
        {
            // As ShouldProcess(target, action) puts it; only this form says whether it was -WhatIf or somebody that said no.
            var yes = ShouldProcess($"Performing the operation \"{action}\" on target \"{target}\".", null, null, out var reason);
            if (!yes && _scope is { } scope)
            {
                (scope.IsPreview, scope.IsDeclined) = (scope.IsPreview || reason == ShouldProcessReason.WhatIf, reason != ShouldProcessReason.WhatIf);
            }

            return yes;
        }, target, "Pass -Confirm:$false to go on without being asked.");

    /// <summary>The same from within an operation that has made its plan, and does nothing before it is told to.</summary>
    /// <param name="observer">The operation's.</param>
    /// <param name="target">What it would work on.</param>
    /// <param name="action">What it would do.</param>
    /// <param name="declined">On the pipeline thread, when it may not: says more of the plan. May be null.</param>
    /// <param name="cancellationToken">The operation's.</param>
    protected async Task<bool> ConfirmAsync(IOperationObserver observer, string target, string action, Action? declined, CancellationToken cancellationToken)
    {
        var answer = false;
        await ((PipelineBridge)observer).InvokeAsync(() =>
        {
            answer = Confirm(target, action);
            if (!answer)
            {
                declined?.Invoke();
            }
        }, cancellationToken).ConfigureAwait(false);
        return answer;
    }

    /// <summary><see cref="Cmdlet.ShouldContinue(string, string)"/>, unless the user forced it, with the same care.</summary>
    /// <param name="force">The cmdlet's -Force.</param>
    /// <param name="query">The question.</param>
    /// <param name="caption">Its heading.</param>
    protected bool Confirm(bool force, string query, string caption) =>
        force || Ask(() => ShouldContinue(query, caption) || Declined(), caption, "Pass -Force to go on without being asked.");

    /// <summary>
    /// For what cannot be undone: wants a name typed, letter by letter, so that nobody says yes out of habit. -Force together
    /// with -Confirm:$false says it beforehand; one of them alone does not.
    /// </summary>
    /// <param name="name">What has to be typed.</param>
    /// <param name="action">What will happen, as a sentence.</param>
    /// <param name="force">The cmdlet's -Force.</param>
    /// <returns>False when something else was typed; the error has been written.</returns>
    protected bool ConfirmByName(string name, string action, bool force)
    {
        if (force && MyInvocation.BoundParameters.TryGetValue("Confirm", out var confirm) && confirm is SwitchParameter { IsPresent: false })
        {
            return true;
        }

        var typed = "";
        const string Field = "Name";
        Ask(() =>
        {
            var answers = Host.UI.Prompt("Confirm", $"{action} Type its name, {name}, to go on.", [new FieldDescription(Field)]);
            typed = answers is not null && answers.TryGetValue(Field, out var answer) ? answer?.BaseObject as string ?? "" : "";
            return true;
        }, name, "Pass -Force and -Confirm:$false to go on without being asked.");
        if (typed.Trim() == name)
        {
            return true;
        }

        // What was typed is not repeated: it may have been a password.
        WriteFailure(new MoltException("NotConfirmed", ErrorKind.PermissionDenied, $"{action} Its name was not typed, and nothing was done.", $"Type {name} when asked, or pass -Force and -Confirm:$false.", name));
        return false;
    }

    /// <summary>The operation under way was only looked at with -WhatIf, or its question was answered with no.</summary>
    protected bool IsDeclined => _scope is { } scope && (scope.IsDeclined || scope.IsPreview);

    protected bool IsWhatIf => MyInvocation.BoundParameters.TryGetValue("WhatIf", out var bound)
        ? bound is SwitchParameter { IsPresent: true }
        : LanguagePrimitives.IsTrue(GetVariableValue("WhatIfPreference"));

    /// <summary>Asked before an operation: whether the log can be written, and if not, whether it goes on all the same.</summary>
    private bool MayGoOn(AuditAction action)
    {
        try
        {
            Trail.Prepare();
            return true;
        }
        catch (MoltException e) when (action.IsGuarded || Trail.IsRequired)
        {
            WriteError(ErrorRecords.From(new MoltException("AuditNotWritable", ErrorKind.PermissionDenied, $"Nothing was done, because it could not be written down. {e.Message}", e.Remedy, e.TargetObject, e)));
            return false;
        }
        catch (MoltException)
        {
            // A backup that is not made does more harm than a line that is missing: told when it is not written.
            return true;
        }
    }

    private void Record(AuditAction action, AuditScope scope, Exception? ended)
    {
        if (scope.IsPreview)
        {
            return;
        }

        // What ends the command has been thrown already; another exception from here would hide it.
        var isStopping = ended is not (null or MoltException) || Stopping;
        try
        {
            Trail.Write(action, scope, ended, isStopping);
        }
        catch (MoltException e) when (!isStopping)
        {
            WriteError(ErrorRecords.From(e));
        }
        catch (MoltException)
        {
            // Nobody is left to tell.
        }
    }

    /// <summary>The first failure makes the result of the operation under way; without one it is a refusal of its own.</summary>
    private void Remember(Exception failure)
    {
        if (_scope is { } scope)
        {
            scope.Failure ??= failure;
        }
        else if (!ReferenceEquals(failure, _recorded) && Audits is { } action && !IsWhatIf)
        {
            Record(action, new AuditScope { Failure = failure }, null);
        }
    }

    private bool Declined()
    {
        if (_scope is { } scope)
        {
            scope.IsDeclined = true;
        }

        return false;
    }

    private BackupPlan? PlanOrNull()
    {
        try
        {
            return SessionPlan.Locator(this).Locate(SessionPlan.Resolve(this, PlanFile)).Plan;
        }
        catch (MoltException)
        {
            // The operation itself tells what is wrong with it; its refusal is written where no plan says otherwise.
            return null;
        }
    }

    private bool Ask(Func<bool> question, string target, string remedy)
    {
        try
        {
            return question();
        }
        catch (Exception e) when (e is HostException or PSInvalidOperationException or NotSupportedException or NotImplementedException)
        {
            var failure = new MoltException("CannotAsk", ErrorKind.InvalidArgument, $"This needs a confirmation, and there is nobody to ask: {e.Message}", remedy, target, e);
            Remember(failure);
            ThrowTerminatingError(ErrorRecords.From(failure));
            throw;
        }
    }
}
