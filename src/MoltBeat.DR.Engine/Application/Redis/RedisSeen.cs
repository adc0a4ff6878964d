using System.IO.Hashing;
using System.Numerics;

namespace MoltBeat.DR.Engine.Application.Redis;

/// <summary>
/// Which keys have come already: a Bloom filter of about two bytes a key. It never overlooks a key that comes again, and takes one in
/// some thousands for such. SCAN gives a key twice when its table is resized meanwhile; remembering the keys themselves would
/// take as much memory as Redis needs for them.
/// </summary>
internal sealed class RedisSeen
{
    private const int Probes = 8;
    private const long MostBits = 1L << 31;

    private readonly ulong[] words;
    private readonly ulong mask;

    /// <param name="keys">About how many there will be.</param>
    public RedisSeen(long keys)
    {
        var bits = Math.Min(MostBits, (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Clamp(keys, 1 << 12, MostBits / 16) * 16));
        words = new ulong[bits / 64];
        mask = (ulong)bits - 1;
    }

    public long Bytes => words.LongLength * 8;

    /// <summary>Remembers a key.</summary>
    /// <returns>Whether it may have come before.</returns>
    public bool Add(int database, ReadOnlySpan<byte> key)
    {
        var hash = Hash(database, key);
        var step = (ulong)(hash >> 64) | 1;
        var at = (ulong)hash;
        var seen = true;
        for (var i = 0; i < Probes; i++, at += step)
        {
            ref var word = ref words[(at & mask) / 64];
            var bit = 1UL << (int)(at & 63);
            seen &= (word & bit) != 0;
            word |= bit;
        }

        return seen;
    }

    /// <summary>What a key is known by where there are too many to keep.</summary>
    public static UInt128 Hash(int database, ReadOnlySpan<byte> key)
        => XxHash128.HashToUInt128(key, database);
}
