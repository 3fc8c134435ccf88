using System.Text;
using System.Text.Json;
using Vmcore.Cli.Reader;
using Vmcore.Compression;
using Vmcore.Debugging;
using Vmcore.Erasing;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Flattened;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Identity;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Fuzz.Targets;

/// <summary>The parsers that need no machine: each with what its callers do with the result.</summary>
internal static class Parsers
{
    private const ulong At = 0xffff_8880_0000_0000;

    /// <summary>All of them.</summary>
    internal static IEnumerable<FuzzTarget> All() =>
    [
        new ParserTarget("btf", Btf, static () => [Seeds.Btf()], head: 256),
        new ParserTarget("dwarf", Dwarf, Seeds.Objects, head: 64, shortInputs: 300),
        new ParserTarget("object", ObjectFile, Seeds.Objects, head: 64, shortInputs: 1000),
        new ParserTarget("notes", Notes, static () => [Seeds.Notes()], head: 64),
        new ParserTarget("vmcoreinfo", static (bytes, _) => Info(bytes), static () => [Encoding.ASCII.GetBytes(Seeds.Machine.Vmcoreinfo)]),
        new ParserTarget("elf", Elf, static () => [Seeds.SmallCore()], head: 1024, shortInputs: 500),
        new ParserTarget("lime", Elf, static () => [Seeds.Lime()], head: 64, shortInputs: 200),
        new ParserTarget("kdump", Kdump, Seeds.Kdumps, head: 4096, shortInputs: 1000),
        new ParserTarget("flattened", Flattened, Seeds.Flattened, head: 8192, shortInputs: 1000),
        new ParserTarget("manifest", static (bytes, _) => Manifest(bytes), static () => [Seeds.Manifest()]),
        new ParserTarget("erase", static (bytes, _) => EraseConfig.Parse("rules", Encoding.UTF8.GetString(bytes)), static () => [Seeds.EraseRules()]),
        new ParserTarget("pages", Pages, static () => [Seeds.Page()], shortInputs: 5000),
    ];

    private static void Btf(byte[] bytes, Mutator mutator)
    {
        if (BtfTypes.TryParse(bytes, out _) is not { } parsed)
            return;
        KernelTypes types = KernelTypes.From(parsed);
        var memory = new NoiseMemory(mutator.Random.Next());
        foreach (string name in (ReadOnlySpan<string>)["struct list_head", "struct page", "struct task_struct", "struct odd", "gfp_t", "enum color"])
        {
            if (types.Find(name) is { } type)
                Use(memory, type);
        }

        _ = types.MemberOffset("page", "lru.next");
        _ = types.VariableType("a_variable", out _);
    }

    private static void Use(IVirtualMemory memory, KernelType type)
    {
        _ = type.ToString();
        _ = type.FindMember("none");
        _ = TypeDeclaration.Write(type, withOffsets: true);
        try
        {
            KernelObject item = KernelObject.At(memory, type, At);
            new ValueFormatter(memory, static _ => null).Format(item, TextWriter.Null);
            using var writer = new Utf8JsonWriter(Stream.Null);
            new ValueJson(memory, static _ => null, ReadLimits.Default).Write(writer, item);
        }
        catch (KernelObjectException)
        {
            // Of no size, or larger than memory.
        }
    }

    private static void ObjectFile(byte[] bytes, Mutator mutator)
    {
        using ElfObjectFile file = ElfObjectFile.Open(new BytesSource(bytes));
        _ = file.ReadBuildId();
        byte[] some = new byte[64];
        foreach (ElfSection section in file.Sections.Take(100))
            file.Read(section.Address + (ulong)mutator.Random.Next(64), some);
    }

    private static void Dwarf(byte[] bytes, Mutator mutator)
    {
        using ElfObjectFile file = ElfObjectFile.Open(new BytesSource(bytes));
        if (DwarfCode.TryOpen(file) is { } code)
        {
            ulong start = file.Sections.FirstOrDefault(static s => s.Name == ".text")?.Address ?? 0;
            for (int i = 0; i < 8; i++)
                _ = code.Find(start + (ulong)mutator.Random.Next(256)).Count;
        }

        if (DwarfTypes.TryLoad(file, out _) is not { } debug)
            return;
        var types = new KernelTypes(new DwarfTypeFactory(debug, static _ => null));
        var memory = new NoiseMemory(mutator.Random.Next());
        foreach (string name in (ReadOnlySpan<string>)["struct list_head", "struct page", "struct outer", "point_t", "enum color"])
        {
            if (types.Find(name) is { } type)
                Use(memory, type);
        }

        _ = types.VariableType("a_page", out _);
    }

    private static void Notes(byte[] bytes, Mutator mutator)
    {
        var walk = new NoteWalk(new BytesSource(bytes), ReadLimits.Default);
        for (int i = 0; i < 3; i++)
        {
            int at = mutator.Random.Next(4) == 0 ? mutator.Random.Next(bytes.Length + 1) : 0;
            _ = walk.Add(at, bytes.Length - at);
        }

        foreach (ElfNote note in walk.Notes)
            _ = note.Descriptor(walk.Area.Span).Length;
    }

    private static void Info(byte[] bytes)
    {
        VmcoreInfo info = VmcoreInfo.Parse(bytes);
        _ = (info.OsRelease, info.PageSize, info.BuildId, info.CrashTime, info.Symbol("mem_section"), info.Offset("page.flags"), info.Size("page"));
    }

    private static void Elf(byte[] bytes, Mutator mutator)
    {
        using CrashDump dump = CrashDump.Open(new BytesSource(bytes));
        byte[] page = new byte[dump.Memory.PageSize];
        for (int i = 0; i < 50; i++)
            dump.Memory.ReadPage((ulong)mutator.Random.NextInt64((long)Math.Min(dump.Memory.MaxPfn + 1, 1UL << 40)), page);
        _ = (dump.Problems.Count, dump.Pmem.Findings.Count, dump.SymbolsProblem, dump.TypesProblem, dump.Resources);
    }

    private static void Kdump(byte[] bytes, Mutator mutator)
    {
        using KdumpFile file = KdumpFile.Open(new BytesSource(bytes));
        byte[] page = new byte[file.BlockSize];
        for (ulong i = 0; i < 64; i++)
            file.ReadPage(mutator.Random.Next(2) == 0 ? i : (ulong)mutator.Random.NextInt64((long)Math.Min(file.MaxPfn + 1, 1UL << 40)), page);
    }

    private static void Flattened(byte[] bytes, Mutator mutator)
    {
        var source = new BytesSource(bytes);
        if (!FlattenedSource.IsFlattened(source))
            return;
        using FlattenedSource file = FlattenedSource.Open(source);
        byte[] part = new byte[4096];
        for (int i = 0; i < 20; i++)
            _ = file.Read(mutator.Random.NextInt64(Math.Max(file.Length, 1)), part);
    }

    private static void Manifest(byte[] bytes)
    {
        try
        {
            _ = ManifestText.Parse(bytes);
        }
        catch (JsonException e) when (e.Message.Length > 0)
        {
            // A sentence for the operator: VerifyCommand makes an error of it.
        }
    }

    private static void Pages(byte[] bytes, Mutator mutator)
    {
        byte[] page = new byte[4096];
        foreach (PageCodec codec in (ReadOnlySpan<PageCodec>)[PageCodec.Zlib, PageCodec.Lzo, PageCodec.Snappy, PageCodec.Zstd])
        {
            using IPageDecompressor decompressor = PageCodecs.CreateDecompressor(codec);
            int start = mutator.Random.Next(bytes.Length + 1);
            _ = decompressor.TryDecompress(bytes.AsSpan(start), page);
            _ = decompressor.TryDecompress(bytes, page);
        }
    }

    /// <summary>Memory that has noise at every address.</summary>
    private sealed class NoiseMemory(int seed) : IVirtualMemory
    {
        public ByteOrder ByteOrder => ByteOrder.LittleEndian;

        public bool IsKernelAddress(ulong address) => address >= At;

        public MemoryStatus Read(ulong address, Span<byte> buffer)
        {
            new Random(seed ^ (int)address).NextBytes(buffer);
            return MemoryStatus.Ok;
        }
    }
}
