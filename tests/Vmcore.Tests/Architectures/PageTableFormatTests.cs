using System.Runtime.InteropServices;
using Vmcore.Architectures;
using Vmcore.Architectures.Arm64;
using Vmcore.Architectures.Riscv64;
using Vmcore.Memory;

namespace Vmcore.Tests.Architectures;

/// <summary>Entries written down by hand: blocks, bits of 52-bit addresses, invalid combinations, tags.</summary>
public sealed class PageTableFormatTests
{
    private const ulong Root = 0x10000;

    [Theory]
    [InlineData(12, 48, 30, 0x0060000040000701ul, 0x40000000ul)]
    [InlineData(12, 48, 21, 0x0060000040200701ul, 0x40200000ul)]
    [InlineData(14, 47, 25, 0x0060000042000701ul, 0x42000000ul)]
    [InlineData(14, 52, 36, 0x0060003000000401ul, 0x3000000000ul)]
    [InlineData(12, 52, 39, 0x0060018000000401ul, 0x18000000000ul)]
    [InlineData(16, 52, 29, 0x0060000060005701ul, 0x5000060000000ul)] // Bits 15:12 are bits 51:48.
    [InlineData(12, 52, 21, 0x0060000040200701ul, 0xc000040200000ul)] // With LPA2 bits 9:8 are bits 51:50 ...
    [InlineData(12, 48, 21, 0x0060000040200f01ul, 0x40200000ul)] // ... and without it they are shareability.
    public void BlocksOfArm64(int pageShift, int bits, int shift, ulong entry, ulong physical)
    {
        KernelAddressSpace space = Space(Arm64PageTables.Create(pageShift, bits), shift, entry);
        ulong address = space.KernelStart + (ulong)(1 << (shift - 13)) + 0x321;
        Translation found = space.Translate(address);
        Assert.Equal(MemoryStatus.Ok, found.Status);
        Assert.Equal(1ul << shift, found.Size);
        Assert.Equal(physical | (address & ((1ul << shift) - 1)), found.PhysicalAddress);
        Assert.Contains("block", space.FlagsOf(space.Walk(address)[^1]));
    }

    [Theory]
    [InlineData(12, 39, 0x0060000040000701ul)] // No block of 512 GiB without LPA2.
    [InlineData(12, 12, 0x0060000040000701ul)] // No block at the last level.
    [InlineData(12, 30, 0x0060000040000702ul)] // Not valid.
    [InlineData(12, 12, 0x0060000040000700ul)]
    public void WhatIsReservedIsNotMapped(int pageShift, int shift, ulong entry)
    {
        KernelAddressSpace space = Space(Arm64PageTables.Create(pageShift, 48), shift, entry);
        Assert.Equal(MemoryStatus.NotMapped, space.Translate(space.KernelStart).Status);
        Assert.Equal(MemoryStatus.NotMapped, space.Walk(space.KernelStart)[^1].Status);
    }

    [Fact]
    public void TagsOfPointersAreIgnored()
    {
        KernelAddressSpace space = Space(Arm64PageTables.Create(12, 48), 30, 0x0060000040000701);
        Assert.Equal(0x40000000ul, space.Translate(0xf4ff_0000_0000_0000).PhysicalAddress);
        Assert.True(space.IsKernelAddress(0xf4ff_0000_0000_0000));
        Assert.False(space.IsKernelAddress(0xff7f_0000_0000_0000));
    }

    [Theory]
    [InlineData(39, 30)]
    [InlineData(48, 39)]
    [InlineData(57, 48)]
    [InlineData(57, 21)]
    [InlineData(39, 12)]
    public void LeavesOfRiscv64StandAtEveryLevel(int bits, int shift)
    {
        ulong physical = 1ul << Math.Max(shift, 31);
        KernelAddressSpace space = Space(Riscv64PageTables.Create(bits), shift, (physical >> 2) | 0xe7 | (1ul << 61), 1, 2);
        Translation found = space.Translate(space.KernelStart + 0x10);
        Assert.Equal(new(MemoryStatus.Ok, physical | 0x10, 1ul << shift), found);
    }

    [Fact]
    public void ATableAtTheLastLevelOfRiscv64IsNotMapped()
    {
        KernelAddressSpace space = Space(Riscv64PageTables.Create(39), 12, 0x20000001, 1, 2);
        Assert.Equal(MemoryStatus.NotMapped, space.Translate(space.KernelStart).Status);
    }

    /// <summary>A process has its own root, the kernel keeps its own.</summary>
    [Fact]
    public void AProcessOfArm64HasTwoRoots()
    {
        KernelAddressSpace space = Space(Arm64PageTables.Create(12, 48), 30, 0x0060000040000701);
        KernelAddressSpace process = space.ForProcess(Root + 0x100000);
        Assert.Equal(0x40000123ul, process.Translate(0x123).PhysicalAddress);
        Assert.Equal(0x40000123ul, process.Translate(space.KernelStart + 0x123).PhysicalAddress);
        Assert.Equal(MemoryStatus.NotMapped, process.Translate(1ul << 50).Status);
        Assert.Equal(MemoryStatus.NotMapped, space.Translate(0x123).Status);
    }

    private static KernelAddressSpace Space(PageTableFormat format, int shift, ulong leaf, ulong tableBits = 3, int down = 0) =>
        new(new OneTable(Array.FindIndex(format.Levels, l => l.Shift == shift) + 1, leaf, tableBits, down), format, Root);

    /// <summary>Every table holds one entry only, in every place: the next table, or at one level the leaf.</summary>
    /// <param name="leafDepth">How many tables down the leaf is; the root is 1.</param>
    /// <param name="leaf">The leaf.</param>
    /// <param name="tableBits">Low bits of an entry that names a table.</param>
    /// <param name="down">How far the address in it is shifted to the right.</param>
    private sealed class OneTable(int leafDepth, ulong leaf, ulong tableBits, int down) : IPhysicalMemory
    {
        private const ulong Step = 0x10000, Tree = 0xfffff;

        public MemoryStatus Read(ulong address, Span<byte> buffer)
        {
            MemoryMarshal.Cast<byte, ulong>(buffer).Fill((address & Tree) / Step == (ulong)leafDepth ? leaf : ((address + Step) >> down) | tableBits);
            return MemoryStatus.Ok;
        }
    }
}
