using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Vmcore.Testing;

/// <summary>
/// A machine of 16 MiB with any page size and any page tables: an image that KASLR moved, a memmap, and above 9 MiB pages of four kinds in turn: the
/// kernel's own, free, a user's, page cache. For architectures that <see cref="SyntheticMachine"/> does not know.
/// </summary>
public sealed class SmallMachine
{
    public const string Release = "6.1.0-small";
    public const ulong RamLength = 16 << 20;
    private const int StructSize = 64, SectionSize = 16;
    private const ulong Image = 2 << 20, Tables = 4 << 20, Memmap = 8 << 20, Sections = 3 << 20, Others = 9 << 20;

    private readonly SortedDictionary<ulong, byte[]> _pages = [];
    private readonly SmallTables _format;
    private ulong _next;

    /// <summary>Creates a machine.</summary>
    /// <param name="machine">e_machine.</param>
    /// <param name="utsname">The name of uname -m.</param>
    /// <param name="format">The page tables.</param>
    /// <param name="ram">Where RAM starts, a multiple of 1 GiB.</param>
    /// <param name="imageVa">Where the image is mapped.</param>
    /// <param name="linearVa">Where RAM is mapped.</param>
    /// <param name="vmemmap">Address of the struct page of pfn 0, which need not be mapped.</param>
    /// <param name="sectionBits">SECTION_SIZE_BITS.</param>
    /// <param name="physicalBits">MAX_PHYSMEM_BITS.</param>
    public SmallMachine(ushort machine, string utsname, SmallTables format, ulong ram, ulong imageVa, ulong linearVa, ulong vmemmap, int sectionBits,
        int physicalBits)
    {
        (Machine, _format, Ram, ImageVa) = (machine, format, ram, imageVa);
        _next = ram + Tables;
        Root = ram + Image + 0x40000;
        byte[] names = new byte[6 * 65];
        string[] fields = ["Linux", "small", Release, "#1 SMP", utsname, "(none)"];
        for (int i = 0; i < fields.Length; i++)
            Encoding.ASCII.GetBytes(fields[i]).CopyTo(names, i * 65);
        Write(ram + Image + 0x100, names);
        for (ulong at = 0; at < 1 << 20; at += PageSize)
            Map(imageVa + at, ram + Image + at);

        // One section holds all RAM; its root is the only one that is there.
        ulong section = ram >> sectionBits, perRoot = PageSize / SectionSize, roots = linearVa + Sections, entries = linearVa + Sections + (512 << 10);
        ulong slot = roots + (section / perRoot * 8), slotPa = ram + Sections + (section / perRoot * 8 % PageSize);
        Map(slot / PageSize * PageSize, slotPa / PageSize * PageSize);
        Map(entries, ram + Sections + (512 << 10));
        Write(slotPa, entries);
        Write(ram + Sections + (512 << 10) + (section % perRoot * SectionSize), vmemmap | 0xf);
        ulong structs = unchecked(vmemmap + ((ram >> format.PageShift) * StructSize));
        for (ulong at = 0; at < (RamLength >> format.PageShift) * StructSize; at += PageSize)
            Map(structs + at, ram + Memmap + at);
        for (ulong i = 0; i < RamLength >> format.PageShift; i++)
            Write(ram + Memmap + (i * StructSize), StructOf(i));
        LinearVa = linearVa;
        int rootCount = 1 << Math.Max(0, physicalBits - sectionBits - (int)Math.Log2(perRoot));
        Info = string.Create(CultureInfo.InvariantCulture, $"""
            OSRELEASE={Release}
            PAGESIZE={PageSize}
            SYMBOL(init_uts_ns)={imageVa + 0x100:x}
            OFFSET(uts_namespace.name)=0
            SYMBOL(swapper_pg_dir)={imageVa + 0x40000:x}
            SYMBOL(_stext)={imageVa:x}
            SYMBOL(mem_section)={roots:x}
            LENGTH(mem_section)={rootCount}
            SIZE(mem_section)={SectionSize}
            OFFSET(mem_section.section_mem_map)=0
            NUMBER(SECTION_SIZE_BITS)={sectionBits}
            NUMBER(MAX_PHYSMEM_BITS)={physicalBits}
            SIZE(page)={StructSize}
            OFFSET(page.flags)=0
            OFFSET(page._refcount)=52
            OFFSET(page.mapping)=24
            OFFSET(page.lru)=8
            OFFSET(page._mapcount)=48
            OFFSET(page.private)=40
            OFFSET(page.compound_dtor)=16
            OFFSET(page.compound_order)=17
            OFFSET(page.compound_head)=8
            NUMBER(PG_lru)=4
            NUMBER(PG_private)=13
            NUMBER(PG_swapcache)=10
            NUMBER(PG_swapbacked)=19
            NUMBER(PG_slab)=9
            NUMBER(PG_hwpoison)=22
            NUMBER(PG_head_mask)=65536
            NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129
            NUMBER(HUGETLB_PAGE_DTOR)=2

            """);
    }

    public ushort Machine { get; }

    public ulong Ram { get; }

    public ulong ImageVa { get; }

    public ulong LinearVa { get; }

    public ulong Root { get; }

    /// <summary>Virtual minus physical address of the image.</summary>
    public ulong ImageOffset => unchecked(ImageVa - Ram - Image);

    public ulong PageSize => 1UL << _format.PageShift;

    public ulong PageCount => RamLength >> _format.PageShift;

    /// <summary>vmcoreinfo without the keys of the architecture.</summary>
    public string Info { get; }

    /// <summary>An arm64 machine.</summary>
    /// <param name="pageShift">12, 14 or 16.</param>
    /// <param name="built">VA_BITS.</param>
    /// <param name="actual">What the CPU resolves: 48 or 47 of a kernel that is built for 52, else the same.</param>
    /// <param name="ram">Where RAM starts.</param>
    /// <param name="keys">Receives the keys of the architecture.</param>
    public static SmallMachine Arm64(int pageShift, int built, int actual, ulong ram, out string keys)
    {
        ulong linear = ulong.MaxValue << built, half = ulong.MaxValue << (Math.Min(Math.Min(built, actual), 48) - 1);

        // The memmap of pfn 0 lies below the address space's end by what memstart_addr, which is negative here, adds.
        ulong image = half + (1UL << 31) + 0x10000, vmemmapStart = half + (1UL << (Math.Min(actual, 48) - 2)), memstart = unchecked(ram - (4UL << 30));
        long bias = (long)memstart >> pageShift;
        ulong vmemmap = unchecked(vmemmapStart - ((ulong)bias * StructSize));
        linear = actual < built && pageShift != 16 ? ulong.MaxValue << actual : linear;
        int physical = built == 52 ? 52 : 48;
        var machine = new SmallMachine(183, "aarch64", SmallTables.Arm64(pageShift, pageShift == 16 ? built : actual), ram, image, linear + (4UL << 30),
            vmemmap, pageShift == 16 ? 29 : 27, physical);
        keys = string.Create(CultureInfo.InvariantCulture, $"""
            NUMBER(VA_BITS)={built}
            NUMBER(TCR_EL1_T1SZ)=0x{64 - actual:x}
            NUMBER(kimage_voffset)=0x{machine.ImageOffset:x}
            NUMBER(PHYS_OFFSET)=0x{memstart:x}
            NUMBER(KERNELPACMASK)=0x0
            KERNELOFFSET=10000

            """);
        return machine;
    }

    /// <summary>A riscv64 machine.</summary>
    /// <param name="bits">39, 48 or 57.</param>
    /// <param name="keys">Receives the keys of the architecture.</param>
    public static SmallMachine Riscv64(int bits, out string keys)
    {
        const ulong Start = 0x8000_0000;
        ulong half = ulong.MaxValue << (bits - 1), linear = half + (1UL << (bits - 2));
        ulong vmemmap = unchecked(half + (1UL << (bits - 3)) - ((Start >> 12) * StructSize));
        var machine = new SmallMachine(243, "riscv64", SmallTables.Riscv64(bits), Start, 0xffff_ffff_8060_0000, linear, vmemmap, 27, 56);
        keys = string.Create(CultureInfo.InvariantCulture, $"""
            NUMBER(VA_BITS)={bits}
            NUMBER(phys_ram_base)=0x{Start:x}
            NUMBER(PAGE_OFFSET)=0x{linear:x}
            NUMBER(KERNEL_LINK_ADDR)=0xffffffff80000000
            NUMBER(va_kernel_pa_offset)=0x{machine.ImageOffset:x}
            KERNELOFFSET=0

            """);
        return machine;
    }

    /// <summary>Content of a page by its number from the start of RAM, if nothing else was written there.</summary>
    public byte[] Page(ulong index)
    {
        if (_pages.TryGetValue((Ram >> _format.PageShift) + index, out byte[]? page))
            return page;
        byte[] text = new byte[PageSize];
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"page {index} ")).CopyTo(text, 0);
        return text;
    }

    /// <summary>Maps one page.</summary>
    public void Map(ulong va, ulong pa, int leafShift = 0)
    {
        ulong table = Root;
        for (int i = 0; ; i++)
        {
            int shift = _format.Shifts[i], entries = i == 0 ? _format.RootEntries : 1 << (_format.Shifts[i - 1] - shift);
            ulong slot = table + (8 * (va >> shift & ((ulong)entries - 1)));
            bool last = i == _format.Shifts.Length - 1;
            if (last || shift == leafShift)
            {
                Write(slot, _format.Leaf(pa, last));
                return;
            }

            ulong entry = Read(slot);
            if (entry == 0)
            {
                Write(slot, _format.Table(_next));
                _tables[_format.Table(_next)] = _next;
                entry = _format.Table(_next);
                _next += PageSize;
            }

            table = _tables[entry];
        }
    }

    private readonly Dictionary<ulong, ulong> _tables = [];

    /// <summary>The machine's vmcore: an ELF core file of one PT_LOAD for RAM and one for the image.</summary>
    /// <param name="keys">The keys of the architecture.</param>
    public byte[] ToElf(string keys)
    {
        byte[] info = Encoding.ASCII.GetBytes(Info + keys);
        byte[] notes = [.. Note("CORE", 1, new byte[392]), .. Note("VMCOREINFO", 0, info)];
        const int Headers = 3, HeaderSize = 64, Entry = 56;
        ulong data = 0x10000;
        byte[] file = new byte[data + RamLength];
        ((ReadOnlySpan<byte>)[0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(file);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(16), 4);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(18), Machine);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(20), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(32), HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(52), HeaderSize);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(54), Entry);
        BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(56), Headers);
        void Header(int index, uint type, ulong offset, ulong va, ulong pa, ulong size)
        {
            Span<byte> at = file.AsSpan(HeaderSize + (index * Entry));
            BinaryPrimitives.WriteUInt32LittleEndian(at, type);
            BinaryPrimitives.WriteUInt32LittleEndian(at[4..], 7);
            BinaryPrimitives.WriteUInt64LittleEndian(at[8..], offset);
            BinaryPrimitives.WriteUInt64LittleEndian(at[16..], va);
            BinaryPrimitives.WriteUInt64LittleEndian(at[24..], pa);
            BinaryPrimitives.WriteUInt64LittleEndian(at[32..], size);
            BinaryPrimitives.WriteUInt64LittleEndian(at[40..], size);
        }

        Header(0, 4, 0x1000, 0, 0, (ulong)notes.Length);
        Header(1, 1, data + Image, ImageVa, Ram + Image, 1 << 20);
        Header(2, 1, data, LinearVa, Ram, RamLength);
        notes.CopyTo(file, 0x1000);
        for (ulong i = 0; i < PageCount; i++)
            Page(i).CopyTo(file, (int)(data + (i << _format.PageShift)));
        return file;
    }

    private static byte[] Note(string name, int type, byte[] descriptor)
    {
        byte[] text = [.. Encoding.ASCII.GetBytes(name), 0];
        byte[] note = new byte[12 + ((text.Length + 3) & ~3) + ((descriptor.Length + 3) & ~3)];
        BinaryPrimitives.WriteInt32LittleEndian(note, text.Length);
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(4), descriptor.Length);
        BinaryPrimitives.WriteInt32LittleEndian(note.AsSpan(8), type);
        text.CopyTo(note, 12);
        descriptor.CopyTo(note, 12 + ((text.Length + 3) & ~3));
        return note;
    }

    /// <summary>What a page is, by its number from the start of RAM: 0 the kernel's own, 1 free, 2 a user's, 3 page cache.</summary>
    public int KindOf(ulong index) => index < Others >> _format.PageShift ? 0 : (int)(index % 4);

    private byte[] StructOf(ulong index)
    {
        byte[] page = new byte[StructSize];
        int kind = KindOf(index);
        bool isUser = kind == 2, isCache = kind == 3;
        BinaryPrimitives.WriteUInt64LittleEndian(page, isUser ? (1UL << 4) | (1UL << 19) : isCache ? 1UL << 4 : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(24), isUser ? 0xffff_ffff_f000_0001 : isCache ? 0xffff_ffff_f000_0000 : 0);
        BinaryPrimitives.WriteInt32LittleEndian(page.AsSpan(48), kind == 1 ? -129 : isUser ? 0 : -1);
        return page;
    }

    private void Write(ulong pa, ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Write(pa, bytes);
    }

    private void Write(ulong pa, ReadOnlySpan<byte> bytes)
    {
        ulong pfn = pa >> _format.PageShift;
        if (!_pages.TryGetValue(pfn, out byte[]? page))
            _pages[pfn] = page = new byte[PageSize];
        bytes.CopyTo(page.AsSpan((int)(pa & (PageSize - 1))));
    }

    private ulong Read(ulong pa) => _pages.TryGetValue(pa >> _format.PageShift, out byte[]? page)
        ? BinaryPrimitives.ReadUInt64LittleEndian(page.AsSpan((int)(pa & (PageSize - 1)))) : 0;
}
