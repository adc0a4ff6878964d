using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using MoltBeat.DR.Engine.Audit;

namespace MoltBeat.DR.Engine.Tests.Audit;

/// <summary>This very program as a process that writes lines into an audit log: started with a variable set, it does nothing else.</summary>
internal static class AuditWriterProcess
{
    private const string Variable = "MOLT_TEST_AUDIT_WRITER";

    /// <summary>Starts a writer.</summary>
    /// <param name="folder">The log's.</param>
    /// <param name="name">What it writes as its database.</param>
    /// <param name="lines">How many.</param>
    public static Process Start(string folder, string name, int lines)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(AuditWriterProcess).Assembly.Location])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { [Variable] = string.Create(CultureInfo.InvariantCulture, $"{lines}|{name}|{folder}") },
        };
        return Process.Start(start)!;
    }

    /// <summary>Before the first test, for this process and those that it starts: none of them writes into the machine's own log, or reads its user's own keys.</summary>
    [ModuleInitializer]
    internal static void SetUp()
    {
        if (Environment.GetEnvironmentVariable(Variable) is { } task)
        {
            var parts = task.Split('|', 3);
            var log = new AuditLog(new AuditSettings(parts[2]) { RotateBytes = 64 << 10 });
            for (var i = 0; i < int.Parse(parts[0], CultureInfo.InvariantCulture); i++)
            {
                log.Append(AuditSamples.Record(parts[1]));
            }

            Environment.Exit(0);
        }

        var folder = Directory.CreateTempSubdirectory("molt-tests-").FullName;
        Environment.SetEnvironmentVariable(AuditSettings.FolderVariable, Path.Combine(folder, "audit"));
        Security.BucketPolicyTests.WriteProfiles(Path.Combine(folder, "credentials"));
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
    }
}

internal static class AuditSamples
{
    public static AuditRecord Record(string database = "moltbeat", AuditResult result = AuditResult.Succeeded) => new()
    {
        Time = DateTimeOffset.UtcNow,
        Cmdlet = "New-MoltBackup",
        Action = "Backup",
        Result = result,
        Database = database,
        Backup = "moltbeat_backup_20260131_120000.tar",
        Stores = ["/srv/backups", "s3://bucket/prefix/"],
        Server = "db.example.org:5432",
        Duration = TimeSpan.FromSeconds(12.5),
        Correlation = "c0ffee",
        Version = "0.1.0",
    };
}
