using System.Buffers.Binary;
using MoltBeat.DR.Engine.Encryption;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Modes;
using Org.BouncyCastle.Crypto.Parameters;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Encryption;

/// <summary>Messages in the newer packet of GnuPG. The gpg of this machine may be too old to make one: then they are made here, and it has to open them too.</summary>
public sealed class OcbTests(GnuPgFixture gnupg)
{
    private const int LiteralHead = 6;

    /// <summary>Around one chunk of 64 bytes and several, the literal packet's own bytes included; and chunks of 64 KB and 4 MB.</summary>
    public static TheoryData<int, int> Sizes
    {
        get
        {
            var sizes = new TheoryData<int, int>();
            foreach (var length in new[] { 0, 1, 54, 55, 56, 57, 58, 119, 120, 121, 1000 })
                sizes.Add(length, 0);
            sizes.Add(200_001, 10);
            sizes.Add(5_000_000, 16);
            return sizes;
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task It_is_opened_by_a_file_by_the_agent_and_by_gpg_itself(int length, int chunk)
    {
        var keys = await gnupg.KeysAsync();
        var plain = Messages.Random(length);
        var message = await MessageAsync(keys, plain, chunk);
        Assert.Equal(plain, await keys.Home.RunAsync(["--decrypt"], message));
        using var file = await keys.OpenerAsync(keys.Rsa, "");
        Assert.Equal(plain, await file.OpenAsync(message));
        using var agent = OpenPgpOpener.FromAgent(GnuPg.Find(keys.Home.Path), []);
        Assert.Equal(plain, await agent.OpenAsync(message));
    }

    [Fact]
    public async Task Every_byte_that_is_changed_or_missing_is_found()
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        var message = await MessageAsync(keys, Messages.Random(150), 0);
        var from = message.AsSpan().LastIndexOf([(byte)0xD4, (byte)254]);
        from = from < 0 ? message.Length - 230 : from;
        for (var at = from; at < message.Length; at++)
        {
            var other = message.ToArray();
            other[at] ^= 1;
            Assert.Contains(await Messages.IdAsync(() => opener.OpenAsync(other)), new[] { "MemberTampered", "MemberNotOpenPgp", "EncryptionNotSupported" });
            Assert.Contains(await Messages.IdAsync(() => opener.OpenAsync(message[..at])), new[] { "MemberTampered", "MemberNotOpenPgp" });
        }
    }

    [Theory]
    [InlineData(new byte[] { 1, 9, 1, 0 })] // EAX
    [InlineData(new byte[] { 1, 9, 2, 17 })] // chunks beyond 4 MB
    [InlineData(new byte[] { 2, 9, 2, 0 })]
    public async Task What_is_not_known_is_told(byte[] head)
    {
        var keys = await gnupg.KeysAsync();
        using var opener = await keys.OpenerAsync(keys.Rsa, "");
        using var key = SessionKey.Create();
        byte[] message = [.. SessionKeyPacket.Write(key, (await keys.RecipientsAsync(keys.Rsa))[0].EncryptionKey), .. PacketBytes.Packet(20, [.. head, .. new byte[60]])];
        Assert.Equal("EncryptionNotSupported", await Messages.IdAsync(() => opener.OpenAsync(message)));
    }

    private static async Task<byte[]> MessageAsync(GnuPgFixture.Keys keys, byte[] plain, int chunk)
    {
        using var key = SessionKey.Create();
        byte[] literal = PacketBytes.Packet(11, [(byte)'b', 0, 0, 0, 0, 0, .. plain]);
        Assert.True(literal.Length >= plain.Length + LiteralHead);
        return [.. SessionKeyPacket.Write(key, (await keys.RecipientsAsync(keys.Rsa))[0].EncryptionKey), .. PacketBytes.Packet(20, Seal(key, literal, chunk))];
    }

    private static byte[] Seal(SessionKey key, byte[] data, int chunk)
    {
        var nonce = Messages.Random(15);
        byte[] associated = [0xD4, 1, key.Algorithm, 2, (byte)chunk, .. new byte[16]];
        using var packet = new MemoryStream();
        packet.Write(associated, 1, 4);
        packet.Write(nonce);
        long index = 0;
        for (var at = 0; at < data.Length; at += 1 << (chunk + 6))
            Add(data.AsSpan(at, Math.Min(1 << (chunk + 6), data.Length - at)), 13);
        BinaryPrimitives.WriteInt64BigEndian(associated.AsSpan(13), data.Length);
        Add([], 21);
        return packet.ToArray();

        void Add(ReadOnlySpan<byte> piece, int associatedBytes)
        {
            BinaryPrimitives.WriteInt64BigEndian(associated.AsSpan(5), index++);
            var number = nonce.ToArray();
            for (var i = 0; i < 8; i++)
                number[7 + i] ^= associated[5 + i];
            var cipher = new OcbBlockCipher(AesUtilities.CreateEngine(), AesUtilities.CreateEngine());
            cipher.Init(true, new AeadParameters(new KeyParameter(key.Key.ToArray()), 128, number, associated[..associatedBytes]));
            var made = new byte[piece.Length + 16];
            var n = cipher.ProcessBytes(piece, made);
            cipher.DoFinal(made.AsSpan(n));
            packet.Write(made);
        }
    }
}
