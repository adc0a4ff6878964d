namespace MoltBeat.TestServers;

/// <summary>A server or a tool is there but did not do what it was asked; the message carries its own words.</summary>
public sealed class TestServerException(string message, Exception? inner = null) : Exception(message, inner);
