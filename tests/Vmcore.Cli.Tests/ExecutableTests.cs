using System.Buffers.Binary;

namespace Vmcore.Cli.Tests;

/// <summary>The executable as it goes into an initramfs.</summary>
public sealed class ExecutableTests
{
    // It is in the memory of the capture kernel twice: in the initramfs, and mapped.
    private const long MostBytes = 8_000_000;

    [Fact]
    public void ItIsSmall()
    {
        Executable.NeedsNative("its size");
        Assert.InRange(new FileInfo(Executable.Vmcore).Length, 1, MostBytes);
    }

    [Fact]
    public void ItNeedsNoLoader()
    {
        Executable.NeedsNative("that it is static");
        const int ProgramHeaders = 0x20, ProgramHeaderSize = 0x36, ProgramHeaderCount = 0x38, Interpreter = 3;
        ReadOnlySpan<byte> elf = File.ReadAllBytes(Executable.Vmcore);
        int start = (int)BinaryPrimitives.ReadInt64LittleEndian(elf[ProgramHeaders..]), size = elf[ProgramHeaderSize];
        for (int i = 0; i < elf[ProgramHeaderCount]; i++)
            Assert.NotEqual(Interpreter, BinaryPrimitives.ReadInt32LittleEndian(elf[(start + (i * size))..]));
    }
}
