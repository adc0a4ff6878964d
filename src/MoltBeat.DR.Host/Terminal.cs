using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

namespace MoltBeat.DR.Host;

/// <summary>
/// Objects on standard output; all else (errors, warnings, verbose text, progress, questions) on standard error, so that
/// output can be piped on. A question that nobody can see or answer is an error, never a wait.
/// </summary>
internal sealed class Terminal : PSHostUserInterface
{
    private readonly Lock _gate = new();
    private readonly bool _nonInteractive;
    private readonly bool _colourOut = !Console.IsOutputRedirected && HasColour;
    private readonly bool _colourError = !Console.IsErrorRedirected && HasColour;
    private readonly ProgressLine? _progress;
    private readonly KeyboardReader _keyboard;

    /// <param name="nonInteractive">Refuse every question.</param>
    /// <param name="stop">Ends a wait for an answer.</param>
    public Terminal(bool nonInteractive, CancellationToken stop)
    {
        _nonInteractive = nonInteractive;
        _keyboard = new KeyboardReader(stop);
        _progress = _colourError ? new ProgressLine(Console.Error) : null;
        RawUI = new ConsoleRawUI();
    }

    public override PSHostRawUserInterface RawUI { get; }

    public override bool SupportsVirtualTerminal => _colourOut;

    private static bool HasColour =>
        string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb";

    public override void Write(string value) => Emit(Console.Out, _colourOut, value);

    public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => Write(value);

    public override void WriteLine(string value) => Emit(Console.Out, _colourOut, value + Environment.NewLine);

    public override void WriteErrorLine(string value) => WriteSide(value, PSStyle.Instance.Formatting.Error);

    public override void WriteWarningLine(string message) => WriteSide("WARNING: " + message, PSStyle.Instance.Formatting.Warning);

    public override void WriteVerboseLine(string message) => WriteSide("VERBOSE: " + message, PSStyle.Instance.Formatting.Verbose);

    public override void WriteDebugLine(string message) => WriteSide("DEBUG: " + message, PSStyle.Instance.Formatting.Debug);

    public override void WriteProgress(long sourceId, ProgressRecord record)
    {
        lock (_gate)
        {
            _progress?.Show(record);
        }
    }

    /// <summary>Takes the progress line off the screen, for a command that did not end its own.</summary>
    public void EndProgress()
    {
        lock (_gate)
        {
            _progress?.Erase();
        }
    }

    public override string ReadLine()
    {
        RequireSomeoneToAsk();
        return _keyboard.ReadLine();
    }

    public override SecureString ReadLineAsSecureString()
    {
        RequireSomeoneToAsk();
        return _keyboard.ReadSecret();
    }

    public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions)
    {
        RequireSomeoneToAsk(string.Join(", ", descriptions.Select(d => d.Name)));
        Introduce(caption, message);
        return descriptions.ToDictionary(d => d.Name, d => PSObject.AsPSObject(AskFor(d)));
    }

    public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
    {
        RequireSomeoneToAsk(message);
        Introduce(caption, message);
        var keys = choices.Select(KeyOf).ToList();
        while (true)
        {
            Ask(string.Concat(choices.Select((c, i) => $"[{keys[i]}] {Plain(c.Label)}  "))
                + "[?] Help" + (defaultChoice >= 0 ? $" (default is \"{keys[defaultChoice]}\"): " : ": "));
            var answer = _keyboard.ReadLine().Trim();
            if (answer.Length == 0 && defaultChoice >= 0)
            {
                return defaultChoice;
            }

            for (var i = 0; i < choices.Count; i++)
            {
                if (answer.Equals(keys[i], StringComparison.OrdinalIgnoreCase)
                    || answer.Equals(Plain(choices[i].Label), StringComparison.OrdinalIgnoreCase))
                {
                    return i;
                }

                if (answer == "?")
                {
                    Ask($"{keys[i]} - {choices[i].HelpMessage}{Environment.NewLine}");
                }
            }
        }

        static string Plain(string label) => label.Replace("&", "", StringComparison.Ordinal);

        static string KeyOf(ChoiceDescription choice)
        {
            var mark = choice.Label.IndexOf('&', StringComparison.Ordinal);
            return mark >= 0 && mark + 1 < choice.Label.Length
                ? choice.Label[mark + 1].ToString().ToUpper(CultureInfo.InvariantCulture)
                : choice.Label;
        }
    }

    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName)
    {
        RequireSomeoneToAsk(message);
        Introduce(caption, message);
        var user = userName;
        if (string.IsNullOrEmpty(user))
        {
            Ask("User: ");
            user = _keyboard.ReadLine();
        }

        Ask($"Password for {user}: ");
        return new PSCredential(user, _keyboard.ReadSecret());
    }

    public override PSCredential PromptForCredential(
        string caption,
        string message,
        string userName,
        string targetName,
        PSCredentialTypes allowedCredentialTypes,
        PSCredentialUIOptions options) => PromptForCredential(caption, message, userName, targetName);

    private object AskFor(FieldDescription field)
    {
        Ask(field.Name + ": ");
        if (field.ParameterTypeFullName == typeof(SecureString).FullName)
        {
            return _keyboard.ReadSecret();
        }

        if (field.ParameterTypeFullName == typeof(PSCredential).FullName)
        {
            return PromptForCredential("", "", "", "");
        }

        return _keyboard.ReadLine();
    }

    private void Introduce(string? caption, string? message)
    {
        foreach (var line in new[] { caption, message })
        {
            if (!string.IsNullOrEmpty(line))
            {
                Ask(line + Environment.NewLine);
            }
        }
    }

    private void Ask(string text) => Emit(Console.Error, _colourError, text);

    private void RequireSomeoneToAsk(string? question = null)
    {
        if (_nonInteractive || Console.IsInputRedirected || Console.IsErrorRedirected)
        {
            var reason = _nonInteractive ? "-NonInteractive was given" : "standard input or standard error is no terminal";
            throw new HostException(
                $"molt cannot ask, because {reason}{(string.IsNullOrEmpty(question) ? "." : $": {question}")}");
        }
    }

    private void WriteSide(string text, string style)
    {
        // A style in the text itself (the error view brings its own) is kept; the plain kind gets the stream's colour.
        var styled = _colourError && !text.Contains('\x1b', StringComparison.Ordinal) ? style + text + PSStyle.Instance.Reset : text;
        Emit(Console.Error, _colourError, styled + Environment.NewLine);
    }

    private void Emit(TextWriter writer, bool colour, string text)
    {
        lock (_gate)
        {
            _progress?.Erase();
            writer.Write(GetOutputString(text, colour));
        }
    }
}
