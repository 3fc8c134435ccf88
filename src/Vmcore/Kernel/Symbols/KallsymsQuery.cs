using System.Text;

namespace Vmcore.Kernel.Symbols;

/// <summary>Looks for names among the records of kallsyms, without decoding what cannot match.</summary>
internal sealed class KallsymsQuery
{
    private const int Bytes = 256;

    private readonly KallsymsTokens _tokens;
    private readonly byte[][] _wanted;
    private readonly int[] _indexes;

    // Names by their first byte: heads[b] is the first of them, next[] chains the others; -1 ends a chain.
    private readonly int[] _heads = new int[Bytes];
    private readonly int[] _next;

    // True if a record that starts with this token may be one of the names.
    private readonly bool[] _maybe = new bool[Bytes];

    // Bit i: a name of i bytes is looked for, at 63 also a longer one. Most records fail this, at the cost of a look at each token's length.
    private readonly ulong _lengths;

    /// <summary>Prepares a pass over the records.</summary>
    /// <param name="tokens">The tokens.</param>
    /// <param name="names">The names, without type letters; an empty one is never found.</param>
    internal KallsymsQuery(KallsymsTokens tokens, ReadOnlySpan<string> names)
    {
        _tokens = tokens;
        _wanted = new byte[names.Length][];
        _indexes = new int[names.Length];
        _next = new int[names.Length];
        Array.Fill(_indexes, -1);
        Array.Fill(_heads, -1);
        for (int i = 0; i < names.Length; i++)
        {
            _wanted[i] = Encoding.UTF8.GetBytes(names[i]);
            if (_wanted[i].Length == 0)
                continue;
            _lengths |= 1UL << Math.Min(_wanted[i].Length, 63);
            _next[i] = _heads[_wanted[i][0]];
            _heads[_wanted[i][0]] = i;
            Missing++;
        }

        for (int token = 0; token < Bytes; token++)
            _maybe[token] = tokens.LengthOf((byte)token) < 2 || CanStart(tokens[(byte)token][1..]);
    }

    /// <summary>Number of names that were not found yet.</summary>
    internal int Missing { get; private set; }

    /// <summary>For each name the first record of that name, or -1.</summary>
    internal ReadOnlySpan<int> Indexes => _indexes;

    /// <summary>Takes the next record.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="record">Its tokens; at least one.</param>
    internal void Offer(int index, ReadOnlySpan<byte> record)
    {
        if (!_maybe[record[0]] || (_lengths >> Math.Min(LengthOfName(record), 63) & 1) == 0)
            return;
        int first = FirstOfName(record);
        if (first < 0)
            return;
        for (int i = _heads[first]; i >= 0; i = _next[i])
        {
            if (_indexes[i] >= 0 || !IsNamed(record, _wanted[i]))
                continue;
            _indexes[i] = index;
            Missing--;
        }
    }

    /// <summary>True if a name begins with a text, or a text with a name.</summary>
    private bool CanStart(ReadOnlySpan<byte> text)
    {
        for (int i = _heads[text[0]]; i >= 0; i = _next[i])
        {
            if (text[..Math.Min(text.Length, _wanted[i].Length)].SequenceEqual(_wanted[i].AsSpan(0, Math.Min(text.Length, _wanted[i].Length))))
                return true;
        }

        return false;
    }

    /// <summary>Bytes of a record's name: all but the type letter.</summary>
    private int LengthOfName(ReadOnlySpan<byte> record)
    {
        int length = -1;
        foreach (byte token in record)
            length += _tokens.LengthOf(token);
        return Math.Max(length, 0);
    }

    private int FirstOfName(ReadOnlySpan<byte> record)
    {
        bool typeSeen = false;
        foreach (byte token in record)
        {
            ReadOnlySpan<byte> text = _tokens[token];
            if (!typeSeen && !text.IsEmpty)
            {
                typeSeen = true;
                text = text[1..];
            }

            if (!text.IsEmpty)
                return text[0];
        }

        return -1;
    }

    private bool IsNamed(ReadOnlySpan<byte> record, ReadOnlySpan<byte> name)
    {
        bool typeSeen = false;
        foreach (byte token in record)
        {
            ReadOnlySpan<byte> text = _tokens[token];
            if (!typeSeen && !text.IsEmpty)
            {
                typeSeen = true;
                text = text[1..];
            }

            if (!name.StartsWith(text))
                return false;
            name = name[text.Length..];
        }

        return name.IsEmpty;
    }
}
