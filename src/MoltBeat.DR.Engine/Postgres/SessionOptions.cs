namespace MoltBeat.DR.Engine.Postgres;

/// <summary>What one of our sessions is for, and the sizes that suit it.</summary>
/// <param name="Purpose">A word or two, seen in pg_stat_activity behind the product's name; unless application_name was given.</param>
/// <param name="ReadBufferBytes">Npgsql's buffer for what the server sends, in bytes; at least 512.</param>
/// <param name="WriteBufferBytes">Npgsql's buffer for what we send, in bytes; at least 512.</param>
/// <param name="ByteEncoding">
/// A client_encoding, such as <c>SQL_ASCII</c>, whose bytes are to pass as they are: each string, name and message then holds
/// one char (U+0000 to U+00FF) a byte. For databases whose names aren't in the encoding they claim. Null for UTF-8.
/// </param>
public sealed record SessionOptions(string Purpose = "", int ReadBufferBytes = 8192, int WriteBufferBytes = 8192, string? ByteEncoding = null)
{
    /// <summary>The same for a database of this encoding.</summary>
    public SessionOptions In(string databaseEncoding) => this with { ByteEncoding = ByteText.EncodingFor(databaseEncoding) };

    public static SessionOptions Default { get; } = new();

    internal string ApplicationName(ConnectionSettings settings) =>
        settings.Get("application_name") ?? settings.Get("fallback_application_name") ?? (Purpose.Length > 0 ? $"MoltBeat.DR {Purpose}" : "MoltBeat.DR");
}
