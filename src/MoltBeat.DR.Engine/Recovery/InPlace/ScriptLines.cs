using System.Text;

namespace MoltBeat.DR.Engine.Recovery.InPlace;

/// <summary>Lines of a script that end with a line feed and nothing else: a carriage return may be part of a name.</summary>
internal sealed class ScriptLines(Stream script) : IDisposable
{
    private readonly StreamReader reader = new(script, new UTF8Encoding(false, throwOnInvalidBytes: true), false, 1 << 16);
    private readonly char[] buffer = new char[1 << 16];
    private int start;
    private int end;

    /// <returns>The next line without its end; null when there is none.</returns>
    public async Task<string?> NextAsync(CancellationToken cancellationToken)
    {
        StringBuilder? line = null;
        while (true)
        {
            if (start == end)
            {
                (start, end) = (0, await reader.ReadAsync(buffer, cancellationToken).ConfigureAwait(false));
                if (end == 0)
                {
                    return line?.ToString();
                }
            }

            var feed = Array.IndexOf(buffer, '\n', start, end - start);
            line ??= new StringBuilder();
            line.Append(buffer, start, (feed < 0 ? end : feed) - start);
            start = feed < 0 ? end : feed + 1;
            if (feed >= 0)
            {
                return line.ToString();
            }
        }
    }

    public void Dispose() => reader.Dispose();
}
