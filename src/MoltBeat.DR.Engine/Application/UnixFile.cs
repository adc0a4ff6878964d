using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace MoltBeat.DR.Engine.Application;

/// <summary>What kind of thing has a name in a folder.</summary>
internal enum FileKind
{
    Regular,
    Folder,
    Link,

    /// <summary>A socket, a device, a named pipe.</summary>
    Special,
}

/// <summary>A file as the system tells of it; what only Linux tells is null or 0 elsewhere.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Modified">UTC, to the nanoseconds that a <see cref="DateTimeOffset"/> takes.</param>
/// <param name="Mode">Permission bits, those of setuid, setgid and sticky among them; null on Windows.</param>
/// <param name="Owner">User's number.</param>
/// <param name="Group">Group's number.</param>
/// <param name="Links">How many names it has.</param>
/// <param name="Identity">The same for all names of one file, and for no other.</param>
internal sealed record FileFacts(FileKind Kind, long Length, DateTimeOffset Modified, UnixFileMode? Mode, int? Owner, int? Group, uint Links, (ulong Device, ulong Number) Identity)
{
    /// <summary>Whether somebody has written to it between two looks at it.</summary>
    public bool Unchanged(FileFacts later) => Length == later.Length && Modified == later.Modified && Identity == later.Identity && Kind == later.Kind;
}

/// <summary>Owners of files, for which .NET has nothing. On Linux; elsewhere files have none here.</summary>
internal static partial class UnixFile
{
    private const int Here = -100; // AT_FDCWD
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    private const uint BasicStats = 0x7ff; // STATX_BASIC_STATS
    private const int Enoent = 2;
    private const int Enotdir = 20;

    // Found once, as files are many and names may come from a directory service; one that is missing may come yet.
    private static readonly ConcurrentDictionary<string, int> Users = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, int> Groups = new(StringComparer.Ordinal);

    /// <summary>Whether this process may give files to others.</summary>
    public static bool MayGiveAway => OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess;

    /// <summary>Looks at a file.</summary>
    /// <param name="path">Its name.</param>
    /// <param name="follow">Whether a symbolic link is looked through.</param>
    /// <returns>Null when there is none.</returns>
    /// <exception cref="IOException">It cannot be looked at.</exception>
    public static FileFacts? Look(string path, bool follow = false)
    {
        if (OperatingSystem.IsLinux())
        {
            return Statx(Here, path, follow ? 0 : NoFollow);
        }

        FileSystemInfo info = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
        if (follow && info.LinkTarget is not null)
        {
            info = info.ResolveLinkTarget(returnFinalTarget: true) ?? info;
        }

        if (!info.Exists && info.LinkTarget is null)
        {
            return null;
        }

        var kind = info.LinkTarget is not null ? FileKind.Link : info is DirectoryInfo ? FileKind.Folder : (info.Attributes & FileAttributes.Device) != 0 ? FileKind.Special : FileKind.Regular;
        return new FileFacts(kind, info is FileInfo { Exists: true } file ? file.Length : 0, info.LastWriteTimeUtc, OperatingSystem.IsWindows() ? null : info.UnixFileMode, null, null, 1, default);
    }

    /// <summary>Looks at an open file.</summary>
    public static FileFacts Look(SafeFileHandle file)
    {
        if (OperatingSystem.IsLinux())
        {
            return Statx((int)file.DangerousGetHandle(), "", EmptyPath) ?? throw new IOException("An open file cannot be looked at.");
        }

        return new FileFacts(FileKind.Regular, RandomAccess.GetLength(file), File.GetLastWriteTimeUtc(file), OperatingSystem.IsWindows() ? null : File.GetUnixFileMode(file), null, null, 1, default);
    }

    /// <summary>Whether this process may read a file.</summary>
    public static bool MayRead(string path) => !OperatingSystem.IsLinux() || Access(path, 4) == 0;

    /// <summary>Opens a file to read. Never waits: what was a file may have become a pipe.</summary>
    public static SafeFileHandle OpenToRead(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }

        var file = Open(path, 0x800 | 0x80000); // O_RDONLY | O_NONBLOCK | O_CLOEXEC
        return file >= 0 ? new SafeFileHandle(file, ownsHandle: true) : throw Marshal.GetLastPInvokeError() switch
        {
            Enoent or Enotdir => new FileNotFoundException(null, path),
            var error => new IOException(Marshal.GetPInvokeErrorMessage(error)),
        };
    }

    /// <summary>Makes all that was written to a folder's file system durable.</summary>
    public static void SyncAll(string folder)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using var handle = OpenToRead(folder);
        if (SyncFileSystem((int)handle.DangerousGetHandle()) != 0)
        {
            throw new IOException($"{folder} cannot be synced: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
        }
    }

    /// <summary>Gives a file a second name; where there is no such thing, a copy.</summary>
    public static void Link(string file, string name)
    {
        if (!OperatingSystem.IsLinux())
        {
            File.Copy(file, name);
        }
        else if (HardLink(file, name) != 0)
        {
            throw new IOException($"{name} cannot be made: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}.");
        }
    }

    /// <summary>A user's name; the number when it has none.</summary>
    public static string? UserName(int? id) => id is { } number ? Name(GetUser, number) : null;

    /// <summary>A group's name; the number when it has none.</summary>
    public static string? GroupName(int? id) => id is { } number ? Name(GetGroup, number) : null;

    /// <summary>Gives a file, or the link itself, to a user and a group.</summary>
    /// <param name="path">The file.</param>
    /// <param name="owner">Name or number; null leaves the owner.</param>
    /// <param name="group">Name or number; null leaves the group.</param>
    /// <returns>What could not be done, as a sentence; null when all was.</returns>
    public static string? Give(string path, string? owner, string? group)
    {
        if (!MayGiveAway || (owner is null && group is null))
        {
            return null;
        }

        var (user, members) = (IdOf(owner, FindUser, Users), IdOf(group, FindGroup, Groups));
        if (ChangeOwner(Here, path, user ?? -1, members ?? -1, NoFollow) != 0)
        {
            return $"it could not be given to {owner}:{group} (errno {Marshal.GetLastPInvokeError()})";
        }

        return owner is not null && user is null ? $"there is no user {owner} here" : group is not null && members is null ? $"there is no group {group} here" : null;
    }

    private static FileFacts? Statx(int at, string path, int flags)
    {
        // struct statx is the same on all architectures; the older calls' are not.
        var found = new byte[256];
        if (Statx(at, path, flags, BasicStats, found) != 0)
        {
            return Marshal.GetLastPInvokeError() is var error and not (Enoent or Enotdir) ? throw new IOException($"{path} cannot be looked at: {Marshal.GetPInvokeErrorMessage(error)}.") : null;
        }

        uint Int(int offset) => BinaryPrimitives.ReadUInt32LittleEndian(found.AsSpan(offset));
        ulong Long(int offset) => BinaryPrimitives.ReadUInt64LittleEndian(found.AsSpan(offset));
        if (!BitConverter.IsLittleEndian)
        {
            throw new PlatformNotSupportedException();
        }

        var mode = BinaryPrimitives.ReadUInt16LittleEndian(found.AsSpan(28));
        var kind = (mode & 0xf000) switch { 0x8000 => FileKind.Regular, 0x4000 => FileKind.Folder, 0xa000 => FileKind.Link, _ => FileKind.Special };
        var modified = DateTimeOffset.FromUnixTimeSeconds(Math.Clamp((long)Long(112), DateTimeOffset.MinValue.ToUnixTimeSeconds(), DateTimeOffset.MaxValue.ToUnixTimeSeconds())).AddTicks(Int(120) / 100);
        return new FileFacts(kind, (long)Long(40), modified, (UnixFileMode)(mode & 0xfff), (int)Int(20), (int)Int(24), Int(16), (((ulong)Int(136) << 32) | Int(140), Long(32)));
    }

    private delegate int GetById(int id, byte[] record, byte[] strings, nint length, out nint result);

    private delegate int GetByName(string name, byte[] record, byte[] strings, nint length, out nint result);

    // Both records begin with a pointer to the name; the number stands behind two pointers.
    private static string Name(GetById get, int id)
    {
        var (record, strings) = Buffers();
        return get(id, record, strings, strings.Length, out var found) == 0 && found != 0
            ? Marshal.PtrToStringUTF8(MemoryMarshal.Read<nint>(record)) is { Length: > 0 } name ? name : Number(id)
            : Number(id);
    }

    // Pinned: one holds pointers into the other.
    private static (byte[] Record, byte[] Strings) Buffers() => (GC.AllocateArray<byte>(256, pinned: true), GC.AllocateArray<byte>(1 << 14, pinned: true));

    private static string Number(int id) => unchecked((uint)id).ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static int? IdOf(string? name, GetByName find, ConcurrentDictionary<string, int> known)
    {
        if (name is null)
        {
            return null;
        }

        if (known.TryGetValue(name, out var id))
        {
            return id;
        }

        var (record, strings) = Buffers();
        if (find(name, record, strings, strings.Length, out var found) == 0 && found != 0)
        {
            return known[name] = MemoryMarshal.Read<int>(record.AsSpan(2 * nint.Size));
        }

        return uint.TryParse(name, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number) ? unchecked((int)number) : null;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Statx(int at, string path, int flags, uint mask, [Out] byte[] found);

    [LibraryImport("libc", EntryPoint = "access", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Access(string path, int mode);

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "syncfs", SetLastError = true)]
    private static partial int SyncFileSystem(int file);

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int HardLink(string file, string name);

    [LibraryImport("libc", EntryPoint = "fchownat", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int ChangeOwner(int at, string path, int owner, int group, int flags);

    [LibraryImport("libc", EntryPoint = "getpwuid_r")]
    private static partial int GetUser(int id, [Out] byte[] record, [Out] byte[] strings, nint length, out nint result);

    [LibraryImport("libc", EntryPoint = "getgrgid_r")]
    private static partial int GetGroup(int id, [Out] byte[] record, [Out] byte[] strings, nint length, out nint result);

    [LibraryImport("libc", EntryPoint = "getpwnam_r", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int FindUser(string name, [Out] byte[] record, [Out] byte[] strings, nint length, out nint result);

    [LibraryImport("libc", EntryPoint = "getgrnam_r", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int FindGroup(string name, [Out] byte[] record, [Out] byte[] strings, nint length, out nint result);
}
