using System.Globalization;

namespace MoltBeat.DR.Engine.Archive;

/// <summary>
/// The digest of a set of rows: each row's XxHash128, added modulo 2^128. Independent of row order and of how the table
/// was split, so parts can be summed to a table. It finds damage and mistakes; it is no defence against forgery, which
/// the members' SHA-256 and the manifest's signature are for.
/// </summary>
public readonly record struct RowDigest(long Rows, UInt128 Sum)
{
    public static RowDigest operator +(RowDigest a, RowDigest b) => new(a.Rows + b.Rows, unchecked(a.Sum + b.Sum));

    /// <summary>32 hexadecimal digits.</summary>
    public string ToHex() => Sum.ToString("x32", CultureInfo.InvariantCulture);

    public static UInt128 ParseHex(string hex) => UInt128.Parse(hex, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
