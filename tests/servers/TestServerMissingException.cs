namespace MoltBeat.TestServers;

/// <summary>The server that a test asked for is not installed on this machine: a reason to skip on a laptop, a failure in CI.</summary>
public sealed class TestServerMissingException(string message) : Exception(message);
