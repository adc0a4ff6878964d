using System.Buffers;
using System.IO.Hashing;
using System.Text.RegularExpressions;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>
/// Reads SQL of pg_dump as psql does, as it streams by: which statements there are, where rows lie, whether it is whole, and
/// whether it holds commands to psql itself. Those are refused; <c>\restrict</c> and <c>\unrestrict</c> are left out, since
/// whoever runs psql puts its own around the whole.
/// </summary>
internal sealed partial class DumpScanner(string location)
{
    private const int LongestStatement = 1 << 14;
    private const int LongestCommand = 256;
    private const string Trailer = "-- PostgreSQL database dump complete";

    /// <summary>Bytes of a second byte in these may be those of a backslash or a quote.</summary>
    private static readonly HashSet<string> s_unsafeEncodings = new(["SJIS", "SHIFT_JIS_2004", "BIG5", "GBK", "UHC", "GB18030", "JOHAB"], StringComparer.OrdinalIgnoreCase);

    private readonly ArrayBufferWriter<byte> statement = new();
    private readonly List<byte> aside = [];
    private readonly Dictionary<(string, string), DumpTable> tables = [];
    private readonly Dictionary<string, RoleUse> roles = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> extensions = new(StringComparer.Ordinal);
    private readonly HashSet<string> tablespaces = new(StringComparer.Ordinal);
    private readonly XxHash128 digest = new();
    private State state;
    private byte previous;
    private int depth;
    private int parentheses;
    private string tag = "";
    private bool escapes;
    private bool backslashes;
    private DumpTable? copying;
    private bool dataNext;
    private long lineBytes;
    private byte lineFirst;
    private byte lineSecond;
    private string? schema;

    private enum State
    {
        Sql,
        Dash,
        LineComment,
        Slash,
        BlockComment,
        String,
        Name,
        DollarTag,
        Dollar,
        Command,
        Rows,
    }

    /// <summary>pg_dump's last line has come, and no statement behind it.</summary>
    public bool IsComplete { get; private set; }

    public string Encoding { get; private set; } = "UTF8";

    /// <summary>As the dump's head says; null when it does not.</summary>
    public string? ServerVersion { get; private set; }

    public IReadOnlyCollection<DumpTable> Tables => tables.Values;

    public IReadOnlyCollection<RoleUse> Roles => roles.Values;

    public IReadOnlyDictionary<string, string> Extensions => extensions;

    public IReadOnlyCollection<string> Tablespaces => tablespaces;

    /// <summary>INSERT statements: their rows are not counted.</summary>
    public long Inserts { get; private set; }

    public long Statements { get; private set; }

    /// <summary>Of all bytes that came.</summary>
    public UInt128 Digest => digest.GetCurrentHashAsUInt128();

    /// <summary>Takes the next bytes.</summary>
    /// <param name="bytes">As they come.</param>
    /// <param name="passed">Gets what psql may see of them; null when nobody reads it.</param>
    /// <exception cref="MoltException"><c>DumpHasCommand</c>, <c>DumpNamesDatabase</c>, <c>DumpNotSupported</c>.</exception>
    public void Feed(ReadOnlySpan<byte> bytes, IBufferWriter<byte>? passed)
    {
        digest.Append(bytes);
        var from = 0;
        for (var i = 0; i < bytes.Length; i++)
        {
            if (state == State.Rows)
            {
                i = TakeRows(bytes, i) - 1;
                continue;
            }

            if (state is State.Sql or State.Dash or State.Slash && bytes[i] == '\\')
            {
                passed?.Write(bytes[from..i]);
                (state, from) = (State.Command, i + 1);
                aside.Clear();
            }
            else if (state == State.Command)
            {
                TakeCommand(bytes[i]);
                from = i + 1;
            }
            else
            {
                Take(bytes[i]);
            }
        }

        passed?.Write(bytes[Math.Min(from, bytes.Length)..]);
    }

    /// <summary>There is no more.</summary>
    /// <exception cref="MoltException"><c>DumpHasCommand</c>, <c>DumpDamaged</c>.</exception>
    public void End()
    {
        switch (state)
        {
            case State.Command:
                TakeCommand((byte)'\n');
                break;
            case State.LineComment:
                EndComment();
                break;
            case State.Sql or State.Dash or State.Slash:
                break;
            default:
                IsComplete = false;
                break;
        }
    }

    /// <summary>Takes rows up to the end of the bytes, or of the rows.</summary>
    private int TakeRows(ReadOnlySpan<byte> bytes, int at)
    {
        while (at < bytes.Length)
        {
            var end = bytes[at..].IndexOf((byte)'\n');
            var part = end < 0 ? bytes[at..] : bytes.Slice(at, end);
            if (lineBytes < 2)
            {
                foreach (var b in part[..Math.Min(part.Length, 2 - (int)lineBytes)])
                {
                    (lineFirst, lineSecond) = lineBytes == 0 ? (b, (byte)0) : (lineFirst, b);
                    lineBytes++;
                    part = part[1..];
                }
            }

            lineBytes += part.Length;
            if (end < 0)
            {
                return bytes.Length;
            }

            at += end + 1;
            var isEnd = lineFirst == '\\' && lineSecond == '.' && lineBytes is 2 or 3;
            if (!isEnd)
            {
                copying!.Rows++;
                copying.Bytes += lineBytes + 1;
            }

            (lineBytes, lineFirst, lineSecond) = (0, 0, 0);
            if (isEnd)
            {
                state = State.Sql;
                return at;
            }
        }

        return at;
    }

    private void Take(byte b)
    {
        switch (state)
        {
            case State.Sql:
                TakeSql(b);
                break;
            case State.Dash:
                state = b == '-' ? State.LineComment : State.Sql;
                if (state == State.Sql)
                {
                    Keep((byte)'-');
                    TakeSql(b);
                }
                else
                {
                    aside.Clear();
                    aside.AddRange("--"u8);
                }

                break;
            case State.Slash:
                state = b == '*' ? State.BlockComment : State.Sql;
                depth = 1;
                if (state == State.Sql)
                {
                    Keep((byte)'/');
                    TakeSql(b);
                }
                else
                {
                    b = 0; // the star that opens does not close
                }

                break;
            case State.LineComment when b == '\n':
                EndComment();
                TakeSql(b);
                break;
            case State.LineComment:
                if (aside.Count < LongestCommand)
                {
                    aside.Add(b);
                }

                break;
            case State.BlockComment:
                depth += previous == '*' && b == '/' ? -1 : previous == '/' && b == '*' ? 1 : 0;
                if (depth == 0)
                {
                    // A comment parts words, as a blank does.
                    state = State.Sql;
                    Keep((byte)' ');
                }

                b = previous is (byte)'*' or (byte)'/' && b is (byte)'*' or (byte)'/' ? (byte)0 : b;
                break;
            case State.String:
                Keep(b);
                if (escapes && previous == '\\')
                {
                    b = 0; // what is escaped escapes nothing
                }
                else if (b == '\'')
                {
                    state = State.Sql;
                }

                break;
            case State.Name:
                Keep(b);
                state = b == '"' ? State.Sql : state;
                break;
            case State.DollarTag:
                Keep(b);
                TakeTag(b);
                break;
            case State.Dollar:
                Keep(b);
                aside.Add(b);
                if (b == '$' && aside.Count >= tag.Length && EndsWith(aside, tag))
                {
                    state = State.Sql;
                }
                else if (aside.Count > 1024)
                {
                    aside.RemoveRange(0, 512);
                }

                break;
        }

        previous = b;
    }

    private void TakeSql(byte b)
    {
        if (dataNext)
        {
            if (b == '\n')
            {
                (state, dataNext) = (State.Rows, false);
                (lineBytes, lineFirst, lineSecond) = (0, 0, 0);
                return;
            }

            if (b is not ((byte)'\r' or (byte)' '))
            {
                throw DumpErrors.NotSupported(location, "something stands behind a COPY, where its rows should begin");
            }

            return;
        }

        switch (b)
        {
            case (byte)'-':
                state = State.Dash;
                return;
            case (byte)'/':
                state = State.Slash;
                return;
            case (byte)'\'':
                // A quote right behind one is part of the same string.
                escapes = previous == '\'' ? escapes : backslashes || previous is (byte)'E' or (byte)'e' && !IsWordBefore();
                state = State.String;
                break;
            case (byte)'"':
                state = State.Name;
                break;
            case (byte)'$' when !IsWord(previous):
                aside.Clear();
                aside.Add(b);
                state = State.DollarTag;
                break;
            case (byte)'(':
                parentheses++;
                break;
            case (byte)')':
                parentheses--;
                break;
            case (byte)';' when parentheses <= 0:
                EndStatement();
                return;
        }

        Keep(b);
    }

    private void TakeTag(byte b)
    {
        aside.Add(b);
        if (b == '$')
        {
            tag = System.Text.Encoding.Latin1.GetString([.. aside]);
            aside.Clear();
            state = State.Dollar;
        }
        else if (!IsWord(b) || (aside.Count == 2 && b is >= (byte)'0' and <= (byte)'9'))
        {
            state = State.Sql; // a parameter, $1
        }
    }

    private void TakeCommand(byte b)
    {
        if (b != '\n')
        {
            if (aside.Count < LongestCommand)
            {
                aside.Add(b);
            }

            return;
        }

        var command = DumpNames.Text([.. aside]).TrimEnd();
        state = State.Sql;
        aside.Clear();
        previous = b;
        if (!Restriction().IsMatch(command))
        {
            var name = command.Split(' ', '\t')[0];
            throw DumpErrors.HasCommand(location, new string([.. name.Take(20).Select(c => char.IsControl(c) ? '?' : c)]));
        }
    }

    private void EndComment()
    {
        var text = DumpNames.Text([.. aside]).TrimEnd();
        aside.Clear();
        state = State.Sql;
        if (text == Trailer)
        {
            IsComplete = statement.WrittenCount == 0;
        }
        else if (ServerVersion is null && text.StartsWith("-- Dumped from database version ", StringComparison.Ordinal))
        {
            ServerVersion = text["-- Dumped from database version ".Length..].Split(' ')[0];
        }
    }

    private void EndStatement()
    {
        var text = DumpNames.Text(statement.WrittenSpan).TrimEnd();
        statement.ResetWrittenCount();
        parentheses = 0;
        IsComplete = false;
        Statements++;
        if (text.StartsWith("INSERT ", StringComparison.Ordinal))
        {
            Inserts++;
            return;
        }

        var words = Blanks().Replace(text, " ");
        if (DatabaseStatement().Match(words) is { Success: true } database)
        {
            throw DumpErrors.OtherDatabase(location, database.Value);
        }

        if (ServerStatement().Match(words) is { Success: true } server)
        {
            throw DumpErrors.WholeServer(location, server.Value);
        }

        if (CopyStatement().IsMatch(words))
        {
            var table = DumpNames.Copy(text, schema) ?? throw DumpErrors.NotSupported(location, "it has a COPY that is not FROM stdin, which pg_dump never writes");
            copying = tables.TryGetValue((table.Schema, table.Name), out var known) ? known : tables[(table.Schema, table.Name)] = table;
            dataNext = true;
            return;
        }

        Learn(text);
    }

    private void Learn(string text)
    {
        foreach (var (name, owns, granted, policy) in DumpNames.Roles(text))
        {
            roles.TryGetValue(name, out var use);
            roles[name] = new RoleUse(name, owns || use?.Owns == true, granted || use?.Granted == true, policy || use?.Policy == true);
        }

        if (DumpNames.Extension(text) is { } extension)
        {
            extensions[extension.Name] = extension.Schema;
        }
        else if (DumpNames.Setting(text, "client_encoding") is { } encoding)
        {
            Encoding = !s_unsafeEncodings.Contains(encoding) ? encoding : throw DumpErrors.NotSupported(location, $"it is written in {encoding}, in which a letter can look like a backslash");
        }
        else if (DumpNames.Setting(text, "standard_conforming_strings") is { } conforming)
        {
            backslashes = conforming != "on";
        }
        else if (DumpNames.Setting(text, "default_tablespace") is { Length: > 0 } tablespace)
        {
            tablespaces.Add(DumpNames.FirstSchema(tablespace) ?? tablespace);
        }
        else if (DumpNames.Setting(text, "search_path") is { } path)
        {
            schema = DumpNames.FirstSchema(path);
        }
    }

    private void Keep(byte b)
    {
        if (b is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t' && statement.WrittenCount == 0)
        {
            return;
        }

        if (statement.WrittenCount < LongestStatement)
        {
            statement.GetSpan(1)[0] = b;
            statement.Advance(1);
        }
    }

    /// <summary>Whether the letter before belongs to a longer word, as in <c>LIKE'…'</c>.</summary>
    private bool IsWordBefore()
    {
        var kept = statement.WrittenSpan;
        return kept.Length >= 2 && kept.Length < LongestStatement && IsWord(kept[^2]);
    }

    private static bool IsWord(byte b) => b is >= (byte)'a' and <= (byte)'z' or >= (byte)'A' and <= (byte)'Z' or >= (byte)'0' and <= (byte)'9' or (byte)'_' or >= 0x80 || b == '$';

    private static bool EndsWith(List<byte> bytes, string text)
    {
        for (var i = 1; i <= text.Length; i++)
        {
            if (bytes[^i] != text[^i])
            {
                return false;
            }
        }

        return true;
    }

    [GeneratedRegex(@"^(un)?restrict [A-Za-z0-9]+$", RegexOptions.CultureInvariant)]
    private static partial Regex Restriction();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();

    [GeneratedRegex(@"^((CREATE|ALTER|DROP|COMMENT ON|SECURITY LABEL .*?ON) DATABASE|(GRANT|REVOKE) .*? ON DATABASE) \S+", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex DatabaseStatement();

    // What pg_dump never writes into a dump of one database, and what would stay when the restore fails: shared by all databases.
    [GeneratedRegex(@"^((CREATE|ALTER|DROP|COMMENT ON|SECURITY LABEL .*?ON) (ROLE|USER(?! MAPPING)|GROUP|TABLESPACE|SYSTEM)|(GRANT|REVOKE) .*? ON (TABLESPACE|PARAMETER)|(DROP|REASSIGN) OWNED|(GRANT|REVOKE) (?:(?! ON ).)*? (TO|FROM))\b", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex ServerStatement();

    [GeneratedRegex(@"^COPY\b", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase)]
    private static partial Regex CopyStatement();
}
