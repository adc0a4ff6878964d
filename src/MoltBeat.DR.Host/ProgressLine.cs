using System.Management.Automation;

namespace MoltBeat.DR.Host;

/// <summary>One line at the bottom of the terminal that is drawn over again and leaves nothing behind.</summary>
internal sealed class ProgressLine(TextWriter writer)
{
    private bool _shown;

    public void Show(ProgressRecord record)
    {
        if (record.RecordType == ProgressRecordType.Completed)
        {
            Erase();
            return;
        }

        var percent = record.PercentComplete >= 0 ? $" {record.PercentComplete} %" : "";
        var left = record.SecondsRemaining > 0 ? $", {TimeSpan.FromSeconds(record.SecondsRemaining):c} left" : "";
        var text = $"{record.Activity}:{percent} {record.StatusDescription}{left}".ReplaceLineEndings(" ");

        // A line that wraps cannot be drawn over.
        var width = ConsoleRawUI.Columns(redirected: false) - 1;
        writer.Write("\r" + (text.Length > width ? text[..width] : text) + "\x1b[K");
        _shown = true;
    }

    public void Erase()
    {
        if (_shown)
        {
            writer.Write("\r\x1b[K");
            _shown = false;
        }
    }
}
