using System.Collections.ObjectModel;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;
using System.Text;
using System.Text.RegularExpressions;

namespace MoltBeat.DR.Tests;

/// <summary>A host with a screen of a given width that keeps what is written on it, and nobody to answer questions but those answers that a test has prepared.</summary>
internal sealed partial class Screen(int columns) : PSHost
{
    private readonly Surface _surface = new(columns);

    /// <summary>What is answered to the next questions: a text, or the first letter of a choice.</summary>
    public Queue<string> Answers => _surface.Answers;

    public override CultureInfo CurrentCulture => CultureInfo.CurrentCulture;

    public override CultureInfo CurrentUICulture => CultureInfo.InvariantCulture;

    public override Guid InstanceId { get; } = Guid.NewGuid();

    public override string Name => nameof(Screen);

    public override PSHostUserInterface UI => _surface;

    public override Version Version { get; } = new(1, 0);

    /// <summary>What was written since it was last asked for, without colours.</summary>
    public string Take()
    {
        var lines = Colours().Replace(_surface.Text.ToString(), "").Split('\n').Select(l => l.TrimEnd());
        _surface.Text.Clear();
        return string.Join('\n', lines).Trim('\n');
    }

    public override void EnterNestedPrompt() => throw new NotSupportedException();

    public override void ExitNestedPrompt() => throw new NotSupportedException();

    public override void NotifyBeginApplication()
    {
    }

    public override void NotifyEndApplication()
    {
    }

    public override void SetShouldExit(int exitCode)
    {
    }

    [GeneratedRegex(@"\x1b\[[0-9;]*m")]
    private static partial Regex Colours();

    private sealed class Surface(int columns) : PSHostUserInterface
    {
        public StringBuilder Text { get; } = new();

        public Queue<string> Answers { get; } = new();

        public override PSHostRawUserInterface RawUI { get; } = new Size(columns);

        public override void Write(string value) => Text.Append(value);

        public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => Text.Append(value);

        public override void WriteLine(string value) => Text.Append(value).Append('\n');

        public override void WriteErrorLine(string value) => WriteLine(value);

        public override void WriteDebugLine(string message)
        {
        }

        public override void WriteProgress(long sourceId, ProgressRecord record)
        {
        }

        public override void WriteVerboseLine(string message)
        {
        }

        public override void WriteWarningLine(string message)
        {
        }

        public override string ReadLine() => throw Nobody();

        public override SecureString ReadLineAsSecureString() => throw Nobody();

        public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions)
            => descriptions.ToDictionary(d => d.Name, _ => PSObject.AsPSObject(Answer(message)));

        public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice)
        {
            var answer = Answer(message);
            return choices.Index().First(c => c.Item.Label.Contains("&" + answer, StringComparison.Ordinal)).Index;
        }

        public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) => throw Nobody();

        public override PSCredential PromptForCredential(
            string caption, string message, string userName, string targetName, PSCredentialTypes allowedCredentialTypes, PSCredentialUIOptions options) => throw Nobody();

        private string Answer(string question)
        {
            WriteLine(question);
            return Answers.TryDequeue(out var answer) ? answer : throw Nobody();
        }

        private static HostException Nobody() => new("There is nobody to answer.");
    }

    private sealed class Size(int columns) : PSHostRawUserInterface
    {
        public override ConsoleColor BackgroundColor { get; set; }

        public override ConsoleColor ForegroundColor { get; set; }

        public override System.Management.Automation.Host.Size BufferSize { get; set; } = new(columns, 50);

        public override Coordinates CursorPosition { get; set; }

        public override int CursorSize { get; set; }

        public override bool KeyAvailable => false;

        public override System.Management.Automation.Host.Size MaxPhysicalWindowSize => BufferSize;

        public override System.Management.Automation.Host.Size MaxWindowSize => BufferSize;

        public override Coordinates WindowPosition { get; set; }

        public override System.Management.Automation.Host.Size WindowSize { get => BufferSize; set => BufferSize = value; }

        public override string WindowTitle { get; set; } = "";

        public override void FlushInputBuffer()
        {
        }

        public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw new NotSupportedException();

        public override KeyInfo ReadKey(ReadKeyOptions options) => throw new NotSupportedException();

        public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) => throw new NotSupportedException();

        public override void SetBufferContents(Rectangle rectangle, BufferCell fill) => throw new NotSupportedException();

        public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) => throw new NotSupportedException();
    }
}
