using System.Globalization;

namespace MoltBeat.DR.Host;

/// <summary>What molt makes of a machine that names no language, as containers and cron do.</summary>
internal static class Locale
{
    /// <summary>
    /// PowerShell breaks the lines of its tables between words in languages that it knows, and elsewhere in the midst of them.
    /// So no language becomes English; numbers and dates stay as they were, the same on every machine.
    /// </summary>
    public static void Settle()
    {
        if (!CultureInfo.CurrentCulture.Equals(CultureInfo.InvariantCulture))
        {
            return;
        }

        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("en-US", useUserOverride: false)
            {
                NumberFormat = NumberFormatInfo.InvariantInfo,
                DateTimeFormat = DateTimeFormatInfo.InvariantInfo,
            };
        }
        catch (CultureNotFoundException)
        {
            // .NET without ICU knows no language at all.
        }
    }
}
