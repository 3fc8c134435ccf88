using System.Buffers.Binary;
using Vmcore.Memory;

namespace Vmcore.Kernel.Symbols;

/// <summary>The 256 texts that the bytes of the compressed names stand for.</summary>
internal sealed class KallsymsTokens
{
    private const int Count = 256;

    // Longer than any symbol name: more behind the last index is not the last token.
    private const int LastTokenLimit = 1024;

    private readonly byte[] _text;
    private readonly ushort[] _starts = new ushort[Count];
    private readonly ushort[] _lengths = new ushort[Count];

    private KallsymsTokens(byte[] text) => _text = text;

    /// <summary>The text of a token; may be empty.</summary>
    public ReadOnlySpan<byte> this[byte token] => _text.AsSpan(_starts[token], _lengths[token]);

    /// <summary>Length of a token's text in bytes.</summary>
    public int LengthOf(byte token) => _lengths[token];

    /// <summary>Reads the tokens; null, with the reason, if they are not there or no tokens.</summary>
    public static KallsymsTokens? TryRead(IVirtualMemory memory, ulong table, ulong index, out string? problem)
    {
        Span<byte> starts = stackalloc byte[Count * 2];
        if (memory.Read(index, starts) is var status && status != MemoryStatus.Ok)
        {
            problem = $"kallsyms_token_index at 0x{index:x} cannot be read: {MemoryStatusText.Of(status)}";
            return null;
        }

        byte[] text = new byte[BinaryPrimitives.ReadUInt16LittleEndian(starts[^2..]) + LastTokenLimit];
        int length = memory.ReadPrefix(table, text);
        var tokens = new KallsymsTokens(text);
        for (int i = 0; i < Count; i++)
        {
            int start = BinaryPrimitives.ReadUInt16LittleEndian(starts[(2 * i)..]);
            if (i > 0 && start <= tokens._starts[i - 1])
            {
                problem = $"kallsyms_token_index[{i}] is {start}, expected more than {tokens._starts[i - 1]}, its predecessor";
                return null;
            }

            int nul = start < length ? text.AsSpan(start, length - start).IndexOf((byte)0) : -1;
            if (nul is < 0 or > LastTokenLimit)
            {
                problem = $"kallsyms_token_table at 0x{table:x}: token {i} at offset {start} has no end";
                return null;
            }

            tokens._starts[i] = (ushort)start;
            tokens._lengths[i] = (ushort)nul;
        }

        problem = null;
        return tokens;
    }
}
