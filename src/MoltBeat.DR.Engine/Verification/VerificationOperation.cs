using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using MoltBeat.DR.Engine.Application;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Catalog;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Storage;
using ZstdSharp;

namespace MoltBeat.DR.Engine.Verification;

/// <summary>Looks whether a backup can be trusted, and keeps what it found beside the backup.</summary>
public sealed class VerificationOperation
{
    private readonly VerificationOptions options;
    private readonly IOperationObserver observer;
    private readonly List<VerificationCheck> checks = [];

    private VerificationOperation(VerificationOptions options, IOperationObserver observer)
    {
        this.options = options;
        this.observer = observer;
    }

    /// <param name="store">Where the backup is.</param>
    /// <param name="name">Its file name.</param>
    /// <param name="options">How much to look at.</param>
    /// <param name="observer">Is told of the progress, and when the result could not be recorded.</param>
    /// <param name="cancellationToken">Stops it; then nothing is recorded.</param>
    /// <returns>The result, also when the backup is no good.</returns>
    /// <exception cref="MoltException"><c>BackupNotFound</c>, <c>StoreNotReadable</c>, <c>ArchiveVersionUnknown</c>.</exception>
    public static async Task<VerificationResult> RunAsync(IBackupStore store, string name, VerificationOptions options, IOperationObserver observer, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        var operation = new VerificationOperation(options, observer);
        var input = await store.OpenAsync(await store.FindAsync(name, cancellationToken).ConfigureAwait(false), manifestOnly: false, cancellationToken).ConfigureAwait(false);
        var location = input.Location;
        Manifest? manifest = null;
        try
        {
            var archive = await ArchiveReader.OpenAsync(input, cancellationToken, options.Access).ConfigureAwait(false);
            await using (archive.ConfigureAwait(false))
            {
                manifest = archive.Manifest;
                var lease = await ReadLease.TakeAsync(store, name, manifest.Id, "verification", observer, TimeProvider.System, cancellationToken).ConfigureAwait(false);
                await using (lease.ConfigureAwait(false))
                {
                    await operation.CheckAsync(archive, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (MoltException e) when (e.Id is "SignatureMissing" or "SignatureWrong" or "SignerNotTrusted" or "ArchiveRenamed")
        {
            operation.Add("Signature", CheckStatus.Failed, SignatureProves, e.Message);
        }
        catch (MoltException e) when (e.Id is "NotAnArchive" or "ArchiveDamaged")
        {
            operation.Add("Manifest", CheckStatus.Failed, ManifestProves, e.Message);
        }

        var result = new VerificationResult(name, location, manifest?.Id, manifest?.Database, options.Level, operation.checks, DateTimeOffset.UtcNow, clock.Elapsed);
        if (manifest is not null)
        {
            try
            {
                var record = new VerificationRecord(manifest.Id, options.Level.ToString(), result.Passed, result.Time, Environment.MachineName, result.Failed.Select(c => c.Name).ToList());
                await BackupCatalog.RecordAsync(store, name, record, cancellationToken).ConfigureAwait(false);
            }
            catch (MoltException e)
            {
                observer.Warning($"The result could not be recorded beside the backup: {e.Message}");
            }
        }

        return result;
    }

    private const string SignatureProves = "A key that you trust has signed it, under this name: nobody changed, swapped or renamed it since.";

    private const string ManifestProves = "The archive is whole to its last byte, and says what it holds.";

    private async Task CheckAsync(ArchiveReader archive, CancellationToken cancellationToken)
    {
        var manifest = archive.Manifest;
        Add("Manifest", CheckStatus.Passed, ManifestProves, $"{manifest.Members.Count} members, manifest's SHA-256 as the index gives it");
        if (archive.Signer is { } signer)
        {
            Add("Signature", CheckStatus.Passed, SignatureProves, $"signed by {signer}");
        }
        else if (archive.Signature is not null)
        {
            Add("Signature", CheckStatus.Skipped, SignatureProves, "it is signed, and the plan names no trustedSigners to hold that against");
        }

        CheckSize(archive);
        CheckAge(manifest);
        await CheckLayoutAsync(archive, cancellationToken).ConfigureAwait(false);
        if (options.Level == VerificationLevel.Quick)
        {
            await CheckMembersAsync(archive, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await CheckFullAsync(archive, cancellationToken).ConfigureAwait(false);
        }
    }

    private void CheckSize(ArchiveReader archive)
        => Add("Size", archive.Length >= options.MinimumSize ? CheckStatus.Passed : CheckStatus.Failed, "It is no smaller than a backup of this database should be.",
            string.Create(CultureInfo.InvariantCulture, $"{archive.Length:N0} bytes, at least {options.MinimumSize:N0} wanted"));

    private void CheckAge(Manifest manifest)
    {
        const string Proves = "It is recent enough, and not dated in the future.";
        var age = DateTimeOffset.UtcNow - manifest.Created;
        var detail = string.Create(CultureInfo.InvariantCulture, $"taken {manifest.Created.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, {age.TotalHours:N1} hours ago");
        if (age < -BackupCatalog.ClockTolerance)
        {
            Add("Age", CheckStatus.Failed, Proves, $"dated in the future: {detail}");
        }
        else if (options.MaxAge is { } most)
        {
            Add("Age", age <= most ? CheckStatus.Passed : CheckStatus.Failed, Proves, $"{detail}; at most {most.TotalHours.ToString("N1", CultureInfo.InvariantCulture)} hours wanted");
        }
        else
        {
            Add("Age", CheckStatus.Passed, "It is not dated in the future.", detail);
        }
    }

    /// <summary>tar sees the same members as the manifest: restore.sh depends on it.</summary>
    private async Task CheckLayoutAsync(ArchiveReader archive, CancellationToken cancellationToken)
    {
        const string Proves = "tar finds exactly the members that the manifest names.";
        var members = archive.Manifest.Members.Append(new MemberInfo(ArchiveFormat.Manifest, archive.Index.ManifestOffset, archive.Index.ManifestLength, "")).ToList();
        if (archive.Signature is { } signature)
        {
            members.Add(new MemberInfo(ArchiveFormat.Signature, archive.Index.SignatureOffset, signature.Length, ""));
        }

        var problems = new ConcurrentBag<string>();

        // The end of each member and the header of the next lie together: one read for both.
        await Parallel.ForEachAsync(Enumerable.Range(0, members.Count), new ParallelOptions { MaxDegreeOfParallelism = options.Jobs, CancellationToken = cancellationToken }, async (at, token) =>
        {
            var member = members[at];
            var before = at == 0 ? 0 : members[at - 1].Offset + members[at - 1].Length;
            var between = await archive.ReadRawAsync(before, (int)(member.Offset - before), token).ConfigureAwait(false);
            var header = TarHeader.Parse(between.AsSpan(between.Length - TarHeader.BlockBytes));
            if (header is not { } found || found.Name != member.Name || found.Length != member.Length)
            {
                problems.Add($"the tar header of {member.Name} is damaged or says something else");
            }

            if (between.AsSpan(0, between.Length - TarHeader.BlockBytes).ContainsAnyExcept((byte)0))
            {
                problems.Add($"behind {members[at - 1].Name} there is something where nothing should be");
            }
        }).ConfigureAwait(false);
        var last = members[^1];
        if ((await archive.ReadRawAsync(last.Offset + last.Length, TarHeader.Padding(last.Length), cancellationToken).ConfigureAwait(false)).AsSpan().ContainsAnyExcept((byte)0))
        {
            problems.Add($"behind {last.Name} there is something where nothing should be");
        }

        if (!problems.IsEmpty)
        {
            Add("Layout", CheckStatus.Failed, Proves, problems.Order(StringComparer.Ordinal).First());
            return;
        }

        Add("Layout", CheckStatus.Passed, Proves, "all tar headers agree with the manifest");
    }

    private async Task CheckMembersAsync(ArchiveReader archive, CancellationToken cancellationToken)
    {
        var bad = new List<string>();
        long done = 0;
        var buffer = new byte[1 << 20];
        foreach (var member in archive.Manifest.Members)
        {
            var expected = options.PlainDigests?.GetValueOrDefault(ArchiveFormat.PlainName(member.Name));
            using var hash = expected is null ? null : IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            try
            {
                var stream = expected is null ? archive.OpenMember(member) : archive.OpenPlain(member);
                await using (stream.ConfigureAwait(false))
                {
                    int n;
                    while ((n = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
                    {
                        hash?.AppendData(buffer, 0, n);
                        done += n;
                        Report(archive, done);
                    }
                }

                if (hash is not null && Convert.ToHexStringLower(hash.GetHashAndReset()) != expected)
                {
                    bad.Add(member.Name);
                }
            }
            catch (MoltException e) when (e.Id is "ArchiveDamaged" or "MemberTampered" or "MemberNotOpenPgp")
            {
                bad.Add(member.Name);
            }
        }

        if (options.PlainDigests is { } digests && digests.Keys.FirstOrDefault(n => !archive.Has(n)) is { } missing)
        {
            bad.Add(missing);
        }

        AddMembers(bad, archive.Manifest.Members.Count);
    }

    private void AddMembers(IReadOnlyCollection<string> bad, int count)
        => Add("Members", bad.Count == 0 ? CheckStatus.Passed : CheckStatus.Failed, "Every stored byte is the one that was written.",
            bad.Count == 0 ? $"SHA-256 of all {count} members as the manifest gives them" : $"damaged: {string.Join(", ", bad.Take(10))}{(bad.Count > 10 ? $" and {bad.Count - 10} more" : "")}");

    private async Task CheckFullAsync(ArchiveReader archive, CancellationToken cancellationToken)
    {
        var badMembers = new List<string>();
        var contents = await ReadContentsAsync(archive, cancellationToken).ConfigureAwait(false);
        long done = 0;
        var badRows = new List<string>();
        var parts = (contents?.Tables ?? []).SelectMany(t => t.Parts.Select(p => (Table: t, Part: p))).ToList();
        await Parallel.ForEachAsync(parts, new ParallelOptions { MaxDegreeOfParallelism = options.Jobs, CancellationToken = cancellationToken }, async (item, token) =>
        {
            var member = archive.Member(item.Part.Member);
            try
            {
                var rows = archive.OpenCompressed(member);
                await using (rows.ConfigureAwait(false))
                {
                    var (digest, bytes) = await RowCounter.CountAsync(rows, item.Table.Format, item.Part.RawBytes, null, token).ConfigureAwait(false);
                    if (digest.Rows != item.Part.Rows || digest.ToHex() != item.Part.Digest || bytes != item.Part.RawBytes)
                    {
                        Note(badRows, $"{item.Part.Member} ({item.Table.QuotedName}): {digest.Rows} rows, {item.Part.Rows} expected, or another digest");
                    }
                }
            }
            catch (Exception e) when (e is MoltException { Id: "ArchiveDamaged" or "MemberTampered" or "CopyDataMalformed" } or ZstdException or EndOfStreamException)
            {
                Note(badMembers, item.Part.Member);
            }

            Report(archive, Interlocked.Add(ref done, member.Length));
        }).ConfigureAwait(false);

        var (goodExtras, badExtras) = await CheckExtrasAsync(archive, contents, cancellationToken).ConfigureAwait(false);

        // The members that hold no rows are hashed as in Quick.
        var partNames = parts.Select(p => p.Part.Member).Concat(goodExtras).ToHashSet(StringComparer.Ordinal);
        var buffer = new byte[1 << 18];
        foreach (var member in archive.Manifest.Members.Where(m => !partNames.Contains(ArchiveFormat.PlainName(m.Name))))
        {
            try
            {
                var stream = archive.OpenMember(member);
                await using (stream.ConfigureAwait(false))
                {
                    while (await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) > 0)
                    {
                    }
                }
            }
            catch (MoltException e) when (e.Id == "ArchiveDamaged")
            {
                badMembers.Add(member.Name);
            }
        }

        try
        {
            await archive.ReadDescriptionAsync(ArchiveFormat.Globals, cancellationToken).ConfigureAwait(false);
        }
        catch (MoltException e) when (e.Id is "ArchiveDamaged" or "MemberTampered")
        {
            badMembers.Add(ArchiveFormat.Globals);
        }

        AddMembers(badMembers.Distinct().ToList(), archive.Manifest.Members.Count);
        AddRows(archive, contents, badRows, badMembers);
        AddExtras(contents, badExtras);
        await CheckDumpAsync(archive, contents, cancellationToken).ConfigureAwait(false);
    }

    private static void Note(List<string> list, string what)
    {
        lock (list)
        {
            list.Add(what);
        }
    }

    private async Task<Contents?> ReadContentsAsync(ArchiveReader archive, CancellationToken cancellationToken)
    {
        const string Proves = "What a restore is held against is there, and adds up.";
        try
        {
            var contents = await archive.ReadContentsAsync(cancellationToken).ConfigureAwait(false);
            Add("Contents", CheckStatus.Passed, Proves, $"{contents.Tables.Count} tables with row counts and digests");
            return contents;
        }
        catch (MoltException e) when (e.Id is "ArchiveDamaged" or "MemberTampered")
        {
            Add("Contents", CheckStatus.Failed, Proves, e.Message);
            return null;
        }
    }

    private void AddRows(ArchiveReader archive, Contents? contents, List<string> badRows, List<string> badMembers)
    {
        const string Proves = "Every row decompresses, and row counts and digests are those taken in the snapshot.";
        if (contents is null)
        {
            Add("Rows", CheckStatus.Failed, Proves, "the contents are not readable, so no row could be checked");
        }
        else if (badRows.Count > 0 || badMembers.Any(m => m.StartsWith(ArchiveFormat.DataFolder, StringComparison.Ordinal)))
        {
            Add("Rows", CheckStatus.Failed, Proves, string.Join("; ", badRows.Concat(badMembers.Where(m => m.StartsWith(ArchiveFormat.DataFolder, StringComparison.Ordinal)).Select(m => $"{m} is damaged")).Take(10)));
        }
        else
        {
            Add("Rows", CheckStatus.Passed, Proves, string.Create(CultureInfo.InvariantCulture, $"{archive.Manifest.Rows:N0} rows of {contents.Tables.Count} tables"));
        }
    }

    /// <returns>The members that are right, and what is wrong with others, as sentences.</returns>
    private async Task<(List<string> Good, List<string> Bad)> CheckExtrasAsync(ArchiveReader archive, Contents? contents, CancellationToken cancellationToken)
    {
        var good = new List<string>();
        var bad = new List<string>();
        foreach (var (extra, part) in (contents?.Extras ?? []).SelectMany(e => e.Parts.Select(p => (e, p))))
        {
            try
            {
                var content = archive.OpenExtra(part);
                await using (content.ConfigureAwait(false))
                {
                    // A folder is unpacked as a restore would unpack it, but for the writing.
                    var folder = extra.Kind == ExtraKind.Folder ? new FolderUnpacker(ExtraNames.Safe(extra.Name), null, observer) : null;
                    if (folder is not null)
                    {
                        await folder.UnpackAsync(content, cancellationToken).ConfigureAwait(false);
                    }

                    await content.DrainAsync(cancellationToken).ConfigureAwait(false);
                    if (folder is not null && folder.Items != part.Items)
                    {
                        bad.Add($"{extra}: it holds {folder.Items} files and folders, and the contents say {part.Items}");
                        continue;
                    }
                }

                good.Add(part.Member);
            }
            catch (MoltException e) when (e.Id is "ArchiveDamaged" or "MemberTampered" or "FolderEntryRefused")
            {
                bad.Add($"{extra}: {e.Message}");
            }
        }

        return (good, bad);
    }

    private void AddExtras(Contents? contents, List<string> bad)
    {
        const string Proves = "What was taken along beside the database decompresses, and is what was read then, byte for byte; folders can be unpacked.";
        if (contents is null || contents.Extras.Count == 0)
        {
            return; // a backup without them promises nothing of the kind
        }

        if (bad.Count > 0)
        {
            Add("Extras", CheckStatus.Failed, Proves, string.Join("; ", bad.Take(10)));
            return;
        }

        var missing = contents.Extras.Where(e => e.Missing is not null).Select(e => $"; {e} was not taken: {e.Missing}");
        Add("Extras", CheckStatus.Passed, Proves, string.Join(", ", contents.Extras.Where(e => e.Missing is null).GroupBy(e => e.Kind)
            .Select(g => string.Create(CultureInfo.InvariantCulture, $"{g.Key}: {g.Sum(e => e.Items):N0} in {g.Count():N0}")).DefaultIfEmpty("nothing to check")) + string.Concat(missing));
    }

    /// <summary>pg_restore reads the dump to its end, and finds no rows of the tables that we copied.</summary>
    private async Task CheckDumpAsync(ArchiveReader archive, Contents? contents, CancellationToken cancellationToken)
    {
        const string Proves = "pg_restore can read the dump of all else to its end.";
        try
        {
            var tools = ClientTools.Find(DumpFile.MajorOf(archive.Manifest.Tools.PgDump), options.ClientToolFolder);
            var dump = await DumpFile.ExtractAsync(archive, cancellationToken, options.HasMemoryFiles).ConfigureAwait(false);
            await using (dump.ConfigureAwait(false))
            {
                var list = await DumpList.ReadAsync(tools, dump, observer, cancellationToken).ConfigureAwait(false);
                // The list stands at the dump's head: it says nothing about large objects cut off behind it.
                await dump.RunAsync(tools, ["--file=" + (OperatingSystem.IsWindows() ? "NUL" : "/dev/null")], new Dictionary<string, string>(), observer, 1 << 20, cancellationToken).ConfigureAwait(false);
                var copied = (contents?.Tables ?? []).Select(t => t.Oid).ToHashSet();
                var twice = list.Entries.Count(e => e.Kind == "TABLE DATA" && copied.Contains(e.Oid));
                Add("Dump", twice == 0 ? CheckStatus.Passed : CheckStatus.Failed, Proves,
                    twice == 0 ? $"pg_restore {tools.Version} lists {list.Entries.Count} entries" : $"{twice} tables' rows are in the dump as well as in parts");
            }
        }
        catch (MoltException e) when (e.Id is "ClientToolsMissing" or "ClientToolsTooOld")
        {
            Add("Dump", CheckStatus.Skipped, Proves, e.Message);
        }
        catch (MoltException e) when (e.Id is "ChildProgramFailed" or "ArchiveDamaged" or "MemberTampered")
        {
            Add("Dump", CheckStatus.Failed, Proves, e.Message);
        }
    }

    private void Report(ArchiveReader archive, long done)
        => observer.Progress(new OperationProgress($"Verifying {Path.GetFileName(archive.Location)}",
            string.Create(CultureInfo.InvariantCulture, $"{done / 1e6:N0} of {archive.Length / 1e6:N0} MB"), Math.Min(1.0, (double)done / archive.Length), null));

    private void Add(string name, CheckStatus status, string proves, string detail) => checks.Add(new VerificationCheck(name, status, proves, detail));
}
