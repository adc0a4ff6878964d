namespace MoltBeat.DR.Engine.Storage;

/// <summary>
/// How large the parts of an upload are, so that S3's 10,000 always suffice: all alike when the size was known about
/// right (some services insist on that), growing towards the end when it was far more than anybody expected.
/// </summary>
internal static class PartSizes
{
    public const int MostParts = 10_000;

    private const long Least = 8 << 20;
    private const long Most = 1 << 30;
    private const int Even = 6_000;

    /// <summary>Of a copy within the service, which needs no memory here.</summary>
    public static long OfServerCopy(long length) => Math.Max(64L << 20, (length + MostParts - 1) / MostParts);

    /// <param name="number">From 1 to <see cref="MostParts"/>.</param>
    /// <param name="expected">Bytes that the whole was expected to have; 0 when nobody knew.</param>
    public static int Of(int number, long expected)
    {
        var even = Least;
        while (even < Most && even * Even < expected)
        {
            even += Least;
        }

        // What is expected fits into the even parts; 4,000 that double every 500 hold some 170 times as much again.
        return (int)Math.Min(Most, number <= Even ? even : even << (1 + (number - Even - 1) / 500));
    }
}
