using System.Text;
using MoltBeat.DR.Engine.Postgres;
using MoltBeat.DR.Engine.Recovery.Rows;
using MoltBeat.DR.Engine.Tests.Archive;
using Xunit;

namespace MoltBeat.DR.Engine.Tests.Recovery.Rows;

/// <summary>The sieve lets every wanted row through, whole and in order, however the stream is cut.</summary>
public sealed class RowSieveTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(RowFormat.Binary)]
    [InlineData(RowFormat.Text)]
    public async Task Of_random_rows_exactly_those_with_a_wanted_value_pass(RowFormat format)
    {
        for (var seed = 0; seed < 60; seed++)
        {
            var random = new Random(seed);
            byte[]? Field() => random.Next(5) == 0 ? null : RandomBytes(random, random.Next(20) == 0 ? random.Next(5000) : random.Next(3));
            var rows = Enumerable.Range(0, random.Next(400)).Select(_ => new[] { Field(), Field(), Field() }).ToList();
            var wanted = new[] { Wanted(0), Wanted(2) };
            WantedValues Wanted(int column)
            {
                var values = RowSieve.NewSet();
                foreach (var value in rows.Select(r => r[column]).OfType<byte[]>().Where(_ => random.Next(10) == 0))
                {
                    values.Add(format == RowFormat.Text ? Encoding.ASCII.GetBytes(Convert.ToHexString(value)) : value);
                }

                return new WantedValues(column, values);
            }

            bool Passes(byte[]?[] row) => wanted.Any(w => row[w.Column] is { } v && w.Values.Contains(format == RowFormat.Text ? Encoding.ASCII.GetBytes(Convert.ToHexString(v)) : v));
            var file = CopyData.File(format, rows.ConvertAll(r => CopyData.Row(format, r)));
            var expected = CopyData.File(format, rows.Where(Passes).Select(r => CopyData.Row(format, r)).ToList());
            await using var sieve = new RowSieve(new Pieces(file, random), format, wanted);
            using var result = new MemoryStream();
            await sieve.CopyToAsync(result, random.Next(1, 3000), Cancel);
            Assert.True(expected.AsSpan().SequenceEqual(result.ToArray()), $"seed {seed}");
        }
    }

    [Fact]
    public async Task A_row_longer_than_the_buffer_passes_with_all_that_follows()
    {
        var (small, large) = (CopyData.Row(RowFormat.Binary, [1]), CopyData.Row(RowFormat.Binary, new byte[20 << 20]));
        var file = CopyData.File(RowFormat.Binary, [small, large, small]);
        await using var sieve = new RowSieve(new MemoryStream(file), RowFormat.Binary, [new WantedValues(0, RowSieve.NewSet())]);
        using var result = new MemoryStream();
        await sieve.CopyToAsync(result, Cancel);
        Assert.True(CopyData.File(RowFormat.Binary, [large, small]).AsSpan().SequenceEqual(result.ToArray()));
    }

    private static byte[] RandomBytes(Random random, int length)
    {
        var bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>Gives few bytes at a time, as decompression and networks do.</summary>
    private sealed class Pieces(byte[] bytes, Random random) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            => base.ReadAsync(buffer[..Math.Min(buffer.Length, random.Next(1, 4000))], cancellationToken);
    }
}
