using System.Globalization;
using System.Text;
using Vmcore.Architectures;
using Vmcore.Debugging;

namespace Vmcore.Kernel.Vmlinux;

/// <summary>
/// Writes the vmcoreinfo of a kernel from its vmlinux: what makedumpfile -g writes, and what newer kernels say of themselves besides. Addresses are
/// those of the linker: where KASLR put the kernel is found in the dump (see <see cref="LinkedKernel"/>).
/// </summary>
internal static class VmcoreInfoWriter
{
    private static readonly string[] s_symbols =
    [
        "mem_map", "mem_section", "pkmap_count", "pkmap_count_next", "system_utsname", "init_uts_ns", "_stext", "swapper_pg_dir", "init_level4_pgt",
        "level4_kernel_pgt", "init_top_pgt", "vmlist", "vmap_area_list", "node_online_map", "node_states", "node_data", "pgdat_list", "contig_page_data",
        "prb", "printk_rb_static", "clear_seq", "log_buf", "log_buf_len", "log_end", "log_first_idx", "clear_idx", "log_next_idx", "max_pfn",
        "high_memory", "free_huge_page", "kallsyms_names", "kallsyms_num_syms", "kallsyms_token_table", "kallsyms_token_index", "kallsyms_offsets",
        "kallsyms_relative_base",
    ];

    private static readonly string[] s_sizes =
    [
        "page", "mem_section", "pglist_data", "zone", "free_area", "list_head", "nodemask_t", "printk_ringbuffer", "prb_desc_ring", "prb_desc",
        "prb_data_blk_lpos", "printk_info", "dev_printk_info", "prb_data_ring", "atomic_long_t", "latched_seq", "printk_log", "log",
    ];

    private static readonly string[] s_offsets =
    [
        "page.flags", "page._refcount", "page._count", "page.mapping", "page.lru", "page._mapcount", "page.private", "page.compound_dtor",
        "page.compound_order", "page.compound_head", "page.compound_info", "folio._folio_dtor", "folio._folio_order", "mem_section.section_mem_map",
        "pglist_data.node_zones", "pglist_data.nr_zones", "pglist_data.node_mem_map", "pglist_data.node_start_pfn", "pglist_data.node_spanned_pages",
        "pglist_data.node_id", "zone.free_area", "zone.vm_stat", "zone.spanned_pages", "free_area.free_list", "list_head.next", "list_head.prev",
        "vm_struct.addr", "vmap_area.va_start", "vmap_area.list", "printk_ringbuffer.desc_ring", "printk_ringbuffer.text_data_ring",
        "printk_ringbuffer.fail", "prb_desc_ring.count_bits", "prb_desc_ring.descs", "prb_desc_ring.infos", "prb_desc_ring.head_id",
        "prb_desc_ring.tail_id", "prb_desc.state_var", "prb_desc.text_blk_lpos", "prb_data_blk_lpos.begin", "prb_data_blk_lpos.next",
        "prb_data_ring.size_bits", "prb_data_ring.data", "prb_data_ring.head_lpos", "prb_data_ring.tail_lpos", "printk_info.seq", "printk_info.ts_nsec",
        "printk_info.text_len", "printk_info.caller_id", "printk_info.dev_info", "dev_printk_info.subsystem", "dev_printk_info.device",
        "atomic_long_t.counter", "latched_seq.val", "printk_log.ts_nsec", "printk_log.len",
        "printk_log.text_len", "printk_log.dict_len", "log.ts_nsec", "log.len", "log.text_len",
        "uts_namespace.name",
    ];

    private static readonly string[] s_enumerators = ["NR_FREE_PAGES", "N_ONLINE", "PG_lru",
        "PG_private", "PG_swapcache", "PG_swapbacked", "PG_hwpoison", "HUGETLB_PAGE_DTOR"];

    /// <summary>Writes the text.</summary>
    /// <param name="vmlinux">The kernel.</param>
    /// <returns>Lines KEY=VALUE, each with its line feed.</returns>
    /// <exception cref="MissingInformationException">The file lacks what every use of vmcoreinfo needs.</exception>
    public static string Write(VmlinuxFile vmlinux)
    {
        if (vmlinux.Types is not { } types)
            throw new MissingInformationException($"{vmlinux.TypesProblem}; the vmlinux of a debug package is needed");
        if (types.FindMember("page", "flags") is null)
            throw new MissingInformationException($"{vmlinux.Path}: its debug information has no struct page; the vmlinux of a debug package is needed");
        string release = vmlinux.Release
            ?? throw new MissingInformationException($"{vmlinux.Path}: the kernel's release (linux_banner) is not in it; "
                + "the vmlinux itself is needed, not only a .debug file");
        var text = new StringBuilder();
        text.Append("OSRELEASE=").Append(release).Append('\n');
        if (vmlinux.BuildId is { } id)
            text.Append("BUILD-ID=").Append(id).Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"PAGESIZE={PageSize(vmlinux, types)}\n");
        foreach (string name in s_symbols)
        {
            if (vmlinux.Find(name) is { } address)
                text.Append(CultureInfo.InvariantCulture, $"SYMBOL({name})={address:x}\n");
        }

        foreach (string name in s_sizes)
            Append(text, "SIZE", name, types.FindComposite(name)?.ByteSize);
        foreach (string path in s_offsets)
            Append(text, "OFFSET", path, Offset(types, path));
        AppendLengths(text, vmlinux, types);
        AppendNumbers(text, types, release);
        if (types.FindTypedefFile("pud_t") is { } source)
            text.Append("SRCFILE(pud_t)=").Append(source).Append('\n');
        return text.ToString();
    }

    // empty_zero_page is an array of exactly one page on every architecture.
    private static long PageSize(VmlinuxFile vmlinux, DwarfTypes types)
    {
        IReadOnlyList<int> shifts = Architecture.Of(vmlinux.Machine, "")?.PageShifts
            ?? throw new MissingInformationException($"{vmlinux.Path}: a kernel for a machine whose dumps are not read ({vmlinux.Machine})");
        return types.FindVariable("empty_zero_page", null)?.ByteSize is { } size && shifts.Any(s => 1L << s == size) ? size : 1L << shifts[0];
    }

    private static long? Offset(DwarfTypes types, string path)
    {
        int dot = path.IndexOf('.', StringComparison.Ordinal);
        return types.FindMember(path[..dot], path[(dot + 1)..])?.ByteOffset;
    }

    private static void Append(StringBuilder text, string kind, string name, long? value)
    {
        if (value is { } number)
            text.Append(CultureInfo.InvariantCulture, $"{kind}({name})={number}\n");
    }

    private static void AppendLengths(StringBuilder text, VmlinuxFile vmlinux, DwarfTypes types)
    {
        foreach (string name in (ReadOnlySpan<string>)["node_data", "pgdat_list", "mem_section", "node_memblk"])
        {
            if (types.FindVariable(name, vmlinux.Find(name))?.Resolve() is { Kind: DwarfTypeKind.Array } array)
                Append(text, "LENGTH", name, array.Count);
        }

        Append(text, "LENGTH", "zone.free_area", types.FindMember("zone", "free_area")?.Type.Resolve().Count);
        Append(text, "LENGTH", "free_area.free_list", types.FindMember("free_area", "free_list")?.Type.Resolve().Count);
        Append(text, "LENGTH", "printk_info_subsystem", types.FindMember("dev_printk_info", "subsystem")?.Type.Resolve().Count);
        Append(text, "LENGTH", "printk_info_device", types.FindMember("dev_printk_info", "device")?.Type.Resolve().Count);
    }

    private static void AppendNumbers(StringBuilder text, DwarfTypes types, string release)
    {
        foreach (string name in s_enumerators)
            Append(text, "NUMBER", name, types.FindEnumerator(name));
        if (types.FindEnumerator("PG_head") is { } head and >= 0 and < 64)
            Append(text, "NUMBER", "PG_head_mask", unchecked((long)(1UL << (int)head)));
        Version version = VersionOf(release);

        // Page flags (below 64) became page types in 6.9 and 6.10; their values moved again in 6.11 and 6.12.
        foreach ((string flag, string key) in (ReadOnlySpan<(string, string)>)[("PG_slab", "PAGE_SLAB_MAPCOUNT_VALUE"),
            ("PG_hugetlb", "PAGE_HUGETLB_MAPCOUNT_VALUE")])
        {
            if (types.FindEnumerator(flag) is { } bit and >= 0 and < 64)
                Append(text, "NUMBER", flag, bit);
            else
                Append(text, "NUMBER", key, PageType(types, flag[3..], flag == "PG_hugetlb" && version.Major == 6 && version.Minor == 9 ? ~0x800L : null));
        }

        Append(text, "NUMBER", "PAGE_BUDDY_MAPCOUNT_VALUE",
            PageType(types, "buddy", version >= new Version(4, 18) ? ~0x80L : version >= new Version(2, 6, 38) ? -128 : null));
        Append(text, "NUMBER", "PAGE_OFFLINE_MAPCOUNT_VALUE", PageType(types, "offline", version >= new Version(5, 1) ? ~0x100L : null));
        Append(text, "NUMBER", "PAGE_UNACCEPTED_MAPCOUNT_VALUE", PageType(types, "unaccepted", null));
    }

    /// <summary>The value of _mapcount that marks a page type, as the kernel exports it.</summary>
    /// <param name="types">The types.</param>
    /// <param name="name">For example <c>buddy</c>.</param>
    /// <param name="macro">The value where it was a macro, which debug information does not have.</param>
    private static long? PageType(DwarfTypes types, string name, long? macro)
    {
        // From 6.12 on the type is the top byte; before it was a bit that is cleared.
        if (types.FindEnumerator("PGTY_" + name) is { } type and >= 0 and <= 0xff)
            return (int)(uint)(type << 24);
        if (types.FindEnumerator("PG_" + name) is { } bit and >= 64)
            return ~(int)(uint)bit;
        return types.FindEnumerator("PGTY_buddy") is null && types.FindEnumerator("PG_buddy") is null or < 64 ? macro : null;
    }

    /// <summary>The numbers that a release starts with; 0 for those that are missing.</summary>
    internal static Version VersionOf(string release)
    {
        int[] parts = new int[3];
        int at = 0;
        foreach (char c in release)
        {
            if (c == '.' && at < 2)
                at++;
            else if (char.IsAsciiDigit(c) && parts[at] < 100_000)
                parts[at] = (parts[at] * 10) + (c - '0');
            else
                break;
        }

        return new(parts[0], parts[1], parts[2]);
    }
}
