using System.Buffers;
using Vmcore.Memory;

namespace Vmcore.Kernel.Symbols;

/// <summary>Reads the records of compressed names out of the kernel's memory, one after the other. The stream does not say its length.</summary>
internal sealed class KallsymsRecords : IDisposable
{
    /// <summary>Most tokens of a record.</summary>
    internal const int RecordTokens = KallsymsNames.LongestRecord;

    private const int HeaderBytes = 2;
    private const int Window = 64 << 10;

    private readonly IVirtualMemory _memory;
    private readonly ulong _address;
    private readonly int _bound;
    private readonly byte[] _window = ArrayPool<byte>.Shared.Rent(Window);
    private int _start, _have, _at;
    private bool _more = true;

    /// <summary>Goes to the first record.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="address">Address of the first record.</param>
    /// <param name="limit">The stream is known to end within this number of bytes.</param>
    internal KallsymsRecords(IVirtualMemory memory, ulong address, ulong limit)
    {
        _memory = memory;
        _address = address;
        _bound = (int)Math.Min(limit, (ulong)memory.Limits.SymbolNamesBytes);
    }

    /// <summary>Offset of the next record from the first one in bytes.</summary>
    internal int Position => _start + _at;

    /// <summary>Reads the next record.</summary>
    /// <param name="record">Its tokens, at least one; valid until the next call.</param>
    /// <returns>False if it is damaged or lies beyond the end.</returns>
    internal bool TryNext(out ReadOnlySpan<byte> record)
    {
        if (_more && _have - _at < HeaderBytes + RecordTokens)
        {
            _start += _at;
            _at = 0;
            int want = Math.Min(Window, _bound - _start);
            _have = _memory.ReadPrefix(_address + (ulong)_start, _window.AsSpan(0, want));
            _more = _have == Window;
        }

        return TryTake(_window.AsSpan(0, _have), ref _at, out record);
    }

    /// <summary>Takes a record out of a buffer.</summary>
    /// <param name="bytes">The buffer.</param>
    /// <param name="at">Where it starts; then where the next one does.</param>
    /// <param name="record">Its tokens.</param>
    /// <returns>False if there is no whole record.</returns>
    internal static bool TryTake(ReadOnlySpan<byte> bytes, ref int at, out ReadOnlySpan<byte> record)
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

        if (length is 0 or > RecordTokens || length > bytes.Length - at - header)
            return false;
        record = bytes.Slice(at + header, length);
        at += header + length;
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => ArrayPool<byte>.Shared.Return(_window);
}
