using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>The fixed points of the archive format, version 1. docs/archive-format.md describes it for people.</summary>
public static class ArchiveFormat
{
    public const int Version = 1;

    public const string Extension = ".tar";
    public const string PartialExtension = ".partial";

    public const string Readme = "README.txt";
    public const string RestoreScript = "restore.sh";
    public const string Globals = "globals.sql.zst";
    public const string DatabaseDump = "database.dump";
    public const string Contents = "contents.json.zst";
    public const string Manifest = "manifest.json";
    public const string Signature = "manifest.sig";
    public const string Index = "index";

    /// <summary>What restore.sh must know of the database; in encrypted archives only, where the script itself tells nothing.</summary>
    public const string RestoreDetails = "restore.details.sh";

    /// <summary>A random text whose SHA-256 the manifest gives: who can read it holds a private key for the archive.</summary>
    public const string Canary = "canary.txt";

    /// <summary>Behind the name of an encrypted member. Contents and code name members without it.</summary>
    public const string EncryptedExtension = ".gpg";

    public const string DataFolder = "data/";
    public const string EnvironmentFolder = "environment/";
    public const string RedisFolder = "redis/";
    public const string FilesFolder = "files/";

    /// <summary>Raw bytes after which a part ends at the next row, at most.</summary>
    public const int PartBytes = 64 << 20;

    /// <summary>What a part may hold in memory beyond its raw bytes; one that outgrows both (a huge row) is streamed out.</summary>
    public const int PartBufferSlack = 8 << 20;

    /// <summary>The most a reader takes for a manifest or the contents: far above a database of a million tables' parts.</summary>
    public const int MaxDescriptionBytes = 512 << 20;

    /// <summary>The contents and the globals are names and digests, and do not shrink further than this.</summary>
    public const long MaxDescriptionExpansion = 1000;

    /// <summary>A zstd frame of zeros reaches about 33,000:1. Above this a part is no table's data, it is a bomb.</summary>
    public const long MaxExpansion = 40_000;

    /// <summary>A detached signature is some hundred bytes.</summary>
    public const int MaxSignatureBytes = 64 << 10;

    /// <summary>Whether a member is never encrypted: what tells a person or a program how to go on.</summary>
    public static bool StaysOpen(string name) => name is Readme or RestoreScript or Manifest or Signature or Index;

    /// <summary>A member's name as contents and code have it.</summary>
    public static string PlainName(string name) => name.EndsWith(EncryptedExtension, StringComparison.Ordinal) ? name[..^EncryptedExtension.Length] : name;

    /// <summary>Name of the member that holds one part of a table of an encrypted archive: it does not tell the table's name.</summary>
    public static string PartName(int number, int part, RowFormat format)
        => FormattableString.Invariant($"{DataFolder}{number}/{part:D4}{(format == RowFormat.Binary ? ".copybin" : ".copy")}.zst");

    /// <summary>Name of the member that holds one part of a table.</summary>
    /// <param name="number">The table's number in <see cref="Archive.Contents.Tables"/>, from 1.</param>
    /// <param name="schema">Schema; shown in the member's name for people, never read back from it.</param>
    /// <param name="table">Table; likewise.</param>
    /// <param name="part">The part's number, from 1.</param>
    /// <param name="format">Form of the rows.</param>
    public static string PartName(int number, string schema, string table, int part, RowFormat format)
        => FormattableString.Invariant(
            $"{DataFolder}{number}_{SafeName(schema, 40)}.{SafeName(table, 60)}/{part:D4}{(format == RowFormat.Binary ? ".copybin" : ".copy")}.zst");

    /// <summary>Only letters, digits, <c>_</c> and <c>-</c> of ASCII survive; the rest becomes <c>_</c>. For names of files and members.</summary>
    public static string SafeName(string name, int maxLength)
    {
        var chars = name.Length > maxLength ? name[..maxLength].ToCharArray() : name.ToCharArray();
        for (var i = 0; i < chars.Length; i++)
        {
            if (!char.IsAsciiLetterOrDigit(chars[i]) && chars[i] is not ('_' or '-'))
            {
                chars[i] = '_';
            }
        }

        return new string(chars);
    }
}
