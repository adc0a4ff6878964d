using System.Buffers.Binary;
using MoltBeat.DR.Engine.Archive;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Recovery.Rows;

/// <summary>Takes apart what COPY gives of a single column.</summary>
internal static class SingleValues
{
    /// <param name="copy">The whole stream.</param>
    /// <param name="format">Its form.</param>
    /// <param name="values">Takes the values, as they stand in the stream; NULL is none.</param>
    public static void Read(ReadOnlySpan<byte> copy, RowFormat format, HashSet<byte[]> values)
    {
        if (format == RowFormat.Text)
        {
            while (copy.IndexOf((byte)'\n') is var end and >= 0)
            {
                if (!copy[..end].SequenceEqual("\\N"u8))
                {
                    values.Add(copy[..end].ToArray());
                }

                copy = copy[(end + 1)..];
            }

            return;
        }

        copy = copy[CopyScanner.BinaryHeader.Length..];
        while (BinaryPrimitives.ReadInt16BigEndian(copy) == 1)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(copy[2..]);
            if (length >= 0)
            {
                values.Add(copy.Slice(6, length).ToArray());
            }

            copy = copy[(6 + Math.Max(length, 0))..];
        }
    }
}
