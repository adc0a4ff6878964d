namespace MoltBeat.DR.Engine.Encryption;

/// <summary>That and why a key's owner took it back.</summary>
/// <param name="Time">When, as the owner says.</param>
/// <param name="Retired">Whether it was only replaced or no longer used: then signatures from before still count. Otherwise the key may be in wrong hands, and no date in a signature can be believed.</param>
internal sealed record KeyRevocation(DateTimeOffset Time, bool Retired);
