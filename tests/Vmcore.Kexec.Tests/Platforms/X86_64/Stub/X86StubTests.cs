using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using CsCheck;
using Vmcore.Hashing;
using Vmcore.Ranges;

namespace Vmcore.Kexec.Tests.Platforms.X86_64.Stub;

/// <summary>The stub's code is executed here, in this process, not only compared.</summary>
public sealed unsafe class X86StubTests
{
    [Fact]
    public void MachineCodeHashesLikeThePlatformDoes()
    {
        CrashStub stub = X86Stub.Build(Request(0x1000, [new(0, 64)], new uint[8]));
        using var memory = new ExecutableMemory(X86Stub.MemorySize);
        memory.Write(stub.Code);
        nint routine = (nint)memory.Pointer + stub.Sha256Offset;

        Gen.Byte.Array[0, 5000].Sample(
            bytes =>
            {
                byte[] padded = Pad(bytes);
                uint[] state = Sha256.InitialState.ToArray();
                fixed (uint* s = state)
                fixed (byte* d = padded)
                    ((delegate* unmanaged<uint*, byte*, ulong, void>)routine)(s, d, (ulong)padded.Length / 64);
                Assert.Equal(SHA256.HashData(bytes), ToBytes(state));
            },
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public void MachineCodeHashesTheExtremes()
    {
        CrashStub stub = X86Stub.Build(Request(0x1000, [new(0, 64)], new uint[8]));
        using var memory = new ExecutableMemory(X86Stub.MemorySize);
        memory.Write(stub.Code);
        nint routine = (nint)memory.Pointer + stub.Sha256Offset;
        foreach (byte fill in (byte[])[0x00, 0xff, 0x80, 0x7f])
        {
            byte[] bytes = new byte[1 << 20];
            bytes.AsSpan().Fill(fill);
            byte[] padded = Pad(bytes);
            uint[] state = Sha256.InitialState.ToArray();
            fixed (uint* s = state)
            fixed (byte* d = padded)
                ((delegate* unmanaged<uint*, byte*, ulong, void>)routine)(s, d, (ulong)padded.Length / 64);
            Assert.Equal(SHA256.HashData(bytes), ToBytes(state));
        }
    }

    [Fact]
    public void NoBlockLeavesTheStateAlone()
    {
        CrashStub stub = X86Stub.Build(Request(0x1000, [new(0, 64)], new uint[8]));
        using var memory = new ExecutableMemory(X86Stub.MemorySize);
        memory.Write(stub.Code);
        uint[] state = [1, 2, 3, 4, 5, 6, 7, 8];
        fixed (uint* s = state)
            ((delegate* unmanaged<uint*, byte*, ulong, void>)((nint)memory.Pointer + stub.Sha256Offset))(s, null, 0);
        Assert.Equal([1u, 2, 3, 4, 5, 6, 7, 8], state);
    }

    [Fact]
    public void VerifyAcceptsWhatWasLoadedAndSeesAnyChangedByte()
    {
        int[] sizes = [4096, 12288, 4096, 65536];
        byte*[] buffers = new byte*[sizes.Length];
        var ranges = new List<PhysicalRange>();
        var hash = new Sha256();
        var random = new Random(7);
        for (int i = 0; i < sizes.Length; i++)
        {
            buffers[i] = (byte*)NativeMemory.AlignedAlloc((nuint)sizes[i], 4096);
            var span = new Span<byte>(buffers[i], sizes[i]);
            random.NextBytes(span);
            // The second half is what the kernel fills with zeros.
            span[(sizes[i] / 2)..].Clear();
            hash.Append(span[..(sizes[i] / 2)]);
            hash.AppendZeros((ulong)sizes[i] / 2);
            ranges.Add(new((ulong)buffers[i], (ulong)buffers[i] + (ulong)sizes[i]));
        }

        using var memory = new ExecutableMemory(X86Stub.MemorySize);
        CrashStub stub = X86Stub.Build(Request(memory.Address, ranges, ToWords(hash.Finish())));
        memory.Write(stub.Code);
        var verify = (delegate* unmanaged<int>)(memory.Pointer + stub.VerifyOffset);
        Assert.Equal(0, verify());
        for (int i = 0; i < sizes.Length; i++)
        {
            foreach (int at in (int[])[0, 63, sizes[i] / 2, sizes[i] - 1])
            {
                buffers[i][at] ^= 1;
                Assert.Equal(1, verify());
                buffers[i][at] ^= 1;
            }
        }

        Assert.Equal(0, verify());
        foreach (byte* buffer in buffers)
            NativeMemory.AlignedFree(buffer);
    }

    [Fact]
    public void CodeIsPositionIndependentButForTheGdtAddress()
    {
        byte[] low = X86Stub.Build(Request(0x2bf00000, [new(0x2c000000, 0x2c001000)], new uint[8])).Code;
        byte[] high = X86Stub.Build(Request(0x1bf00000000, [new(0x2c000000, 0x2c001000)], new uint[8])).Code;
        int[] different = [.. Enumerable.Range(0, low.Length).Where(i => low[i] != high[i])];
        Assert.NotEmpty(different);
        Assert.True(different[^1] - different[0] < 8);
    }

    [Fact]
    public void WithoutChecksNothingIsVerified()
    {
        CrashStub stub = X86Stub.Build(Request(0x2bf00000, [], new uint[8]));
        Assert.Equal(-1, stub.Sha256Offset);
        Assert.Equal(-1, stub.VerifyOffset);
        Assert.True(stub.Code.Length < 256);
    }

    [Fact]
    public void GdtDescriptorPointsAtFlatSegmentsInsideTheStub()
    {
        const ulong address = 0x1bf00000000;
        byte[] code = X86Stub.Build(Request(address, [], new uint[8])).Code;
        // lgdt [rip + disp32]
        int lgdt = code.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x0f, 0x01, 0x15]);
        int gdtr = lgdt + 7 + BinaryPrimitives.ReadInt32LittleEndian(code.AsSpan(lgdt + 3));
        Assert.Equal(0x1f, BinaryPrimitives.ReadUInt16LittleEndian(code.AsSpan(gdtr)));
        int gdt = checked((int)(BinaryPrimitives.ReadUInt64LittleEndian(code.AsSpan(gdtr + 2)) - address));
        Assert.Equal(0x00af9a000000fffful, BinaryPrimitives.ReadUInt64LittleEndian(code.AsSpan(gdt + 16)));
        Assert.Equal(0x00cf92000000fffful, BinaryPrimitives.ReadUInt64LittleEndian(code.AsSpan(gdt + 24)));
    }

    [Fact]
    public void TooManyRangesAreRefusedInsteadOfRunningIntoTheStack() =>
        Assert.Throws<KexecException>(() => X86Stub.Build(Request(0x1000, [.. Enumerable.Repeat(new PhysicalRange(0, 64), 400)], new uint[8])));

    private static StubRequest Request(ulong address, IReadOnlyList<PhysicalRange> ranges, uint[] digest) =>
        new(Layout.ElfCoreHeaderTests.Synthetic("00100000-7fffffff : System RAM\n"), address, 0x2c000000, 0x2c700000, ranges, digest,
        new(0x2b000000, 0x3b000000), new(StubConsoleKind.IoPort, 0x3f8));

    private static byte[] Pad(byte[] bytes)
    {
        byte[] padded = new byte[(bytes.Length + 9 + 63) & ~63];
        bytes.CopyTo(padded, 0);
        padded[bytes.Length] = 0x80;
        BinaryPrimitives.WriteUInt64BigEndian(padded.AsSpan(padded.Length - 8), (ulong)bytes.Length * 8);
        return padded;
    }

    private static uint[] ToWords(byte[] digest) =>
        [.. Enumerable.Range(0, digest.Length / 4).Select(n => BinaryPrimitives.ReadUInt32BigEndian(digest.AsSpan(n * 4)))];

    private static byte[] ToBytes(uint[] state)
    {
        byte[] bytes = new byte[32];
        for (int i = 0; i < 8; i++)
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(i * 4), state[i]);
        return bytes;
    }
}
