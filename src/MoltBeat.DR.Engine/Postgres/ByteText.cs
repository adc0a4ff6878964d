using System.Text;

namespace MoltBeat.DR.Engine.Postgres;

/// <summary>
/// Text of SQL_ASCII databases, whose names and values may be no UTF-8: a session with
/// <see cref="SessionOptions.ByteEncoding"/> holds it as one char a byte, and so do the descriptions of its tables.
/// </summary>
public static class ByteText
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The client_encoding whose bytes have to pass as they are; null where UTF-8 serves.</summary>
    public static string? EncodingFor(string databaseEncoding) => databaseEncoding == "SQL_ASCII" ? databaseEncoding : null;

    /// <summary>For people, and for names that all databases share, such as roles': read as UTF-8 where the bytes are that.</summary>
    public static string Shown(string text, string databaseEncoding)
    {
        if (EncodingFor(databaseEncoding) is null || Ascii.IsValid(text))
        {
            return text;
        }

        try
        {
            return Strict.GetString(Encoding.Latin1.GetBytes(text));
        }
        catch (DecoderFallbackException)
        {
            return text;
        }
    }

    /// <summary>As bytes, for a file that is sent to the server as it is.</summary>
    public static byte[] Bytes(string text, string databaseEncoding)
        => EncodingFor(databaseEncoding) is null ? Encoding.UTF8.GetBytes(text) : Encoding.Latin1.GetBytes(text);
}
