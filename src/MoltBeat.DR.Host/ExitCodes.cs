namespace MoltBeat.DR.Host;

/// <summary>The exit codes that pwsh gives, and the shell's own for a signal: 128 and its number.</summary>
internal static class ExitCodes
{
    public const int Success = 0;
    public const int Failure = 1;
    public const int BadUsage = 64;
    public const int HangUp = 129;
    public const int Interrupted = 130;
    public const int Terminated = 143;
}
