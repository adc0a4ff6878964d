using System.Globalization;
using System.Management.Automation.Host;

namespace MoltBeat.DR.Host;

/// <summary>What PowerShell's engine wants of the program it runs in.</summary>
internal sealed class ConsoleHost(Terminal terminal) : PSHost
{
    public override CultureInfo CurrentCulture => CultureInfo.CurrentCulture;

    public override CultureInfo CurrentUICulture => CultureInfo.CurrentUICulture;

    public override Guid InstanceId { get; } = Guid.NewGuid();

    public override string Name => "molt";

    public override PSHostUserInterface UI => terminal;

    public override Version Version => typeof(ConsoleHost).Assembly.GetName().Version ?? new Version(0, 0);

    /// <summary>The number a script gave to <c>exit</c>; null when it gave none.</summary>
    public int? ExitCode { get; private set; }

    public override void EnterNestedPrompt() => throw new NotSupportedException("molt has no prompt to suspend to.");

    public override void ExitNestedPrompt() => throw new NotSupportedException("molt has no prompt to leave.");

    public override void NotifyBeginApplication()
    {
    }

    public override void NotifyEndApplication()
    {
    }

    public override void SetShouldExit(int exitCode) => ExitCode = exitCode;
}
