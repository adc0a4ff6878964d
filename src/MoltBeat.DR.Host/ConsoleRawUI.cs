using System.Management.Automation.Host;

namespace MoltBeat.DR.Host;

/// <summary>The screen's size, which tables are laid out by. molt moves no cursor and reads no screen.</summary>
internal sealed class ConsoleRawUI : PSHostRawUserInterface
{
    /// <summary>Columns of output to no terminal, or to one that does not say its size; the same on every machine, so that logs look alike.</summary>
    private const int DefaultWidth = 120;

    public override ConsoleColor BackgroundColor { get; set; } = ConsoleColor.Black;

    public override ConsoleColor ForegroundColor { get; set; } = ConsoleColor.Gray;

    public override Size BufferSize
    {
        get => new(Columns(Console.IsOutputRedirected), 50);
        set => throw NoScreen();
    }

    public override Coordinates CursorPosition
    {
        get => default;
        set => throw NoScreen();
    }

    public override int CursorSize { get; set; } = 25;

    public override bool KeyAvailable => false;

    public override Size MaxPhysicalWindowSize => BufferSize;

    public override Size MaxWindowSize => BufferSize;

    public override Coordinates WindowPosition
    {
        get => default;
        set => throw NoScreen();
    }

    public override Size WindowSize
    {
        get => BufferSize;
        set => throw NoScreen();
    }

    public override string WindowTitle { get; set; } = "molt";

    public static int Columns(bool redirected) =>
        !redirected && Console.WindowWidth is > 0 and var columns ? columns : DefaultWidth;

    public override void FlushInputBuffer()
    {
    }

    public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw NoScreen();

    public override KeyInfo ReadKey(ReadKeyOptions options) => throw NoScreen();

    public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) => throw NoScreen();

    public override void SetBufferContents(Rectangle rectangle, BufferCell fill) => throw NoScreen();

    public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) => throw NoScreen();

    private static NotSupportedException NoScreen() => new("molt does not work on the screen, only line by line.");
}
