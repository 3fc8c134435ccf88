using System.Buffers.Binary;
using System.Text;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>What the stub is to do.</summary>
/// <param name="System">The running system.</param>
/// <param name="Address">Physical address at which it runs, page aligned.</param>
/// <param name="Kernel">Physical address at which the capture kernel was placed.</param>
/// <param name="BootData">Physical address of what it is handed.</param>
/// <param name="Hashed">Memory to verify, in the order in which it was hashed; lengths are multiples of 64 bytes. Empty: verify nothing.</param>
/// <param name="Digest">SHA-256 of all of it, as eight words.</param>
/// <param name="Region">The crash kernel's region, or the part of it that may be used, in bytes.</param>
/// <param name="Console">Where the stub reports damaged memory.</param>
internal sealed record StubRequest(
    RunningSystem System, ulong Address, ulong Kernel, ulong BootData, IReadOnlyList<PhysicalRange> Hashed, uint[] Digest, PhysicalRange Region,
        StubConsole Console)
{
    /// <summary>Memory to copy away before the capture kernel starts: from, and the physical address to copy to; whole pages.</summary>
    public IReadOnlyList<(PhysicalRange From, ulong To)> Copies { get; init; } = [];
}

/// <summary>
/// The code that runs between the crashed kernel and the capture kernel. It verifies that the crash kernel's memory is what was loaded, and
/// resets the machine if it is not: a damaged capture kernel could write anywhere.
/// </summary>
/// <param name="Code">The code, to be placed at the address asked for; it begins with the entry.</param>
/// <param name="MemorySize">Bytes of memory that it needs, stack and tables included.</param>
/// <param name="Sha256Offset">Offset of the routine that hashes blocks, by the platform's calling convention; -1 without verification.</param>
/// <param name="VerifyOffset">Offset of <c>int verify(void)</c>, which answers 0 if the memory is as it was; -1 without verification.</param>
/// <param name="Note">What the operator should know of it; null if there is nothing.</param>
internal sealed record CrashStub(byte[] Code, int MemorySize, int Sha256Offset, int VerifyOffset, string? Note)
{
    /// <summary>Offset of <c>void copy(void)</c>, which copies memory away; -1 if there is nothing to copy.</summary>
    public int CopyOffset { get; init; } = -1;

    /// <summary>What it says before it resets the machine, with a NUL.</summary>
    public static readonly byte[] Message = Encoding.ASCII.GetBytes("\r\nvmcore: the crash kernel's memory was changed after the load: resetting\r\n\0");

    /// <summary>The block that ends a message of whole blocks: a one bit, zeros, and the length in bits (FIPS 180-4, 5.1.1).</summary>
    /// <param name="ranges">The memory that is hashed.</param>
    public static byte[] FinalBlock(IReadOnlyList<PhysicalRange> ranges)
    {
        ulong total = 0;
        foreach (PhysicalRange range in ranges)
            total += range.Length;
        byte[] block = new byte[64];
        block[0] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(block.AsSpan(56), total * 8);
        return block;
    }
}

/// <summary>A place in machine code: bound once, used any number of times.</summary>
internal sealed class Label
{
    /// <summary>Offset from the start of the code in bytes; -1 until bound.</summary>
    public int Offset { get; set; } = -1;
}
