using System.Management.Automation;
using MoltBeat.DR.Host;

// Before the engine's first type is touched: it reads the variable once.
Environment.SetEnvironmentVariable("POWERSHELL_TELEMETRY_OPTOUT", "1");

Options options;
try
{
    options = Options.Parse(args);
}
catch (FormatException e)
{
    Console.Error.WriteLine(e.Message);
    Console.Error.WriteLine(Options.Usage);
    return ExitCodes.BadUsage;
}

switch (options.Mode)
{
    case RunMode.Help:
        Console.Out.WriteLine(Options.Usage);
        return ExitCodes.Success;
    case RunMode.Version:
        Console.Out.WriteLine($"molt {typeof(Options).Assembly.GetName().Version?.ToString(3)}, PowerShell {PowerShellVersion()}");
        return ExitCodes.Success;
    default:
        ModulePath.AddOwn();
        Locale.Settle();
        return new ScriptRunner(options).Run();
}

static string PowerShellVersion() =>
    System.Diagnostics.FileVersionInfo.GetVersionInfo(typeof(PSObject).Assembly.Location).ProductVersion?.Split(' ', '+')[0] ?? "?";
