using MoltBeat.DR.Engine.Plan;
using MoltBeat.DR.Engine.Storage;

namespace MoltBeat.DR.Engine.Audit;

/// <summary>Sends a line to wherever the settings say that copies go.</summary>
public static class AuditCopies
{
    /// <param name="settings">What counts here.</param>
    /// <param name="record">A line, as the log has it.</param>
    /// <param name="toStore">Whether to go to the store now; the next line takes along what was left.</param>
    /// <param name="onTrouble">Is told, in a sentence, of each place that did not get it.</param>
    /// <param name="cancellationToken">Stops it; it ends by itself within half a minute.</param>
    public static async Task SendAsync(AuditSettings settings, AuditRecord record, bool toStore, Action<string> onTrouble, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(onTrouble);
        if (settings.Syslog is { } syslog)
        {
            await TryAsync(async () =>
            {
                if (syslog == PlannedAudit.EventLog)
                {
                    EventLogCopy.Send(record);
                }
                else
                {
                    await new SyslogCopy(syslog).SendAsync(record, cancellationToken).ConfigureAwait(false);
                }
            }).ConfigureAwait(false);
        }

        if (toStore && settings.Store is { } place)
        {
            await TryAsync(async () =>
            {
                using var store = BackupStores.Open(place, Silent.Instance);
                await StoreCopy.RunAsync(settings.Folder, record.Host, store, cancellationToken).ConfigureAwait(false);
            }).ConfigureAwait(false);
        }

        async Task TryAsync(Func<Task> copy)
        {
            try
            {
                await copy().ConfigureAwait(false);
            }
            catch (MoltException e)
            {
                onTrouble(e.Message);
            }
        }
    }

    private sealed class Silent : IOperationObserver
    {
        public static readonly Silent Instance = new();

        public void Verbose(string message)
        {
        }

        public void Warning(string message)
        {
        }

        public void Progress(OperationProgress progress)
        {
        }
    }
}
