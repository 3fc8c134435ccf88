using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Vmcore.Architectures;

namespace Vmcore.Cli.Code;

/// <summary>
/// Reads instructions of four bytes by libcapstone. What it does not know, because it is older than the machine, is no instruction here: with a fixed length
/// none behind it is read wrongly. Where control goes the library says (<c>Architecture</c>).
/// </summary>
/// <remarks>Source: capstone/capstone.h of 4.0 and 5.0.</remarks>
internal sealed unsafe partial class CapstoneDecoder : IInstructionDecoder
{
    private const int Length = 4;
    private const int Machine = 1; // CS_ARCH_ARM64
    private const int OperandColumn = 8;

    // Of struct cs_insn: an id, the address, the size, then bytes (16 in version 4, 24 in version 5), mnemonic and operands.
    private const int BytesAt = 18;
    private const int MnemonicBytes = 32;
    private const int OperandBytes = 160;

    private readonly nuint _handle;
    private readonly int _mnemonicAt;

    internal CapstoneDecoder()
    {
        try
        {
            int version = (int)(Version(out _, out _) >> 8);
            _mnemonicAt = BytesAt + (version >= 5 ? 24 : 16);
            if (version is not (4 or 5) || Open(Machine, 0, out _handle) != 0)
                throw new MissingInformationException("libcapstone, which decodes these instructions, is of a version that is not known");
        }
        catch (DllNotFoundException)
        {
            throw new MissingInformationException("libcapstone, which decodes these instructions, is not here");
        }
    }

    /// <inheritdoc/>
    public DecodedInstruction? TryDecode(ReadOnlySpan<byte> code, ulong address)
    {
        if (code.Length < Length)
            return null;
        uint word = BinaryPrimitives.ReadUInt32LittleEndian(code);
        if (LaterInstructions.TryDecode(word) is { } later)
            return new() { Length = Length, Text = later };
        byte* found = null;
        fixed (byte* bytes = code)
        {
            nuint count = Disassemble(_handle, bytes, Length, address, 1, &found);
            if (count == 0)
                return null;
            string text = $"{Text(found + _mnemonicAt, MnemonicBytes).PadRight(OperandColumn - 1)} {Text(found + _mnemonicAt + MnemonicBytes, OperandBytes)}";
            Free(found, count);
            return new() { Length = Length, Text = text.TrimEnd() };
        }
    }

    private static string Text(byte* at, int most)
    {
        ReadOnlySpan<byte> bytes = new(at, most);
        int end = bytes.IndexOf((byte)0);
        return Encoding.ASCII.GetString(bytes[..(end < 0 ? most : end)]);
    }

    [LibraryImport("libcapstone", EntryPoint = "cs_version")]
    private static partial uint Version(out int major, out int minor);

    [LibraryImport("libcapstone", EntryPoint = "cs_open")]
    private static partial int Open(int architecture, int mode, out nuint handle);

    [LibraryImport("libcapstone", EntryPoint = "cs_disasm")]
    private static partial nuint Disassemble(nuint handle, byte* code, nuint size, ulong address, nuint count, byte** instructions);

    [LibraryImport("libcapstone", EntryPoint = "cs_free")]
    private static partial void Free(byte* instructions, nuint count);
}
