using System.Buffers.Binary;

namespace Vmcore.Cli.Tests;

/// <summary>The executable as it goes into an initramfs.</summary>
public sealed class ExecutableTests
{
    // It is in the memory of the capture kernel twice: in the initramfs, and mapped.
    private const long MostBytes = 8_000_000;

    private static readonly string s_executable = File.ResolveLinkTarget(Repository.Makedumpfile, returnFinalTarget: true)!.FullName;

    [Fact]
    public void ItIsSmall() => Assert.InRange(new FileInfo(s_executable).Length, 1, MostBytes);

    [Fact]
    public void ItNeedsNoLoader()
    {
        const int ProgramHeaders = 0x20, ProgramHeaderSize = 0x36, ProgramHeaderCount = 0x38, Interpreter = 3;
        ReadOnlySpan<byte> elf = File.ReadAllBytes(s_executable);
        int start = (int)BinaryPrimitives.ReadInt64LittleEndian(elf[ProgramHeaders..]), size = elf[ProgramHeaderSize];
        for (int i = 0; i < elf[ProgramHeaderCount]; i++)
            Assert.NotEqual(Interpreter, BinaryPrimitives.ReadInt32LittleEndian(elf[(start + (i * size))..]));
    }
}
