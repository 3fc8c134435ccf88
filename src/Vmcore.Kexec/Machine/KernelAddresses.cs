using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>Where the running kernel lies, in physical and in virtual memory.</summary>
/// <param name="Physical">Physical addresses from <c>_text</c> to <c>_end</c>, in bytes.</param>
/// <param name="Virtual">Virtual address of <c>_text</c>.</param>
public readonly record struct KernelText(PhysicalRange Physical, ulong Virtual);

/// <summary>Reads the kernel's virtual layout from /proc/kallsyms and /proc/kcore.</summary>
internal static class KernelAddresses
{
    /// <summary>Lowest virtual address of the kernel's own mapping.</summary>
    internal const ulong KernelMap = 0xffffffff80000000;
    private static readonly string[] Wanted = ["_text", "_stext", "_end", "devm_memmap_vmcore_head"];

    /// <summary>The addresses of the symbols that the loader needs; symbols that the kernel hides (address 0) are left out.</summary>
    public static IReadOnlyDictionary<string, ulong> ReadSymbols(SystemRoot root)
    {
        Dictionary<string, ulong> symbols = new(StringComparer.Ordinal);
        using FileStream? file = root.TryOpen("/proc/kallsyms");
        if (file is null)
            return symbols;
        // A hundred thousand lines and more: they are looked through as bytes, block by block, so that no line costs an object.
        byte[] block = new byte[1 << 16];
        int kept = 0;
        try
        {
            for (int count; symbols.Count < Wanted.Length && (count = file.Read(block, kept, block.Length - kept)) > 0;)
            {
                int end = kept + count, complete = block.AsSpan(0, end).LastIndexOf((byte)'\n') + 1;
                foreach (string name in Wanted)
                    Find(block.AsSpan(0, complete), name, symbols);
                // The rest of a line that is longer than a block is no symbol.
                kept = complete == 0 && end == block.Length ? 0 : end - complete;
                block.AsSpan(end - kept, kept).CopyTo(block);
            }
        }
        catch (IOException)
        {
            // What was read so far is right.
        }

        return symbols;
    }

    // A line is "ffffffff81000000 T _text", and for a symbol of a module the module's name in brackets behind a tab.
    private static void Find(ReadOnlySpan<byte> lines, string name, Dictionary<string, ulong> symbols)
    {
        Span<byte> wanted = stackalloc byte[64];
        int length = Encoding.ASCII.GetBytes($" {name}\n", wanted);
        int at = lines.IndexOf(wanted[..length]);
        if (at < 0 || symbols.ContainsKey(name))
            return;
        ReadOnlySpan<byte> line = lines[(lines[..at].LastIndexOf((byte)'\n') + 1)..at];
        int blank = line.IndexOf((byte)' ');
        if (blank > 0 && ulong.TryParse(line[..blank], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong address) && address > 0)
            symbols.Add(name, address);
    }

    /// <summary>Reads the program headers of /proc/kcore: the direct map's base and, if it is there, the kernel's text.</summary>
    public static KcoreLayout ReadKcore(SystemRoot root)
    {
        // The program headers and the notes, which hold vmcoreinfo, lie in front of the memory.
        byte[] head = root.TryReadBytes("/proc/kcore", 1 << 19) ?? [];
        List<KcoreSegment> segments = [];
        bool hasInfo = head.AsSpan().IndexOf("\nPAGESIZE="u8) >= 0;
        bool knowsPmem = head.AsSpan().IndexOf("SYMBOL(devm_memmap_vmcore_head)="u8) >= 0;
        int structPage = head.AsSpan().IndexOf("\nSIZE(page)=64\n"u8) >= 0 ? 64 : 0;
        if (head.Length < 64 || !head.AsSpan().StartsWith("\x7f"u8.ToArray().AsSpan()) || head[4] != 2)
            return new(segments, hasInfo, knowsPmem, structPage);
        ulong offset = BinaryPrimitives.ReadUInt64LittleEndian(head.AsSpan(32));
        int size = BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(54));
        int count = BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(56));
        for (int i = 0; i < count && size >= 56 && offset <= (ulong)head.Length; i++)
        {
            int at = (int)offset + (i * size);
            if (at > head.Length - 56)
                break;
            ReadOnlySpan<byte> header = head.AsSpan(at, 56);
            if (BinaryPrimitives.ReadUInt32LittleEndian(header) == 1)
            {
                segments.Add(new(
                    BinaryPrimitives.ReadUInt64LittleEndian(header[16..]),
                    BinaryPrimitives.ReadUInt64LittleEndian(header[24..]),
                    BinaryPrimitives.ReadUInt64LittleEndian(header[40..])));
            }
        }

        return new(segments, hasInfo, knowsPmem, structPage);
    }

    /// <summary>Joins the sources. Without one for the virtual address there is no text segment to describe.</summary>
    public static KernelText? FindText(Iomem iomem, IReadOnlyDictionary<string, ulong> symbols, KcoreLayout kcore)
    {
        if (iomem.KernelImage is not { } image)
            return null;
        // The segment of kcore is exactly what is wanted: from _text to _end.
        KcoreSegment segment = kcore.TextAt(image.Start);
        ulong text = segment.Virtual, end = segment.Virtual + segment.Length;
        if (text < KernelMap)
        {
            if (!symbols.TryGetValue("_text", out text))
                symbols.TryGetValue("_stext", out text);
            symbols.TryGetValue("_end", out end);
        }

        if (text < KernelMap)
            return null;
        // The brk area lies between bss, where iomem stops, and _end.
        bool isPlausible = end > text && end - text >= image.Length && end - text <= 1UL << 30;
        return new(isPlausible ? new(image.Start, image.Start + Numbers.AlignUp(end - text, 4096)) : new(image.Start, Numbers.AlignUp(image.End, 4096)), text);
    }
}

/// <summary>A PT_LOAD of /proc/kcore: virtual and physical address (-1 if it is not memory) and length in bytes.</summary>
internal readonly record struct KcoreSegment(ulong Virtual, ulong Physical, ulong Length);

/// <summary>What /proc/kcore says.</summary>
/// <param name="Segments">Its PT_LOADs.</param>
/// <param name="HasInfo">True if it has a vmcoreinfo note.</param>
/// <param name="KnowsPmem">True if its vmcoreinfo note has the key of the kernel's list of memmaps on pmem.</param>
/// <param name="StructPageSize">Size of a struct page in bytes by that note; 0 if it does not say 64.</param>
internal sealed record KcoreLayout(IReadOnlyList<KcoreSegment> Segments, bool HasInfo, bool KnowsPmem, int StructPageSize)
{
    /// <summary>The segment of the kernel's text, which begins at this physical address; all zero if there is none.</summary>
    public KcoreSegment TextAt(ulong physical) => Segments.FirstOrDefault(s => s.Virtual >= KernelAddresses.KernelMap && s.Physical == physical);

    /// <summary>Virtual address of physical address 0 in the direct map, or null if it is not to be seen.</summary>
    /// <remarks>KASLR places the direct map at a multiple of 1 GiB.</remarks>
    public ulong? PageOffset
    {
        get
        {
            ulong lowest = ulong.MaxValue;
            foreach (KcoreSegment segment in Segments)
            {
                // Kernel half, below the vmemmap and the text; what is no memory has no physical address.
                if (segment.Physical != ulong.MaxValue && segment.Virtual >= 0xff00000000000000 && segment.Virtual < 0xffffffff80000000)
                    lowest = Math.Min(lowest, segment.Virtual - segment.Physical);
            }

            return lowest == ulong.MaxValue ? null : lowest & ~((1UL << 30) - 1);
        }
    }
}
