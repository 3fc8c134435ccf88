using System.Text;
using Vmcore.Compression;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Flattened;
using Vmcore.IO;
using Vmcore.Kernel.Btf;
using Vmcore.Testing;
using Vmcore.Tests.Kernel;

namespace Vmcore.Fuzz.Targets;

/// <summary>Sound inputs that are made here: what is mutated.</summary>
internal static class Seeds
{
    private const ulong MiB = 1 << 20;

    private static readonly Lazy<SyntheticMachine> s_machine = new(CreateMachine);

    /// <summary>A machine of 15 MiB of RAM and 6 MiB of pmem, of which every user page has the canary.</summary>
    internal static SyntheticMachine Machine => s_machine.Value;

    internal static byte[] SmallCore() => Machine.ToElf();

    /// <summary>The same machine as LiME writes it, with its note where a kernel keeps it.</summary>
    internal static byte[] Lime()
    {
        byte[] core = SmallCore();
        byte[] note = ElfNotes.Build("VMCOREINFO", 0, Encoding.ASCII.GetBytes(Machine.Vmcoreinfo));
        using var image = new MemoryStream();
        using var writer = new BinaryWriter(image);
        var file = ElfCoreFile.Open(new BytesSource(core), ReadLimits.Default);
        foreach (ElfSegment load in file.Loads.Where(static l => l.FileSize > 0 && l.PhysicalAddress < 4096 * MiB).OrderBy(static l => l.PhysicalAddress))
        {
            writer.Write("EMiL"u8);
            writer.Write(1u);
            writer.Write(load.PhysicalAddress);
            writer.Write(load.PhysicalAddress + load.FileSize - 1);
            writer.Write(0UL);
            byte[] bytes = core[(int)load.Offset..(int)(load.Offset + load.FileSize)];
            if (load.FileSize > MiB)
                note.CopyTo(bytes.AsSpan(bytes.Length - (64 << 10)));
            writer.Write(bytes);
        }

        writer.Flush();
        return image.ToArray();
    }

    internal static byte[] Btf()
    {
        var builder = new BtfBuilder();
        uint number = builder.Int("int", 4), wide = builder.Int("long unsigned int", 8);
        uint character = builder.Add(BtfKind.Int, "char", 1, 0, false, (1u << 24) | 8);
        uint real = builder.Add(BtfKind.Float, "double", 8), list = builder.Add(BtfKind.Pointer, "", 6);
        builder.Composite(BtfKind.Struct, "list_head", 16, ("next", list, 0), ("prev", list, 64));
        uint name = builder.Add(BtfKind.Array, "", 0, 0, false, character, number, 16), text = builder.Add(BtfKind.Pointer, "", character);
        uint function = builder.Add(BtfKind.FunctionPrototype, "", number, 3, false, 0, number, 0, list, 0, 0);
        uint callback = builder.Add(BtfKind.Pointer, "", function), union = builder.Composite(BtfKind.Union, "", 16, ("lru", 6, 0), ("compound_head", wide, 0));
        builder.Composite(BtfKind.Struct, "page", 64, ("flags", wide, 0), ("", union, 64), ("private", wide, 192), ("callback", callback, 256));
        uint color = builder.Enum("color", ("RED", 1), ("BLUE", -2));
        builder.Enum64("big", ("HUGE", 1L << 40), ("LESS", -1));
        builder.Add(BtfKind.Typedef, "gfp_t", builder.Add(BtfKind.Const, "", builder.Add(BtfKind.Volatile, "", number)));
        builder.WithBitFields("odd", 48, ("a", number, 0, 3), ("b", color, 3, 5), ("c", wide, 8, 40), ("d", real, 64, 0), ("e", name, 128, 0),
            ("f", text, 256, 0));
        builder.Composite(BtfKind.Struct, "task_struct", 128, ("comm", name, 0), ("tasks", 6, 128), ("page", 12, 256), ("odd", 19, 768));
        builder.Add(BtfKind.Variable, "a_variable", 6, 0, false, 1);
        builder.Add(BtfKind.Function, "a_function", function);
        builder.Add(BtfKind.TypeTag, "user", number);
        return builder.Build();
    }

    internal static IEnumerable<byte[]> Objects() =>
        Directory.GetFiles(Path.Combine(SourceTree.Root, "tests", "fuzz", "corpus", "dwarf")).Order(StringComparer.Ordinal).Select(File.ReadAllBytes);

    internal static byte[] Notes() =>
    [
        .. ElfNotes.Build("CORE", 1, new byte[336]), .. ElfNotes.Build("CORE", 1, new byte[336]), .. ElfNotes.Build("LINUX", 0x700, new byte[2 << 10]),
        .. ElfNotes.Build("VMCOREINFO", 0, Encoding.ASCII.GetBytes(Machine.Vmcoreinfo)),
    ];

    internal static IEnumerable<byte[]> Kdumps()
    {
        foreach (PageCodec codec in (PageCodec[])[PageCodec.None, PageCodec.Zlib, PageCodec.Lzo, PageCodec.Snappy, PageCodec.Zstd])
        {
            KdumpBuilder builder = new() { Notes = Notes(), EraseInfo = "erase x nullify\n", Compress = Compress };
            for (ulong pfn = 0; pfn < 40; pfn += 3)
                builder.Page(pfn, KdumpBuilder.Pattern(pfn), codec);
            yield return builder.Excluded(61).Build();
        }
    }

    internal static IEnumerable<byte[]> Flattened()
    {
        foreach (byte[] file in Kdumps().Take(2))
        {
            using var stream = new MemoryStream();
            using (var sink = new FlattenedSink(stream, leaveOpen: true))
            {
                for (int at = 0; at < file.Length; at += 10_000)
                    sink.Write(at, file.AsSpan(at, Math.Min(10_000, file.Length - at)));
                sink.Complete(file.Length);
            }

            yield return stream.ToArray();
        }
    }

    internal static byte[] Manifest() => Encoding.UTF8.GetBytes("""
        {"schema":1,"file":"dump","size":8192,"sha256":"00ff","release":"6.1.0","crash_time":1700000000,"dump_level":31,
        "ranges":[{"offset":0,"length":4096,"sha256":"ab"},{"offset":4096,"length":4096,"sha256":"cd"}],
        "parts":[{"file":"a","size":1,"sha256":"x","ranges":[]}]}
        """);

    internal static byte[] EraseRules() => Encoding.UTF8.GetBytes("""
        [vmlinux]
        # a comment
        erase init_utsns.name.nodename
        erase jiffies size 8
        erase mystruct.key nullify
        for k in mylist within ListEntry:next
            erase k.secret size k.length
        endfor
        [ext4]
        erase (struct super_block)sb.s_id
        """);

    /// <summary>A page in every codec, one after the other.</summary>
    internal static byte[] Page() => [.. ((PageCodec[])[PageCodec.Zlib, PageCodec.Lzo, PageCodec.Snappy, PageCodec.Zstd]).SelectMany(c => Compress(c, Text()))];

    private static byte[] Text()
    {
        byte[] page = KdumpBuilder.Pattern(7);
        Encoding.ASCII.GetBytes("all work and no play makes a dull page, and again: all work and no play").CopyTo(page, 100);
        return page;
    }

    private static byte[] Compress(PageCodec codec, byte[] page)
    {
        if (codec == PageCodec.None)
            return page;
        using IPageCompressor compressor = PageCodecs.CreateCompressor(codec);
        byte[] block = new byte[page.Length * 2];
        return compressor.Compress(page, block) is > 0 and var length ? block[..length] : page;
    }

    private static SyntheticMachine CreateMachine()
    {
        var machine = new SyntheticMachine(new() { Era = KernelEra.V6_1, RfcList = true, KernelPhysicalStart = 2 * MiB });
        machine.AddRam(0x1000, 0x9ec00).AddRam(MiB, 15 * MiB);
        machine.Place(0x800, PageKind.AnonHuge).Place(0xa00, PageKind.Free, 8).PlaceMany(0xb00, 20, PageKind.PageCache).PlaceMany(0xb20, 20, PageKind.Anonymous)
            .PlaceMany(0xb40, 4, PageKind.Slab, 3).PlaceMany(0xb80, 8, PageKind.PageTable).PlaceMany(0xb90, 3, PageKind.HwPoison);
        machine.AddPmem(4096 * MiB, 6 * MiB).AddNamespace(0, 6 * MiB);
        return machine;
    }
}
