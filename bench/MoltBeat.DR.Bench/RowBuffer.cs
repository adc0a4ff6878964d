using System.Buffers.Text;
using System.Globalization;

namespace MoltBeat.DR.Bench;

/// <summary>Gathers rows of COPY text; the caller hands it on when it is <see cref="Full"/>.</summary>
internal sealed class RowBuffer
{
    private const int HandOn = 1 << 20;

    private byte[] _bytes = new byte[HandOn + (1 << 16)];

    public int Length { get; private set; }

    public bool Full => Length >= HandOn;

    public ReadOnlyMemory<byte> WrittenMemory => _bytes.AsMemory(0, Length);

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    public void Add(byte value)
    {
        Free(1)[0] = value;
        Length++;
    }

    public void Add(ReadOnlySpan<byte> value)
    {
        value.CopyTo(Free(value.Length));
        Length += value.Length;
    }

    public void Add(long value)
    {
        Utf8Formatter.TryFormat(value, Free(20), out var written);
        Length += written;
    }

    /// <summary>A fixed-point number with two decimals, as PostgreSQL prints numeric.</summary>
    public void AddHundredths(int value)
    {
        Add(value / 100);
        Add((byte)'.');
        Add((byte)('0' + (value / 10 % 10)));
        Add((byte)('0' + (value % 10)));
    }

    public void Add(Guid value)
    {
        Utf8Formatter.TryFormat(value, Free(36), out var written);
        Length += written;
    }

    /// <summary>The instant as <c>yyyy-MM-dd HH:mm:ss.ffffff+00</c>.</summary>
    public void Add(DateTime utc)
    {
        utc.TryFormat(Free(26), out var written, "yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture);
        Length += written;
        Add("+00"u8);
    }

    /// <summary>Lower-case hexadecimal, <paramref name="digits"/> digits of at most 16.</summary>
    public void AddHex(ulong value, int digits)
    {
        for (var i = 0; i < digits; i++)
        {
            Add("0123456789abcdef"u8[(int)(value & 15)]);
            value >>= 4;
        }
    }

    public void Tab() => Add((byte)'\t');

    public void EndRow() => Add((byte)'\n');

    /// <summary>Takes back trailing spaces and escaped line breaks.</summary>
    public void TrimEnd()
    {
        while (true)
        {
            if (Length > 0 && _bytes[Length - 1] == ' ')
            {
                Length--;
            }
            else if (Length > 1 && _bytes[Length - 1] == 'n' && _bytes[Length - 2] == '\\')
            {
                Length -= 2;
            }
            else
            {
                return;
            }
        }
    }

    private Span<byte> Free(int needed)
    {
        if (_bytes.Length - Length < needed)
        {
            Array.Resize(ref _bytes, (_bytes.Length * 2) + needed);
        }

        return _bytes.AsSpan(Length);
    }
}
