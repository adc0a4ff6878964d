namespace MoltBeat.DR.Engine.Recovery.Dumps;

/// <summary>What is known of a dump from outside of it.</summary>
/// <param name="Id">See docs/dumps.md: made of its name and size.</param>
/// <param name="Database">The database's name, as far as the file's name tells it.</param>
/// <param name="Created">When it was made, as far as that is known.</param>
public sealed record DumpInfo(string Id, string Database, DateTimeOffset Created);
