using System.Buffers.Binary;
using System.IO.Hashing;
using MoltBeat.DR.Engine.Postgres;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// Follows the bytes of one COPY stream, finds the rows in them and digests each. Feed it consecutive pieces with
/// <see cref="Scan"/>; it holds no row in memory, however long the row is.
/// Formats: https://www.postgresql.org/docs/current/sql-copy.html (text: a raw newline ends a row, those inside values
/// are escaped; binary: a 19-byte header, tuples of a 16-bit field count and fields with 32-bit lengths, a -1 count).
/// </summary>
public abstract class CopyScanner
{
    /// <summary>What a binary COPY file starts with: signature, no flags, no extension.</summary>
    public static ReadOnlySpan<byte> BinaryHeader =>
        [(byte)'P', (byte)'G', (byte)'C', (byte)'O', (byte)'P', (byte)'Y', (byte)'\n', 0xff, (byte)'\r', (byte)'\n', 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// <summary>What a binary COPY file ends with: a field count of -1.</summary>
    public static ReadOnlySpan<byte> BinaryTrailer => [0xff, 0xff];

    private readonly XxHash128 openRow = new();

    /// <summary>All rows that have ended so far.</summary>
    public RowDigest Digest { get; private set; }

    /// <summary>Whether the bytes so far end exactly where a row ends.</summary>
    public bool AtRowEnd { get; protected set; } = true;

    /// <summary>Whether the stream has said that it is over (binary: its trailer came).</summary>
    public bool Ended { get; protected set; }

    /// <summary>A scanner for rows alone: without a binary file's header, with its trailer.</summary>
    public static CopyScanner For(RowFormat format) => format == RowFormat.Binary ? new BinaryScanner() : new TextScanner();

    /// <summary>Takes the next bytes.</summary>
    /// <param name="bytes">The next bytes of the stream, in order.</param>
    /// <param name="lastRowEnd">Offset in <paramref name="bytes"/> behind the last row that ended in it; 0 when none did.</param>
    /// <returns>
    /// How many bytes it took as rows. Fewer than given when the stream's end came (<see cref="Ended"/>), or when a single
    /// byte is left that may begin it: give that byte again in front of the next.
    /// </returns>
    public abstract int Scan(ReadOnlySpan<byte> bytes, out int lastRowEnd);

    protected void AddWholeRow(ReadOnlySpan<byte> row) => Digest += new RowDigest(1, XxHash128.HashToUInt128(row));

    protected void AppendToOpenRow(ReadOnlySpan<byte> piece) => openRow.Append(piece);

    protected void EndOpenRow()
    {
        Digest += new RowDigest(1, openRow.GetCurrentHashAsUInt128());
        openRow.Reset();
    }

    private sealed class TextScanner : CopyScanner
    {
        public override int Scan(ReadOnlySpan<byte> bytes, out int lastRowEnd)
        {
            lastRowEnd = 0;
            var at = 0;
            while (at < bytes.Length)
            {
                var rest = bytes[at..];
                var length = rest.IndexOf((byte)'\n');
                if (length < 0)
                {
                    AppendToOpenRow(rest);
                    AtRowEnd = false;
                    break;
                }

                if (AtRowEnd)
                {
                    AddWholeRow(rest[..length]);
                }
                else
                {
                    AppendToOpenRow(rest[..length]);
                    EndOpenRow();
                    AtRowEnd = true;
                }

                at += length + 1;
                lastRowEnd = at;
            }

            return bytes.Length;
        }
    }

    private sealed class BinaryScanner : CopyScanner
    {
        private readonly byte[] number = new byte[4];
        private int numberHave;
        private int fieldsLeft = -1; // -1: no tuple is open
        private int fieldBytesLeft;

        public override int Scan(ReadOnlySpan<byte> bytes, out int lastRowEnd)
        {
            lastRowEnd = 0;
            var at = 0;
            while (at < bytes.Length && !Ended)
            {
                if (AtRowEnd)
                {
                    var length = WholeTuple(bytes[at..]);
                    if (length > 0)
                    {
                        AddWholeRow(bytes.Slice(at, length));
                        at += length;
                        lastRowEnd = at;
                        continue;
                    }

                    if (length < 0)
                    {
                        Ended = true;
                        break;
                    }

                    if (bytes.Length - at < 2)
                    {
                        break;
                    }
                }

                at += Piece(bytes[at..]);
                if (AtRowEnd)
                {
                    lastRowEnd = at;
                }
            }

            return at;
        }

        /// <summary>Length of the tuple that starts here; 0 when it is not all here; -1 when this is the trailer.</summary>
        private static int WholeTuple(ReadOnlySpan<byte> bytes)
        {
            if (bytes.Length < 2)
            {
                return 0;
            }

            int fields = BinaryPrimitives.ReadInt16BigEndian(bytes);
            if (fields < 0)
            {
                return fields == -1 ? -1 : throw Malformed();
            }

            var at = 2;
            for (; fields > 0; fields--)
            {
                if (bytes.Length - at < 4)
                {
                    return 0;
                }

                var length = BinaryPrimitives.ReadInt32BigEndian(bytes[at..]);
                at += 4;
                if (length > 0)
                {
                    if (length > bytes.Length - at)
                    {
                        return 0;
                    }

                    at += length;
                }
                else if (length < -1)
                {
                    throw Malformed();
                }
            }

            return at;
        }

        /// <summary>Takes one step into a tuple that is not whole in this piece; returns the bytes taken.</summary>
        private int Piece(ReadOnlySpan<byte> bytes)
        {
            AtRowEnd = false;
            if (fieldBytesLeft > 0)
            {
                var taken = Math.Min(fieldBytesLeft, bytes.Length);
                AppendToOpenRow(bytes[..taken]);
                fieldBytesLeft -= taken;
                FinishTupleIfDone();
                return taken;
            }

            if (fieldsLeft < 0)
            {
                fieldsLeft = BinaryPrimitives.ReadInt16BigEndian(bytes);
                AppendToOpenRow(bytes[..2]);
                FinishTupleIfDone();
                return 2;
            }

            var part = Math.Min(4 - numberHave, bytes.Length);
            bytes[..part].CopyTo(number.AsSpan(numberHave));
            numberHave += part;
            if (numberHave < 4)
            {
                return part;
            }

            numberHave = 0;
            var length = BinaryPrimitives.ReadInt32BigEndian(number);
            if (length < -1)
            {
                throw Malformed();
            }

            AppendToOpenRow(number);
            fieldsLeft--;
            fieldBytesLeft = Math.Max(length, 0);
            FinishTupleIfDone();
            return part;
        }

        private void FinishTupleIfDone()
        {
            if (fieldsLeft == 0 && fieldBytesLeft == 0)
            {
                EndOpenRow();
                fieldsLeft = -1;
                AtRowEnd = true;
            }
        }

        private static MoltException Malformed()
            => new("CopyDataMalformed", ErrorKind.InvalidData, "A binary COPY stream holds an impossible field count or length.",
                "The data is damaged: use another backup, or check the server and the network.");
    }
}
