namespace MoltBeat.DR.Help;

/// <summary>A page that does not describe its cmdlet.</summary>
public sealed class HelpException(string message) : Exception(message);
