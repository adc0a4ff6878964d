using System.Runtime.InteropServices;
using System.Text;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>Writes a line of the log to Windows' application event log.</summary>
internal static partial class EventLogCopy
{
    private const string Source = "MoltBeat.DR";
    private const ushort Warning = 2;
    private const ushort Information = 4;

    /// <summary>What an event's text may have, in characters.</summary>
    private const int Longest = 31_000;

    /// <param name="record">As the log has it.</param>
    /// <exception cref="MoltException"><c>EventLogUnavailable</c>, <c>AuditCopyFailed</c>.</exception>
    public static void Send(AuditRecord record)
    {
        if (!OperatingSystem.IsWindows())
        {
            throw new MoltException("EventLogUnavailable", ErrorKind.NotSupported, "The line is in the audit log; there is no event log here to copy it to: that is Windows only.",
                "Let audit.syslog in the plan be local, or name a server.", Source);
        }

        var line = Encoding.ASCII.GetString(AuditLine.Write(record)).TrimEnd();
        var log = RegisterEventSource(null, Source);
        if (log == 0)
        {
            throw Failed();
        }

        try
        {
            if (!ReportEvent(log, record.Result == AuditResult.Succeeded ? Information : Warning, 0, 1, 0, 1, 0, [line.Length > Longest ? line[..Longest] : line], 0))
            {
                throw Failed();
            }
        }
        finally
        {
            DeregisterEventSource(log);
        }
    }

    private static MoltException Failed()
        => new("AuditCopyFailed", ErrorKind.ConnectionFailed, $"The line is in the audit log, and could not be written to the event log: {Marshal.GetLastPInvokeErrorMessage()}.",
            "Look whether the event log service runs, and has room.", Source);

    [LibraryImport("advapi32", EntryPoint = "RegisterEventSourceW", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    private static partial nint RegisterEventSource(string? server, string source);

    [LibraryImport("advapi32", EntryPoint = "ReportEventW", SetLastError = true, StringMarshalling = StringMarshalling.Utf16)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool ReportEvent(nint log, ushort type, ushort category, uint id, nint user, ushort strings, uint dataBytes, string[] texts, nint data);

    [LibraryImport("advapi32", EntryPoint = "DeregisterEventSource", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static partial bool DeregisterEventSource(nint log);
}
