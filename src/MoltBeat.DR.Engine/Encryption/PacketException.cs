namespace MoltBeat.DR.Engine.Encryption;

/// <summary>Bytes that are not the OpenPGP packets they should be. Never leaves this folder: whoever knows the member's name says it better.</summary>
internal sealed class PacketException(string message, Exception? inner = null) : Exception(message, inner);
