using MoltBeat.DR.Help;

// Before the engine's first type is touched: it reads the variable once.
Environment.SetEnvironmentVariable("POWERSHELL_TELEMETRY_OPTOUT", "1");
if (args.Length != 3)
{
    Console.Error.WriteLine("Usage: MoltBeat.DR.Help <the built module's manifest> <folder of the markdown pages> <folder of the help files>");
    return 64;
}

try
{
    foreach (var (path, text) in HelpFiles.Make(args[0], args[1], args[2]))
    {
        if (!File.Exists(path) || File.ReadAllText(path) != text)
        {
            Console.WriteLine($"Writing {path}");
            File.WriteAllText(path, text);
        }
    }

    return 0;
}
catch (HelpException e)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
