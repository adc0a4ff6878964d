using System.Buffers;
using System.Text.RegularExpressions;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive.Dumps;

/// <summary>Reads a dump to its end: SQL as it is, and what pg_restore makes of its archives.</summary>
internal static partial class DumpReader
{
    private const int ReadBytes = 1 << 18;
    private const int HeadBytes = 1 << 16;

    /// <summary>Reads SQL through the scanner.</summary>
    /// <param name="sql">The dump.</param>
    /// <param name="location">For errors.</param>
    /// <param name="sink">Gets what psql may see; null to read only.</param>
    /// <param name="progress">Is told how many bytes have been read.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<DumpScanner> ScanAsync(Stream sql, string location, Func<ReadOnlyMemory<byte>, Task>? sink, Action<long> progress, CancellationToken cancellationToken)
    {
        var scanner = new DumpScanner(location);
        var passed = sink is null ? null : new ArrayBufferWriter<byte>(ReadBytes);
        var buffer = new byte[ReadBytes];
        long total = 0;
        while (await sql.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var n)
        {
            scanner.Feed(buffer.AsSpan(0, n), passed);
            if (passed is { WrittenCount: > 0 })
            {
                await sink!(passed.WrittenMemory).ConfigureAwait(false);
                passed.ResetWrittenCount();
            }

            progress(total += n);
        }

        scanner.End();
        return scanner;
    }

    /// <summary>Reads all that an archive of pg_dump's holds.</summary>
    /// <exception cref="MoltException"><c>DumpDamaged</c> with pg_restore's words.</exception>
    public static async Task<DumpScanner> ScanArchiveAsync(ClientTools tools, string path, string location, IOperationObserver observer, Action<long> progress, CancellationToken cancellationToken)
    {
        try
        {
            var child = ChildProgram.Start(tools.PgRestore, ["--file=-", path], new Dictionary<string, string>(), observer, redirectInput: false, cancellationToken);
            await using (child.ConfigureAwait(false))
            {
                var scanner = await ScanAsync(child.Output, location, null, progress, cancellationToken).ConfigureAwait(false);
                await child.CompleteAsync(cancellationToken).ConfigureAwait(false);
                return scanner;
            }
        }
        catch (MoltException e) when (e.Id == "ChildProgramFailed")
        {
            throw DumpErrors.Damaged(location, $"pg_restore cannot read it to its end: {e.Message}", e);
        }
    }

    /// <summary>What an archive's database was like, as far as its CREATE DATABASE says; null when it says nothing.</summary>
    public static async Task<DatabaseProperties?> PropertiesAsync(ClientTools tools, string path, string location, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var child = ChildProgram.Start(tools.PgRestore, ["--file=-", "--create", "--section=pre-data", path], new Dictionary<string, string>(), observer, redirectInput: false, cancellationToken);
        await using (child.ConfigureAwait(false))
        {
            var head = new byte[HeadBytes];
            var n = await child.Output.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            if (n == 0)
            {
                try
                {
                    await child.CompleteAsync(cancellationToken).ConfigureAwait(false);
                }
                catch (MoltException e) when (e.Id == "ChildProgramFailed")
                {
                    throw DumpErrors.Damaged(location, $"pg_restore cannot read it: {e.Message}", e);
                }
            }

            var match = Create().Match(DumpNames.Text(head.AsSpan(0, n)));
            if (!match.Success)
            {
                return null;
            }

            string? Part(string name) => match.Groups[name] is { Success: true } group ? group.Value.Replace("''", "'", StringComparison.Ordinal) : null;
            var locale = Part("locale");
            return new DatabaseProperties
            {
                Name = Part("name")!.Trim('"').Replace("\"\"", "\"", StringComparison.Ordinal),
                Owner = "",
                Encoding = Part("encoding")!,
                Collate = Part("collate") ?? locale ?? "C",
                CType = Part("ctype") ?? locale ?? "C",
                LocaleProvider = Part("provider") switch { "icu" => "i", "builtin" => "b", "libc" => "c", _ => null },
                Locale = Part("icu"),
            };
        }
    }

    [GeneratedRegex("""CREATE DATABASE (?<name>"(?:[^"]|"")+"|\S+) WITH TEMPLATE = template0 ENCODING = '(?<encoding>[^']+)'(?: LOCALE_PROVIDER = (?<provider>\w+))?(?: LOCALE = '(?<locale>(?:[^']|'')*)')?(?: LC_COLLATE = '(?<collate>(?:[^']|'')*)')?(?: LC_CTYPE = '(?<ctype>(?:[^']|'')*)')?(?: (?:ICU_LOCALE|BUILTIN_LOCALE) = '(?<icu>(?:[^']|'')*)')?""", RegexOptions.CultureInvariant)]
    private static partial Regex Create();
}
