using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using MoltBeat.DR.Engine.Archive.Dumps;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Dumps;

/// <summary>
/// Streams SQL into psql, in one transaction. psql itself is told to obey no command but SQL (<c>\restrict</c>), with a key
/// that nobody who made the dump can know.
/// </summary>
internal sealed class PsqlLoad(ClientTools tools, PinnedServer work, DumpSource source, RestoreOptions options, IOperationObserver observer)
{
    /// <summary>The first releases whose psql knows <c>\restrict</c>; from 18 on all do.</summary>
    private static readonly Dictionary<int, int> s_restrict = new() { [13] = 22, [14] = 19, [15] = 14, [16] = 10, [17] = 6 };

    /// <exception cref="MoltException"><c>PsqlTooOld</c>, <c>DumpOptionInvalid</c>.</exception>
    public static void CheckOptions(RestoreOptions options, ClientTools tools, string location)
    {
        if (options.NoOwner || options.NoTablespaces)
        {
            throw new MoltException("DumpOptionInvalid", ErrorKind.InvalidArgument, $"{location} is SQL: who owns what, and where it lies, is part of its text, and leaving some of that out could harm the rest.",
                "Leave -NoOwner and -NoTablespaces out. -CreateRoles makes the missing roles, without the right to log in.", options.NoOwner ? "NoOwner" : "NoTablespaces");
        }

        if (!Restricts(tools.Version))
        {
            throw new MoltException("PsqlTooOld", ErrorKind.NotInstalled, $"psql {tools.Version} in {tools.Folder} cannot be kept from running commands that a dump holds (\\restrict).",
                "Install the newest release of PostgreSQL's client programs (13.22, 14.19, 15.14, 16.10, 17.6 or newer), or name their folder with -ClientToolPath.", tools.Folder);
        }
    }

    /// <summary>Whether psql of this version, such as <c>15.18</c>, knows <c>\restrict</c>.</summary>
    internal static bool Restricts(string version)
    {
        var parts = version.Split('.');
        var major = int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var first) ? first : 0;
        return major >= 18 || (s_restrict.TryGetValue(major, out var least) && parts.Length > 1 && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var minor) && minor >= least);
    }

    /// <param name="expected">What the same dump was when it was looked at: should it have become another since, nothing of it is kept.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MoltException"><c>RestoreFailed</c>, <c>DumpDamaged</c>.</exception>
    public async Task<bool> RunAsync(DumpScanner expected, CancellationToken cancellationToken)
    {
        var all = expected.Tables.Sum(t => t.Bytes);
        var environment = work.ChildEnvironment("restore", SessionSettings.ChildOptions(work.Version.Major) + " -c synchronous_commit=off");
        var psql = ChildProgram.Start(tools.Psql, ["--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1", "--single-transaction", "--dbname=" + work.ChildDatabase(), "--output=" + (OperatingSystem.IsWindows() ? "NUL" : "/dev/null"), "--file=-"],
            environment, observer, redirectInput: true, cancellationToken);
        await using (psql.ConfigureAwait(false))
        {
            var said = psql.Output.CopyToAsync(Stream.Null, cancellationToken);
            try
            {
                var key = Convert.ToHexString(RandomNumberGenerator.GetBytes(24));
                await WriteAsync(psql, Encoding.ASCII.GetBytes($"\\restrict {key}\n"), cancellationToken).ConfigureAwait(false);
                var sql = await source.OpenAsync(cancellationToken).ConfigureAwait(false);
                await using (sql.ConfigureAwait(false))
                {
                    var seen = await DumpReader.ScanAsync(sql, source.Location, bytes => WriteAsync(psql, bytes, cancellationToken), n => Report(n, all), cancellationToken).ConfigureAwait(false);
                    if (seen.Digest != expected.Digest)
                    {
                        throw DumpErrors.Damaged(source.Location, "it is not what it was a moment ago");
                    }
                }

                await WriteAsync(psql, Encoding.ASCII.GetBytes($"\n\\unrestrict {key}\n"), cancellationToken).ConfigureAwait(false);
            }
            catch (PsqlEndedException)
            {
                // It has ended before it read all: what it said is the reason.
            }

            try
            {
                await psql.CompleteAsync(cancellationToken).ConfigureAwait(false);
                await said.ConfigureAwait(false);
            }
            catch (MoltException e) when (e.Id == "ChildProgramFailed")
            {
                throw new MoltException("RestoreFailed", ErrorKind.Failed, $"Restoring {source.Location} failed: {e.Message}", "Mend what the statement named needs, and restore again; -KeepFailed leaves the half-made database to look at.", options.TargetDatabase, e);
            }
        }

        return true;
    }

    /// <summary>Only that psql does not listen any more is its own affair. Should the dump not be readable, psql must not come to its end, where it would commit.</summary>
    private static async Task WriteAsync(ChildProgram psql, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            await psql.Input.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
            await psql.Input.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw new PsqlEndedException(e);
        }
    }

    private sealed class PsqlEndedException(Exception inner) : Exception("psql has ended.", inner);

    private void Report(long bytes, long all)
        => observer.Progress(new OperationProgress($"Restoring {options.TargetDatabase}", string.Create(CultureInfo.InvariantCulture, $"loading: {bytes / 1e6:N0} MB"), all > 0 ? Math.Min(1.0, (double)bytes / all) : null, null));
}
