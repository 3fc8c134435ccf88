using System.Buffers.Binary;
using CsCheck;
using Vmcore.Ranges;
using Vmcore.Testing;
using Vmcore.Tests.Dumping;
using InfoBlock = Vmcore.Pmem.InfoBlock;

namespace Vmcore.Tests.Pmem;

public sealed class InfoBlockTests
{
    private const ulong MiB = Machines.MiB;

    private static readonly (int Offset, int Length, string Name)[] s_fields =
    [
        (0, 16, "signature"), (52, 2, "major"), (54, 2, "minor"), (56, 8, "dataoff"), (64, 8, "npfns"), (72, 4, "mode"), (76, 4, "start_pad"),
        (80, 4, "end_trunc"), (84, 4, "align"), (88, 4, "page_size"), (92, 2, "page_struct_size"),
        (16, 16, "uuid"), (32, 16, "parent_uuid"), (4088, 8, "checksum"),
    ];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void EachVersionIsRead(int minor)
    {
        // Before 1.2 the alignment is the highest bit of dataoff, and a kernel refuses a block whose data does not have it.
        (_, SyntheticNamespace space) = Machines.WithNamespace((minor < 2 ? 128ul : 256) * MiB, new()
        {
            MinorVersion = (ushort)minor,
            StartPad = minor >= 2 ? 2u << 20 : 0,
            EndTrunc = minor >= 1 ? 2u << 20 : 0,
        });
        InfoBlock? block = InfoBlock.TryParse(InfoBlockWriter.Create(space, 64), space.Start, 64, out string? problem);
        Assert.Null(problem);
        Assert.NotNull(block);
        Assert.Equal(space.DataOffset, block.DataOffset);
        Assert.Equal(space.DataPages, block.DataPages);
        Assert.Equal(space.Length, block.NamespaceSize);
        Assert.Equal(space.Options.StartPad, block.StartPad);
        Assert.Equal(Vmcore.Pmem.PmemMode.FsDax, block.Mode);
        Assert.Equal(Vmcore.Pmem.PmemMap.Device, block.Map);
    }

    /// <summary>A field that is impossible is named with what was found.</summary>
    [Theory]
    [InlineData("major", 2ul)]
    [InlineData("dataoff", 0x1000ul)]
    [InlineData("dataoff", 0x600001ul)]
    [InlineData("dataoff", 1ul << 52)]
    [InlineData("dataoff", ulong.MaxValue << 12)]
    [InlineData("npfns", 0ul)]
    [InlineData("npfns", 1ul << 40)]
    [InlineData("npfns", ulong.MaxValue)]
    [InlineData("mode", 0ul)]
    [InlineData("mode", 3ul)]
    [InlineData("align", 3ul)]
    [InlineData("align", 1ul << 30)]
    [InlineData("page_size", 0ul)]
    [InlineData("page_size", 2048ul)]
    [InlineData("page_size", 0x80000000ul)]
    [InlineData("page_struct_size", 0ul)]
    [InlineData("page_struct_size", 63ul)]
    public void ImpossibleFieldsAreRefused(string field, ulong value)
    {
        (_, SyntheticNamespace space) = Machines.WithNamespace();
        byte[] block = InfoBlockWriter.Create(space, 64);
        Set(block, s_fields.Single(f => f.Name == field), value);
        Seal(block);
        Assert.Null(InfoBlock.TryParse(block, space.Start, 64, out string? problem));
        Assert.Contains("found", problem, StringComparison.Ordinal);
        Assert.Contains("expected", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void AnyBytesAreParsed() =>
        Gen.Select(Gen.Byte.Array[4096], Gen.ULong, Gen.Bool).Sample(t =>
        {
            (byte[] block, ulong at, bool dax) = t;
            (dax ? "NVDIMM_DAX_INFO\0"u8 : "NVDIMM_PFN_INFO\0"u8).CopyTo(block);
            Seal(block);
            InfoBlock? parsed = InfoBlock.TryParse(block, at, 64, out string? problem);
            return parsed is null ? problem is not null : at + parsed.NamespaceSize <= 1ul << 56 && parsed.NamespaceSize >= parsed.DataOffset;
        });

    /// <summary>Whatever an info block says, with a right checksum or without: no page becomes metadata that is not memmap or that block's own.</summary>
    [Fact]
    public void NoBlockWidensTheMetadata()
    {
        (SyntheticMachine machine, PmemRegion region) = Machines.WithPmem(384 * MiB);
        SyntheticNamespace space = region.AddNamespace(0, 128 * MiB);
        region.AddNamespace(128 * MiB, 256 * MiB, new() { Map = SyntheticPmemMap.Mem });
        CoreImage core = machine.Core();
        byte[] good = Machines.Read(core, space.Start + 4096, 4096);
        PfnRangeSet right = PfnRangeSet.From(machine.PmemMetadataPfns.Select(p => new PfnRange(p, p + 1)));
        Gen<ulong> value = Gen.OneOf(Gen.ULong, Gen.ULong[0, 9], Gen.ULong[0, 400].Select(m => m << 20),
            Gen.Int[0, 63].Select(b => 1ul << b), Gen.Const(ulong.MaxValue));
        Gen.Select(Gen.Select(Gen.Int[0, s_fields.Length - 1], value).Array[1, 3], Gen.Int[0, 3]).Sample(
            t =>
            {
                byte[] block = [.. good];
                foreach ((int field, ulong v) in t.Item1)
                    Set(block, s_fields[field], v);
                if (t.Item2 > 0)
                    Seal(block);
                using CrashDump dump = CrashDump.Open(new EditedCore(core).WritePhysical(space.Start + 4096, block));
                Assert.Empty(dump.Pmem.Metadata.Except(right));
                Assert.Equal(384ul * 256, dump.Pmem.Pages.PageCount);
                Assert.True(dump.Pmem.Metadata.PageCount + 1 >= right.PageCount);
            },
            iter: 150,
            threads: 2);
    }

    /// <summary>A damaged block is reported with the field, and the memmap is found all the same.</summary>
    [Fact]
    public void ADamagedBlockIsReported()
    {
        (SyntheticMachine machine, SyntheticNamespace space) = Machines.WithNamespace(128 * MiB, new() { State = SyntheticPmemState.LiveInfoBlockLost });
        using CrashDump dump = CrashDump.Open(new CoreSource(machine.Core()));
        Assert.Contains(dump.Pmem.Findings,
            f => f.ToString().Contains("checksum", StringComparison.Ordinal) && f.ToString().Contains($"0x{space.Start + 4096:x}", StringComparison.Ordinal));
        Assert.Equal((ulong)space.MemmapPfns.Count, dump.Pmem.Metadata.PageCount);
    }

    private static void Set(byte[] block, (int Offset, int Length, string Name) field, ulong value)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes.AsSpan(0, field.Length).CopyTo(block.AsSpan(field.Offset));
    }

    private static void Seal(byte[] block)
    {
        block.AsSpan(4088).Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(4088), InfoBlockWriter.Fletcher64(block));
    }
}
