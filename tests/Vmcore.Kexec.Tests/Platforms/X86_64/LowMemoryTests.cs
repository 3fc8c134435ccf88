using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vmcore.Kexec.Tests.Layout;
using Vmcore.Kexec.Tests.Platforms.X86_64.Stub;
using Vmcore.Ranges;
using Vmcore.Testing.Kexec;

namespace Vmcore.Kexec.Tests.Platforms.X86_64;

/// <summary>A kernel of before Linux 5.5 uses the memory below 640 KiB, which the capture kernel is given: it is copied away, and the copy dumped.</summary>
public sealed unsafe class LowMemoryTests
{
    [Theory]
    [InlineData("4.18.0-80.el8.x86_64", true)]
    [InlineData("5.4.300", true)]
    [InlineData("5.5.0", false)]
    [InlineData("6.12.0-1-amd64", false)]
    [InlineData("", false)]
    [InlineData("nonsense", false)]
    public void OfAnOldKernelItIsInTheDump(string release, bool expected)
    {
        LoadPlan plan = LoadPlannerTests.Plan(TestTree.Stock().File("/proc/sys/kernel/osrelease", release + "\n"), new() { Syscall = LoadSyscall.Load });
        Segment? backup = plan.Layout!.Segments.FirstOrDefault(static s => s.Name == "backup");
        ProgramHeader? low = plan.Layout.Headers.FirstOrDefault(static h => h.Kind == HeaderKind.Ram && h.Memory.Start < 1 << 20);
        Assert.Equal((expected, expected), (backup is not null, low is not null && low.Memory.End <= 1 << 20));
        if (!expected)
            return;
        // Whole pages of 1000-9fbff; the segment is empty until the crash, and nobody verifies it.
        Assert.Equal((new PhysicalRange(0x1000, 0x9f000), backup!.Memory.Start, 0xffff897a80001000), (low!.Memory, low.Offset, low.Virtual));
        Assert.Equal((0x9e000ul, 0, false), (backup.Memory.Length, backup.Data.Length, backup.IsVerified));
        Assert.Contains(plan.Layout.Memory, m => m.Type == MemoryMapType.Ram && m.Range.Contains(0x1000));
        // The capture kernel must not take the copy for free memory, which it would be by the time that somebody reads it.
        Assert.DoesNotContain(plan.Layout.Memory, m => m.Type == MemoryMapType.Ram && !m.Range.Intersect(backup.Memory).IsEmpty);
        Assert.DoesNotContain(plan.Layout.Memory, m => m.Type == MemoryMapType.Ram
            && !m.Range.Intersect(plan.Layout.Segments.First(static s => s.Name == "elfcorehdr").Memory).IsEmpty);
        int index = plan.Layout.Headers.ToList().IndexOf(low);
        ReadOnlySpan<byte> entry = plan.Layout.Segments.First(static s => s.Name == "elfcorehdr").Data.Span[(64 + (index * 56))..];
        Assert.Equal(backup.Memory.Start, BinaryPrimitives.ReadUInt64LittleEndian(entry[8..]));
        Assert.Equal(0x1000ul, BinaryPrimitives.ReadUInt64LittleEndian(entry[24..]));
        Assert.Equal(0x9e000ul, BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]));
    }

    [Fact]
    public void TheStubCopiesIt()
    {
        const int size = 3 * 4096;
        byte* from = (byte*)NativeMemory.AlignedAlloc(size, 4096), to = (byte*)NativeMemory.AlignedAlloc(size + 1, 4096);
        new Random(3).NextBytes(new Span<byte>(from, size));
        new Span<byte>(to, size + 1).Clear();
        using var memory = new ExecutableMemory(X86Stub.MemorySize);
        CrashStub stub = X86Stub.Build(new(
            ElfCoreHeaderTests.Synthetic("00100000-7fffffff : System RAM\n"), memory.Address, 0x2c000000, 0x2c700000, [], new uint[8],
            new(0x2b000000, 0x3b000000), new(StubConsoleKind.IoPort, 0x3f8))
        {
            Copies = [(new((ulong)from, (ulong)from + 4096), (ulong)to), (new((ulong)from + 4096, (ulong)from + size), (ulong)to + 4096)],
        });
        memory.Write(stub.Code);
        ((delegate* unmanaged<void>)(memory.Pointer + stub.CopyOffset))();
        Assert.Equal(new Span<byte>(from, size).ToArray(), new Span<byte>(to, size).ToArray());
        Assert.Equal(0, to[size]);
        NativeMemory.AlignedFree(from);
        NativeMemory.AlignedFree(to);
    }

    [Fact]
    public void NothingIsCopiedByOtherStubs()
    {
        LoadPlan plan = LoadPlannerTests.Plan(TestTree.Stock(), new() { Syscall = LoadSyscall.Load });
        Assert.True(plan.Layout!.Segments.First(static s => s.Name == "stub").Data.Span.IndexOf((ReadOnlySpan<byte>)[0xf3, 0x48, 0xa5]) < 0);
    }
}
