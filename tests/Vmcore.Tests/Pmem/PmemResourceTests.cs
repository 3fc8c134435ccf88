using System.Buffers.Binary;
using System.Text;
using Vmcore.Kernel.Resources;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;
using Vmcore.Tests.Kernel;
using PmemFinder = Vmcore.Pmem.PmemFinder;
using PmemLayout = Vmcore.Pmem.PmemLayout;

namespace Vmcore.Tests.Pmem;

/// <summary>The kernel's own /proc/iomem tells what no flag and no section does.</summary>
public sealed class PmemResourceTests
{
    private const ulong MiB = Machines.MiB, Start = Machines.PmemBase, Base = 0xffffffff82000000;
    private const ulong Ram = 0x01000200, Memory = 0x200;

    [Theory]
    [InlineData("Persistent Memory", 4u)]
    [InlineData("Persistent Memory (legacy)", 5u)]
    [InlineData("something else", 4u)]
    [InlineData("Persistent Memory", 0u)]
    public void RawAndUnallocatedSpaceIsPmem(string name, uint descriptor)
    {
        PmemLayout pmem = Find(PmemSegments.WholeRegionsUnmarked, new(Start, 300 * MiB, name, Memory, descriptor),
            new(Start, 64 * MiB, "namespace0.0", Memory, descriptor));
        Assert.Equal([new PfnRange(Start >> 12, (Start + (300 * MiB)) >> 12)], pmem.Pages);
        Assert.True(pmem.Metadata.IsEmpty);
        Assert.Equal("namespace0.0", Assert.Single(pmem.Namespaces).Name);
    }

    [Fact]
    public void RamOfKmemIsRamWhateverTheFlagSays()
    {
        foreach (PmemSegments segments in new[] { PmemSegments.WholeRegions, PmemSegments.WholeRegionsUnmarked })
        {
            PmemLayout pmem = Find(segments, new(Start, 300 * MiB, "Persistent Memory", Memory, 4),
                new(Start + (4 * MiB), 296 * MiB, "dax0.0", Memory, 4), new(Start + (128 * MiB), 128 * MiB, "System RAM (kmem)", Ram, 4));
            Assert.Equal([new PfnRange(Start >> 12, (Start + (128 * MiB)) >> 12),
                new PfnRange((Start + (256 * MiB)) >> 12, (Start + (300 * MiB)) >> 12)], pmem.Pages);
        }
    }

    [Fact]
    public void AFlagThatTheTreeDoesNotConfirmIsReported()
    {
        PmemLayout pmem = Find(PmemSegments.WholeRegions, new Node(Start, 200 * MiB, "Persistent Memory", Memory, 4));
        Assert.Equal(300ul * 256, pmem.Pages.PageCount);
        Assert.Contains(pmem.Findings,
            f => f.ToString().Contains($"0x{(Start + (200 * MiB)) >> 12:x}", StringComparison.Ordinal)
                && f.ToString().Contains("resource tree", StringComparison.Ordinal));
    }

    /// <summary>Nested nodes: each one lies in the one before it.</summary>
    private static PmemLayout Find(PmemSegments segments, params Node[] nodes)
    {
        (SyntheticMachine machine, PmemRegion region) = Machines.WithPmem(300 * MiB);
        region.AddNamespace(0, 64 * MiB, new() { Mode = SyntheticPmemMode.Raw });
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core(new() { Pmem = segments })));
        return PmemFinder.Find(new() { Memory = dump.Memory, Loads = dump.Loads, Kernel = dump.Kernel, Memmap = dump.Memmap, Resources = Tree(nodes) });
    }

    private static ResourceTree Tree(Node[] nodes)
    {
        Node[] all = [new(0, 0, "PCI mem", Memory, 0), new(0x100000, 63 * MiB, "System RAM", Ram, 0), .. nodes];
        byte[] bytes = new byte[4096];
        for (int i = 0; i < all.Length; i++)
        {
            Span<byte> b = bytes.AsSpan(i * 64);
            Encoding.ASCII.GetBytes(all[i].Name).CopyTo(bytes, 2048 + (i * 64));
            // Root, then RAM and the first node as its children, then each node in the one before.
            int parent = i switch { 0 => -1, 1 or 2 => 0, _ => i - 1 }, sibling = i == 1 ? 2 : -1,
                child = i == 0 ? 1 : i >= 2 && i + 1 < all.Length ? i + 1 : -1;
            ulong[] words = [all[i].Start, i == 0 ? ulong.MaxValue : all[i].Start + all[i].Length - 1,
                Base + 2048 + ((ulong)i * 64), all[i].Flags, all[i].Descriptor, Link(parent), Link(sibling), Link(child)];
            for (int w = 0; w < words.Length; w++)
                BinaryPrimitives.WriteUInt64LittleEndian(b[(w * 8)..], words[w]);
        }

        ResourceTree? tree = ResourceTree.TryLoad(Base, new FakeVirtualMemory().Add(Base, bytes), null, out string? problem);
        Assert.Null(problem);
        return tree!;
    }

    private static ulong Link(int slot) => slot < 0 ? 0 : Base + ((ulong)slot * 64);

    private sealed record Node(ulong Start, ulong Length, string Name, ulong Flags, uint Descriptor);
}
