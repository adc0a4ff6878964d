using MoltBeat.DR.Engine;
using MoltBeat.DR.Engine.Operations.Schedules;

namespace MoltBeat.DR;

/// <summary>A cmdlet about who calls the plan's jobs.</summary>
public abstract class ScheduleCommand : MoltCommand
{
    /// <summary>Brings a scheduler to what is wanted, and writes what was done.</summary>
    private protected void Apply(string? scheduler, string? user, IReadOnlyList<ScheduleEntry> entries) => Audited(subject =>
    {
        try
        {
            var opened = Schedulers.Open(scheduler, user);
            subject.Target = opened.Name;
            if (Run((observer, token) => ScheduleOperation.RunAsync(opened, entries, change => ConfirmAsync(observer, $"{change.Path} ({opened.Name})", change.Status == ScheduleStatus.WouldBeWritten ? "Write what follows" : "Remove", null, token), token), out var changes, opened.Name))
            {
                subject.IsDone = changes.All(c => c.Status is not (ScheduleStatus.WouldBeWritten or ScheduleStatus.WouldBeRemoved));
                WriteObject(changes, enumerateCollection: true);
            }
        }
        catch (MoltException e)
        {
            WriteFailure(e, scheduler);
        }
    });
}
