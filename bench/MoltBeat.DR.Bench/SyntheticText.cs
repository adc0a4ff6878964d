namespace MoltBeat.DR.Bench;

/// <summary>SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine and .NET version.</summary>
internal struct SplitMix64(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number from 0 to <paramref name="bound"/> − 1.</summary>
    public int Below(int bound) => (int)(((Next() >> 32) * (ulong)bound) >> 32);
}

/// <summary>
/// Prose of made-up words by a flattened Zipf law, with set phrases and links between them. The shares below are chosen so that
/// gzip, gzip -1 and zstd -3 do on the whole database about what they did on the one the targets were set with
/// (3.5 : 1, 3.2 : 1 and 3.7 : 1, gzip at about 35 MB/s of one core).
/// </summary>
internal sealed class SyntheticText
{
    private const int WordCount = 1000;
    private const int PhraseCount = 16;
    private const int PhrasePercent = 16;
    private const int LinksIn256 = 16;

    private static readonly string[] Onsets =
        ["b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "pl", "ch", "sh", "br", "gr"];

    private static readonly string[] Nuclei = ["a", "e", "i", "o", "u", "ea", "ou", "ai", "io"];

    private static readonly string[] Codas = ["", "", "", "n", "r", "s", "t", "l", "m", "d", "ng", "nt", "ck"];

    private readonly byte[][] _phrases;

    // 2^16 places, each word as often as Zipf's law has it: sampling is one look-up.
    private readonly byte[][] _sample = new byte[1 << 16][];

    public SyntheticText(ulong seed)
    {
        var random = new SplitMix64(seed);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var words = new byte[WordCount][];
        for (var i = 0; i < WordCount;)
        {
            // Frequent words are short, as in natural languages.
            var syllables = i < 60 ? 1 : i < 300 ? 2 : 3 - (random.Below(4) == 0 ? 1 : 0);
            var word = "";
            for (var s = 0; s < syllables; s++)
            {
                word += Onsets[random.Below(Onsets.Length)] + Nuclei[random.Below(Nuclei.Length)];
            }

            word += Codas[random.Below(Codas.Length)];
            if (seen.Add(word))
            {
                words[i++] = System.Text.Encoding.ASCII.GetBytes(word);
            }
        }

        var total = 0.0;
        for (var i = 0; i < WordCount; i++)
        {
            total += Weight(i);
        }

        var place = 0;
        var sum = 0.0;
        for (var i = 0; i < WordCount; i++)
        {
            sum += Weight(i);
            var end = i == WordCount - 1 ? _sample.Length : (int)(sum / total * _sample.Length);
            for (; place < end; place++)
            {
                _sample[place] = words[i];
            }
        }

        _phrases = new byte[PhraseCount][];
        var buffer = new RowBuffer();
        for (var i = 0; i < PhraseCount; i++)
        {
            buffer.Clear();
            var length = 8 + random.Below(4);
            for (var w = 0; w < length; w++)
            {
                if (w > 0)
                {
                    buffer.Add((byte)' ');
                }

                buffer.Add(_sample[random.Next() & 0xFFFF]);
            }

            _phrases[i] = buffer.Written.ToArray();
        }
    }

    private static double Weight(int rank) => 1 / Math.Sqrt(rank + 3);

    public void Word(ref SplitMix64 random, RowBuffer row) => row.Add(_sample[random.Next() & 0xFFFF]);

    /// <summary>Words up to about <paramref name="length"/> bytes, in sentences, some ended by a line break (escaped for COPY).</summary>
    public void Prose(ref SplitMix64 random, RowBuffer row, int length)
    {
        var end = row.Length + length;
        var left = 0;
        while (row.Length < end)
        {
            if (left == 0)
            {
                left = 6 + random.Below(14);
            }

            var draw = random.Next();
            if ((draw >> 56) < LinksIn256)
            {
                row.Add("https://molt.example/p/"u8);
                row.AddHex(random.Next(), 16);
                row.AddHex(random.Next(), 16);
                row.Add((byte)' ');
            }

            var phrase = (draw >> 32) % 100 < PhrasePercent;
            row.Add(phrase ? _phrases[(draw & 0xFFFF) % PhraseCount] : _sample[draw & 0xFFFF]);
            if (--left == 0)
            {
                row.Add(random.Below(8) == 0 ? ".\\n"u8 : ". "u8);
            }
            else
            {
                row.Add((byte)' ');
            }
        }

        row.TrimEnd();
    }
}
