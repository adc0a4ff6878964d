using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;

namespace MoltBeat.DR.Engine.Alerting;

/// <summary>
/// The alerts of one route that are yet to be sent: a file each, numbered, written before anything is tried. They hold no
/// secret. Several processes may add and send at once.
/// </summary>
internal sealed class AlertSpool
{
    private const string Extension = ".json";
    private const int LongestEntry = 1 << 18;
    private const int MostSetAside = 200;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);

    private readonly int most;

    /// <param name="root">The folder of all spools.</param>
    /// <param name="route">Whose this is.</param>
    /// <param name="most">So many may wait.</param>
    public AlertSpool(string root, string route, int most)
    {
        Folder = Path.Combine(root, "route-" + route.ToLowerInvariant());
        this.most = most;
    }

    public string Folder { get; }

    /// <summary>Where entries go that the service refuses, or that cannot be read.</summary>
    public string Refused => Path.Combine(Folder, "refused");

    /// <summary>Those that wait, in the order in which they came.</summary>
    public List<string> List() => Directory.Exists(Folder) ? Entries(Folder) : [];

    /// <summary>How many were set aside.</summary>
    public int CountRefused() => Directory.Exists(Refused) ? Entries(Refused).Count : 0;

    /// <summary>Writes an alert behind the others, durably.</summary>
    /// <returns>Its file's name.</returns>
    /// <exception cref="IOException">It cannot be written, or there is no room; then it is not there.</exception>
    public string Add(Alert alert)
    {
        PrivateFiles.MakeFolder(Folder);
        using var held = Wait(Path.Combine(Folder, "add.lock"));
        foreach (var left in Directory.EnumerateFiles(Folder, "0*" + PrivateFiles.PartialExtension))
        {
            // Of a writer that died: whoever holds the lock is the only one.
            PrivateFiles.TryDelete(left);
        }

        var waiting = Entries(Folder);
        if (waiting.Count >= most && !DropSuperseded(waiting))
        {
            throw new IOException($"{waiting.Count} alerts wait there already");
        }

        var name = string.Create(CultureInfo.InvariantCulture, $"{(waiting.Count > 0 ? Number(waiting[^1]) : 0) + 1:D12}-{alert.Id}{Extension}");
        PrivateFiles.Write(Path.Combine(Folder, name), JsonSerializer.SerializeToUtf8Bytes(alert, AlertJson.Default.Alert));
        return name;
    }

    public bool Has(string name) => File.Exists(Path.Combine(Folder, name));

    public bool HasRefused(string name) => File.Exists(Path.Combine(Refused, name));

    /// <summary>Whoever sends holds this; null while somebody else does.</summary>
    public FileStream? TryLock()
    {
        PrivateFiles.MakeFolder(Folder);
        return PrivateFiles.TryLock(Path.Combine(Folder, "send.lock"));
    }

    /// <summary>Reads an entry. One that is damaged yields false.</summary>
    /// <exception cref="FileNotFoundException">It is gone.</exception>
    public bool TryRead(string name, [NotNullWhen(true)] out Alert? alert)
    {
        alert = null;
        try
        {
            using var file = new FileStream(Path.Combine(Folder, name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            alert = file.Length <= LongestEntry ? JsonSerializer.Deserialize(file, AlertJson.Default.Alert) : null;
            return alert is { Id: not null, Key: not null, Source: not null, Problem: not null, Subject: not null, Summary: not null, Details: not null };
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Takes away what was sent. A crash before this lasts sends it once more.</summary>
    public void Remove(string name)
    {
        File.Delete(Path.Combine(Folder, name));
        FolderSync.Sync(Folder);
    }

    /// <summary>Puts an entry where somebody can look at it. The oldest leave when there are many.</summary>
    public void SetAside(string name)
    {
        PrivateFiles.MakeFolder(Refused);
        File.Move(Path.Combine(Folder, name), Path.Combine(Refused, name), overwrite: true);
        foreach (var old in Entries(Refused).SkipLast(MostSetAside))
        {
            PrivateFiles.TryDelete(Path.Combine(Refused, old));
        }
    }

    /// <summary>Makes room by the oldest message of which a later one says the same: that of the same kind about the same problem.</summary>
    private bool DropSuperseded(List<string> waiting)
    {
        var seen = new HashSet<(string, AlertKind)>();
        string? victim = null;
        foreach (var name in Enumerable.Reverse(waiting))
        {
            try
            {
                if (TryRead(name, out var alert) && !seen.Add((alert.Key, alert.Kind)))
                {
                    victim = name;
                }
            }
            catch (IOException)
            {
                return true; // Another process has just sent it.
            }
        }

        if (victim is not null)
        {
            File.Delete(Path.Combine(Folder, victim));
        }

        return victim is not null;
    }

    private static FileStream Wait(string path)
    {
        var until = Environment.TickCount64 + (long)s_patience.TotalMilliseconds;
        while (true)
        {
            if (PrivateFiles.TryLock(path) is { } held)
            {
                return held;
            }

            if (Environment.TickCount64 > until)
            {
                throw new IOException("other processes held the spool all the time");
            }

            Thread.Sleep(Random.Shared.Next(1, 10));
        }
    }

    private static List<string> Entries(string folder)
        => [.. Directory.EnumerateFiles(folder, "*" + Extension).Select(f => Path.GetFileName(f)!).Where(n => Number(n) > 0).Order(StringComparer.Ordinal)];

    private static long Number(string name)
        => name.Length > 13 && name[12] == '-' && long.TryParse(name.AsSpan(0, 12), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
}
