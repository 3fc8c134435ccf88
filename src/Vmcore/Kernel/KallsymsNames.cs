using System.Buffers;
using System.Text;
using Vmcore.Memory;

namespace Vmcore.Kernel;

/// <summary>
/// The names as the kernel keeps them, compressed: a stream of records, each a length and that many tokens.
/// It stays compressed, since the capture kernel has little memory, and is decoded at each use.
/// </summary>
internal sealed class KallsymsNames
{
    /// <summary>Longest decoded record that is accepted, in bytes; the kernel's own limit is 512.</summary>
    public const int MaxDecoded = 2048;

    private const int MaxTokens = MaxDecoded;
    private const int MaxHeader = 2;
    private const int MaxStream = 32 << 20;
    private const int Window = 64 << 10;
    private const int MarkerShift = 8;

    private readonly byte[] _stream;
    private readonly int[] _markers;
    private readonly KallsymsTokens _tokens;

    private KallsymsNames(byte[] stream, int[] markers, KallsymsTokens tokens, int count)
    {
        _stream = stream;
        _markers = markers;
        _tokens = tokens;
        Count = count;
    }

    /// <summary>Number of records.</summary>
    public int Count { get; }

    /// <summary>Reads <paramref name="count"/> records; null, with the reason, if the stream ends or is damaged before.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="address">Address of the first record.</param>
    /// <param name="limit">The stream is known to end within this number of bytes.</param>
    /// <param name="count">Number of records.</param>
    /// <param name="tokens">The tokens.</param>
    /// <param name="problem">Why there is no answer.</param>
    public static KallsymsNames? TryRead(IVirtualMemory memory, ulong address, ulong limit, int count, KallsymsTokens tokens, out string? problem)
    {
        // The stream does not say its length: walk it through a window first, then allocate just what it has.
        int bound = (int)Math.Min(limit, MaxStream);
        int[] markers = new int[((count - 1) >> MarkerShift) + 1];
        int length = Walk(memory, address, bound, count, tokens, markers, out problem);
        if (length < 0)
            return null;

        byte[] stream = new byte[length];
        if (memory.Read(address, stream) is var status && status != MemoryStatus.Ok)
        {
            problem = $"kallsyms_names at 0x{address:x} cannot be read ({status})";
            return null;
        }

        return new(stream, markers, tokens, count);
    }

    private static int Walk(IVirtualMemory memory, ulong address, int bound, int count, KallsymsTokens tokens, int[] markers, out string? problem)
    {
        byte[] window = ArrayPool<byte>.Shared.Rent(Window);
        try
        {
            int start = 0, have = 0, at = 0;
            bool more = true;
            for (int i = 0; i < count; i++)
            {
                if (more && have - at < MaxHeader + MaxTokens)
                {
                    start += at;
                    at = 0;
                    int want = Math.Min(Window, bound - start);
                    have = memory.ReadPrefix(address + (ulong)start, window.AsSpan(0, want));
                    more = have == Window;
                }

                if ((i & ((1 << MarkerShift) - 1)) == 0)
                    markers[i >> MarkerShift] = start + at;
                if (!TryTake(window.AsSpan(0, have), ref at, out ReadOnlySpan<byte> record) || !IsSane(record, tokens))
                {
                    problem = $"kallsyms_names at 0x{address:x}: record {i} of {count}, at offset 0x{start + at:x}, is damaged or beyond the end";
                    return -1;
                }
            }

            problem = null;
            return start + at;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(window);
        }
    }

    private static bool IsSane(ReadOnlySpan<byte> record, KallsymsTokens tokens)
    {
        int decoded = 0;
        foreach (byte token in record)
            decoded += tokens.LengthOf(token);
        return decoded is > 0 and <= MaxDecoded;
    }

    private static bool TryTake(ReadOnlySpan<byte> bytes, ref int at, out ReadOnlySpan<byte> record)
    {
        record = default;
        if (at >= bytes.Length)
            return false;
        int length = bytes[at], header = 1;
        if ((length & 0x80) != 0)
        {
            if (at + 1 >= bytes.Length)
                return false;
            length = (length & 0x7f) | (bytes[at + 1] << 7);
            header = 2;
        }

        if (length is 0 or > MaxTokens || length > bytes.Length - at - header)
            return false;
        record = bytes.Slice(at + header, length);
        at += header + length;
        return true;
    }

    /// <summary>Decodes the record at a position and steps to the next one.</summary>
    /// <param name="position">0 for the first record; then what the last call left.</param>
    /// <param name="buffer">At least <see cref="MaxDecoded"/> bytes.</param>
    /// <returns>Number of bytes decoded: the type letter, then the name.</returns>
    public int Decode(ref int position, Span<byte> buffer)
    {
        int length = 0;
        foreach (byte token in Take(ref position))
        {
            ReadOnlySpan<byte> text = _tokens[token];
            text.CopyTo(buffer[length..]);
            length += text.Length;
        }

        return length;
    }

    /// <summary>Position of record <paramref name="index"/> for <see cref="Decode"/>.</summary>
    public int PositionOf(int index)
    {
        int position = _markers[index >> MarkerShift];
        for (int i = index & ~((1 << MarkerShift) - 1); i < index; i++)
            Take(ref position);
        return position;
    }

    /// <summary>Finds the first record of each name in one pass, without decoding what cannot match.</summary>
    /// <param name="names">The names, without type letters; an empty one is never found.</param>
    /// <param name="indexes">Receives a record index for each name, or -1.</param>
    public void Find(ReadOnlySpan<string> names, Span<int> indexes)
    {
        indexes[..names.Length].Fill(-1);

        // Names by their first byte: heads[b] is the first of them, next[] chains the others; -1 ends a chain.
        byte[][] wanted = new byte[names.Length][];
        Span<int> heads = stackalloc int[256];
        heads.Fill(-1);
        int[] next = new int[names.Length];
        int missing = 0;
        for (int i = 0; i < names.Length; i++)
        {
            wanted[i] = Encoding.UTF8.GetBytes(names[i]);
            if (wanted[i].Length == 0)
                continue;
            next[i] = heads[wanted[i][0]];
            heads[wanted[i][0]] = i;
            missing++;
        }

        int position = 0;
        for (int record = 0; record < Count && missing > 0; record++)
        {
            ReadOnlySpan<byte> tokens = Take(ref position);
            int first = FirstOfName(tokens);
            if (first < 0)
                continue;
            for (int i = heads[first]; i >= 0; i = next[i])
            {
                if (indexes[i] >= 0 || !IsNamed(tokens, wanted[i]))
                    continue;
                indexes[i] = record;
                missing--;
            }
        }
    }

    private ReadOnlySpan<byte> Take(ref int position)
    {
        // Every record was checked when the stream was read.
        TryTake(_stream, ref position, out ReadOnlySpan<byte> record);
        return record;
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
