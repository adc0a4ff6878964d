using System.Globalization;
using System.Net.Sockets;
using System.Text;
using MoltBeat.DR.Engine.Plan;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>
/// Sends a line of the log to syslog, in the form of RFC 5424: to this machine's own over its socket, or to another's over
/// UDP (RFC 5426), which is neither encrypted nor acknowledged.
/// </summary>
/// <param name="target"><c>local</c>, or <c>host:port</c>.</param>
/// <param name="socketPath">This machine's own syslog.</param>
internal sealed class SyslogCopy(string target, string socketPath = "/dev/log")
{
    /// <summary>authpriv: what distributions keep from the eyes of ordinary users.</summary>
    private const int Facility = 10;

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    /// <param name="record">As the log has it.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>AuditCopyFailed</c>.</exception>
    public async Task SendAsync(AuditRecord record, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_limit);
        try
        {
            var message = Message(record);
            if (target == PlannedAudit.LocalSyslog)
            {
                if (OperatingSystem.IsWindows())
                {
                    throw new NotSupportedException("there is none on Windows: audit.syslog in the plan can be eventlog");
                }

                using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), limit.Token).ConfigureAwait(false);
                await socket.SendAsync(message, limit.Token).ConfigureAwait(false);
            }
            else
            {
                var colon = target.LastIndexOf(':');
                using var client = new UdpClient(target[..colon].Trim('[', ']'), int.Parse(target.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture));
                await client.SendAsync(message, limit.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is SocketException or IOException or NotSupportedException or ArgumentException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new MoltException("AuditCopyFailed", ErrorKind.ConnectionFailed, $"The line is in the audit log, and could not be sent to syslog ({target}): {(e is OperationCanceledException ? "no answer in time" : e.Message)}",
                "Look whether syslog runs, or correct audit.syslog in the plan.", target, e);
        }
    }

    /// <summary>Severity 6 (informational) for what succeeded, else 4 (warning).</summary>
    internal static byte[] Message(AuditRecord record)
    {
        var severity = record.Result == AuditResult.Succeeded ? 6 : 4;
        var line = AuditLine.Write(record);
        var host = new string([.. record.Host.Where(c => c is > ' ' and < (char)127).Take(255)]);
        return [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"<{(Facility * 8) + severity}>1 {record.Time.UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {(host.Length > 0 ? host : "-")} moltbeat-dr {record.ProcessId} {record.Action} - ")), .. line];
    }
}
