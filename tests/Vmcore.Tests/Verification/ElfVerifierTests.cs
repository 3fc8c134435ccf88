using System.Buffers.Binary;
using Vmcore.Verification;

namespace Vmcore.Tests.Verification;

/// <summary>PT_LOADs of the same memory: one for each virtual address is right if all name the same bytes.</summary>
public sealed class ElfVerifierTests
{
    private const ulong Direct = 0xffff_8880_0000_0000, Other = 0xffff_c900_0000_0000;

    [Theory]
    [InlineData(0x2000, true)]
    [InlineData(0x4000, false)]
    public void TheSameMemoryTwiceIsTheSameBytes(ulong secondOffset, bool sound)
    {
        byte[] file = new byte[0x8000];
        "\u007fELF"u8.CopyTo(file);
        (file[4], file[5], file[6]) = (2, 1, 1);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(16), 4);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(18), 62);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(32), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(52), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(54), 56);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(56), 2);
        Load(file.AsSpan(64), 0x1000, Direct + 0x10_0000, 0x10_0000, 0x3000);
        Load(file.AsSpan(120), secondOffset, Other, 0x10_1000, 0x2000);
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, file);
            using CrashDump dump = CrashDump.Open(path);
            Assert.Equal(sound, !DumpVerifier.Verify(dump).Problems.Any(static p => p.Kind == "segment"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void Load(Span<byte> header, ulong offset, ulong address, ulong physical, ulong size)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header, 1);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], offset);
        BinaryPrimitives.WriteUInt64LittleEndian(header[16..], address);
        BinaryPrimitives.WriteUInt64LittleEndian(header[24..], physical);
        BinaryPrimitives.WriteUInt64LittleEndian(header[32..], size);
        BinaryPrimitives.WriteUInt64LittleEndian(header[40..], size);
    }
}
