namespace MoltBeat.DR.Engine.Postgres;

/// <summary>What one of our sessions is for, and the sizes that suit it.</summary>
/// <param name="Purpose">A word or two, seen in pg_stat_activity behind the product's name; unless application_name was given.</param>
/// <param name="ReadBufferBytes">Npgsql's buffer for what the server sends, in bytes; at least 512.</param>
/// <param name="WriteBufferBytes">Npgsql's buffer for what we send, in bytes; at least 512.</param>
public sealed record SessionOptions(string Purpose = "", int ReadBufferBytes = 8192, int WriteBufferBytes = 8192)
{
    public static SessionOptions Default { get; } = new();

    internal string ApplicationName(ConnectionSettings settings) =>
        settings.Get("application_name") ?? settings.Get("fallback_application_name") ?? (Purpose.Length > 0 ? $"MoltBeat.DR {Purpose}" : "MoltBeat.DR");
}
