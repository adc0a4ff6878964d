namespace MoltBeat.DR.Engine.Audit;

/// <summary>The end of a file of lines.</summary>
/// <param name="Line">The last whole line, without its end; null when there is none.</param>
/// <param name="Rest">What stands behind the last line end: empty, but for a writer that died.</param>
internal sealed record AuditTail(byte[]? Line, byte[] Rest)
{
    private const int Chunk = 16 << 10;

    /// <summary>Reads no more of the file than it has to.</summary>
    public static AuditTail Of(FileStream file)
    {
        for (long size = Chunk; ; size *= 4)
        {
            var from = Math.Max(0, file.Length - size);
            var bytes = new byte[file.Length - from];
            file.Position = from;
            file.ReadExactly(bytes);
            var end = Array.LastIndexOf(bytes, (byte)'\n');
            var start = end <= 0 ? -1 : Array.LastIndexOf(bytes, (byte)'\n', end - 1);
            if (from > 0 && start < 0 && size <= AuditLine.Longest * 4L)
            {
                continue;
            }

            return end < 0 ? new AuditTail(null, bytes) : new AuditTail(bytes[(start + 1)..end], bytes[(end + 1)..]);
        }
    }
}
