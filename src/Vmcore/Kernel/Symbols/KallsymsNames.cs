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

    /// <summary>log2 of the records of a group: that is how often the kernel notes where a record starts.</summary>
    internal const int GroupShift = 8;

    private readonly byte[] _stream;
    private readonly int[] _markers;
    private readonly KallsymsTokens _tokens;

    // How many records of each group are known, from its first on; null if all are.
    private readonly ushort[]? _known;

    private KallsymsNames(byte[] stream, int[] markers, KallsymsTokens tokens, int count, ushort[]? known = null)
    {
        _stream = stream;
        _markers = markers;
        _tokens = tokens;
        _known = known;
        Count = count;
    }

    /// <summary>Number of records.</summary>
    public int Count { get; }

    /// <summary>True if record <paramref name="index"/> can be read; false if it lies where the dump has nothing, or is not to be told from damage.</summary>
    internal bool Knows(int index) => _known is null || (index & ((1 << GroupShift) - 1)) < _known[index >> GroupShift];

    /// <summary>Reads <paramref name="count"/> records, or those of them that can be read.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="address">Address of the first record.</param>
    /// <param name="limit">The stream is known to end within this number of bytes.</param>
    /// <param name="count">Number of records.</param>
    /// <param name="tokens">The tokens.</param>
    /// <param name="problem">Why there is no answer, or why some records are not known.</param>
    /// <returns>The names; null if the stream ends or is damaged, and nothing shows where it goes on.</returns>
    public static KallsymsNames? TryRead(IVirtualMemory memory, ulong address, ulong limit, int count, KallsymsTokens tokens, out string? problem)
    {
        // The stream does not say its length: walk it first, then allocate just what it has.
        int[] markers = new int[((count - 1) >> GroupShift) + 1];
        int length = Walk(memory, address, limit, count, tokens, markers, out problem);
        if (length >= 0 && KallsymsMarkers.TryLocate(memory, address, limit, count) is { } own && !own.AsSpan().SequenceEqual(markers))
        {
            problem = $"kallsyms_names at 0x{address:x}: the records do not lie where kallsyms_markers says";
            length = -1;
        }

        if (length < 0)
        {
            return KallsymsMarkers.TryRead(memory, address, limit, count, tokens, out int[] offsets, out ushort[] known) is { } part
                ? new(part, offsets, tokens, count, known) : null;
        }

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
    /// <param name="query">The names; has what was found.</param>
    /// <returns>False if the stream is damaged before the last name is found; then what was found means nothing.</returns>
    internal static bool Search(IVirtualMemory memory, ulong address, ulong limit, int count, KallsymsQuery query)
    {
        using var records = new KallsymsRecords(memory, address, limit);
        int[]? markers = KallsymsMarkers.TryLocate(memory, address, limit, count);
        for (int i = 0; i < count; i++)
        {
            bool isMarked = (i & ((1 << GroupShift) - 1)) == 0;
            if (isMarked && markers is not null && markers[i >> GroupShift] != records.Position)
                return false;

            // The records up to the next marker are as they should be if they lead there.
            if (query.Missing == 0 && (isMarked || markers is null))
                return true;
            if (!records.TryNext(out ReadOnlySpan<byte> record))
                return false;
            if (query.Missing > 0)
                query.Offer(i, record);
        }

        return true;
    }

    private static int Walk(IVirtualMemory memory, ulong address, ulong limit, int count, KallsymsTokens tokens, int[] markers, out string? problem)
    {
        using var records = new KallsymsRecords(memory, address, limit);
        for (int i = 0; i < count; i++)
        {
            int position = records.Position;
            if ((i & ((1 << GroupShift) - 1)) == 0)
                markers[i >> GroupShift] = position;
            if (!records.TryNext(out ReadOnlySpan<byte> record) || !IsSane(record, tokens))
            {
                problem = $"kallsyms_names at 0x{address:x}: record {i} of {count}, at offset 0x{position:x}, is damaged or beyond the end";
                return -1;
            }
        }

        problem = null;
        return records.Position;
    }

    internal static bool IsSane(ReadOnlySpan<byte> record, KallsymsTokens tokens)
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

    /// <summary>Steps over records that are not known.</summary>
    /// <param name="index">The next record; then the next one that is known.</param>
    /// <param name="position">Its position.</param>
    /// <returns>False if there is none.</returns>
    internal bool Seek(ref int index, ref int position)
    {
        while (index < Count && !Knows(index))
        {
            int group = (index >> GroupShift) + 1;
            index = group << GroupShift;
            position = group < _markers.Length ? _markers[group] : _stream.Length;
        }

        return index < Count;
    }

    /// <summary>Position of record <paramref name="index"/>, which must be known, for <see cref="Decode"/>.</summary>
    public int PositionOf(int index)
    {
        int position = _markers[index >> GroupShift];
        for (int i = index & ~((1 << GroupShift) - 1); i < index; i++)
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
        for (int record = 0; query.Missing > 0 && Seek(ref record, ref position); record++)
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
