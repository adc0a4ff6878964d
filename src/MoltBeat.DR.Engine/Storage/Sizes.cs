using System.Globalization;

namespace MoltBeat.DR.Engine.Storage;

/// <summary>Sizes for people.</summary>
internal static class Sizes
{
    /// <summary>Such as <c>12,360,192 bytes</c>.</summary>
    public static string Text(long bytes) => bytes.ToString("N0", CultureInfo.InvariantCulture) + " bytes";
}
