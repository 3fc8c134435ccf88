using Vmcore.Memory;

namespace Vmcore.Kernel.Symbols;

/// <summary>
/// The names as the kernel keeps them, compressed: a stream of records, each a length and that many tokens.
/// It stays compressed, since the capture kernel has little memory, and is decoded at each use.
/// </summary>
internal sealed class KallsymsNames
{
    /// <summary>Longest decoded record that is accepted, in bytes; the kernel's own limit is 512.</summary>
    public const int LongestRecord = 2048;

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
        // The stream does not say its length: walk it first, then allocate just what it has.
        int[] markers = new int[((count - 1) >> MarkerShift) + 1];
        int length = Walk(memory, address, limit, count, tokens, markers, out problem);
        if (length < 0)
            return null;

        byte[] stream = new byte[length];
        if (memory.Read(address, stream) is var status && status != MemoryStatus.Ok)
        {
            problem = $"kallsyms_names at 0x{address:x} cannot be read: {MemoryStatusText.Of(status)}";
            return null;
        }

        return new(stream, markers, tokens, count);
    }

    /// <summary>Finds names without keeping anything of the stream.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="address">Address of the first record.</param>
    /// <param name="limit">The stream is known to end within this number of bytes.</param>
    /// <param name="count">Number of records.</param>
    /// <param name="query">The names; has what was found, up to the first damaged record if there is one.</param>
    internal static void Search(IVirtualMemory memory, ulong address, ulong limit, int count, KallsymsQuery query)
    {
        using var records = new KallsymsRecords(memory, address, limit);
        for (int i = 0; i < count && query.Missing > 0 && records.TryNext(out ReadOnlySpan<byte> record); i++)
            query.Offer(i, record);
    }

    private static int Walk(IVirtualMemory memory, ulong address, ulong limit, int count, KallsymsTokens tokens, int[] markers, out string? problem)
    {
        using var records = new KallsymsRecords(memory, address, limit);
        for (int i = 0; i < count; i++)
        {
            int position = records.Position;
            if ((i & ((1 << MarkerShift) - 1)) == 0)
                markers[i >> MarkerShift] = position;
            if (!records.TryNext(out ReadOnlySpan<byte> record) || !IsSane(record, tokens))
            {
                problem = $"kallsyms_names at 0x{address:x}: record {i} of {count}, at offset 0x{position:x}, is damaged or beyond the end";
                return -1;
            }
        }

        problem = null;
        return records.Position;
    }

    private static bool IsSane(ReadOnlySpan<byte> record, KallsymsTokens tokens)
    {
        int decoded = 0;
        foreach (byte token in record)
            decoded += tokens.LengthOf(token);
        return decoded is > 0 and <= LongestRecord;
    }

    /// <summary>Decodes the record at a position and steps to the next one.</summary>
    /// <param name="position">0 for the first record; then what the last call left.</param>
    /// <param name="buffer">At least <see cref="LongestRecord"/> bytes.</param>
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
        var query = new KallsymsQuery(_tokens, names);
        int position = 0;
        for (int record = 0; record < Count && query.Missing > 0; record++)
            query.Offer(record, Take(ref position));
        query.Indexes.CopyTo(indexes);
    }

    private ReadOnlySpan<byte> Take(ref int position)
    {
        // Every record was checked when the stream was read.
        KallsymsRecords.TryTake(_stream, ref position, out ReadOnlySpan<byte> record);
        return record;
    }
}
