using System.Text;
using MoltBeat.DR.Engine.Application.Redis;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Application.Redis;

public class RedisUnitTests
{
    [Theory]
    [InlineData("redis://h", "h", 6379, null, null, null, false)]
    [InlineData("redis://h:1/2", "h", 1, null, null, 2, false)]
    [InlineData("REDISS://u:p%40w@h:1/", "h", 1, "u", "p@w", null, true)]
    [InlineData("redis://:p:w@[::1]:7/0", "::1", 7, null, "p:w", 0, false)]
    public void A_URL_is_taken_apart(string text, string host, int port, string? user, string? password, int? database, bool tls)
    {
        var url = RedisUrl.Parse(text);
        Assert.Equal((host, port, user, password, database, tls), (url.Host, url.Port, url.User, url.Password, url.Database, url.Tls));
    }

    [Theory]
    [InlineData("http://s3cret@h")]
    [InlineData("redis://s3cret@h")]
    [InlineData("redis://:s3cret/x@h")]
    [InlineData("redis://u:s3cret@")]
    [InlineData("redis://u:s3cret@h:0")]
    [InlineData("redis://u:s3cret@h:x")]
    [InlineData("redis://u:s3cret@h/x")]
    [InlineData("redis://u:s3cret@h/-1")]
    [InlineData("redis://u:s3cret@h?cacert=/x")]
    [InlineData("rediss://u:s3cret@h?cacert=x")]
    [InlineData("rediss://u:s3cret@h?password=x")]
    [InlineData("redis://u:@s3cret?")]
    public void What_is_no_URL_is_refused_and_not_repeated(string text)
    {
        var e = Assert.Throws<MoltException>(() => RedisUrl.Parse(text));
        Assert.Equal("RedisUrlInvalid", e.Id);
        Assert.DoesNotContain("s3cret", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_URL_shows_all_but_its_password()
        => Assert.Equal("rediss://u@[::1]:7/3", RedisUrl.Parse("rediss://u:s3cret@[::1]:7/3").ToString());

    [Fact]
    public void No_key_that_comes_again_is_overlooked_and_few_others_are_taken_for_such()
    {
        const int Keys = 200_000;
        var seen = new RedisSeen(Keys);
        var mistaken = Enumerable.Range(0, Keys).Count(i => seen.Add(0, BitConverter.GetBytes(i)));
        Assert.All(Enumerable.Range(0, Keys), i => Assert.True(seen.Add(0, BitConverter.GetBytes(i))));
        Assert.InRange(mistaken, 0, Keys / 500);
        Assert.InRange(seen.Bytes, 0, Keys * 4);
    }

    [Fact]
    public void A_key_of_one_database_is_not_that_of_another()
    {
        var seen = new RedisSeen(10);
        Assert.False(seen.Add(0, "k"u8));
        Assert.False(seen.Add(1, "k"u8));
        Assert.True(seen.Add(0, "k"u8));
    }

    // The example in Redis' own source, crc64.c.
    [Fact]
    public void The_checksum_is_that_of_Redis()
        => Assert.Equal(0xe9c6d914c4b8d9ca, RedisProbe.Checksum("123456789"u8));

    [Fact]
    public void A_name_of_any_bytes_can_be_shown()
    {
        Assert.Equal(@"a b\x00\xff\x0a\x5c", RedisKeys.Shown([(byte)'a', (byte)' ', (byte)'b', 0, 0xff, 10, (byte)'\\']));
        Assert.Equal(81, RedisKeys.Shown(new byte[100].Select(_ => (byte)'x').ToArray()).Length);
    }

    [Fact]
    public void The_order_of_a_sets_members_does_not_count_and_everything_else_does()
    {
        static byte[] Set(byte type, params string[] members) => [type, (byte)members.Length, .. members.SelectMany(m => Encoding.ASCII.GetBytes(m).Prepend((byte)m.Length)), .. new byte[10]];
        static UInt128 Digest(byte[] payload, int piece)
        {
            var digest = new RedisPayloadDigest();
            digest.Begin(payload.Length);
            foreach (var part in payload.Chunk(piece))
            {
                digest.Append(part);
            }

            return digest.End();
        }

        var one = Set(2, "a", "bc", "def");
        foreach (var piece in new[] { 1, 2, 3, 100 })
        {
            Assert.Equal(Digest(one, 100), Digest(Set(2, "def", "a", "bc"), piece));
            Assert.NotEqual(Digest(one, 100), Digest(Set(2, "def", "a", "bd"), piece));
            Assert.NotEqual(Digest(one, 100), Digest(Set(2, "def", "a"), piece));
            Assert.NotEqual(Digest(Set(1, "a", "bc"), 100), Digest(Set(1, "bc", "a"), piece));

            // Fields and values belong together.
            Assert.Equal(Digest(Set(4, "f", "v", "g", "w"), 100), Digest(Set(4, "g", "w", "f", "v"), piece));
            Assert.NotEqual(Digest(Set(4, "f", "v", "g", "w"), 100), Digest(Set(4, "f", "w", "g", "v"), piece));
        }
    }
}
