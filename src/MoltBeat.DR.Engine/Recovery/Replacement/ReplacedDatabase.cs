namespace MoltBeat.DR.Engine.Recovery.Replacement;

/// <summary>A session that was ended because its database was given another name.</summary>
/// <param name="ProcessId">Of the server's process.</param>
/// <param name="User">Its role; empty for a process of the server's own.</param>
/// <param name="Application">What it calls itself.</param>
/// <param name="Client">Where it came from; empty for the server's own host, or when the role may not see it.</param>
public sealed record EndedSession(int ProcessId, string User, string Application, string Client)
{
    public override string ToString() => $"{(User.Length > 0 ? User : "server")}{(Client.Length > 0 ? "@" + Client : "")}{(Application.Length > 0 ? $" ({Application})" : "")}";
}

/// <summary>What became of the database whose name another one has taken.</summary>
/// <param name="Database">The name that changed hands.</param>
/// <param name="KeptAs">The name that the database before has now.</param>
/// <param name="SessionsEnded">Whose sessions in it were ended.</param>
/// <param name="Interruption">How long nobody could connect.</param>
public sealed record ReplacedDatabase(string Database, string KeptAs, IReadOnlyList<EndedSession> SessionsEnded, TimeSpan Interruption)
{
    public override string ToString() => KeptAs;
}
