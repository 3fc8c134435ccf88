using System.Text;

namespace Vmcore.Testing;

/// <summary>What vmcoreinfo says: the keys that the kernel of an era exports, in its order.</summary>
internal static class VmcoreinfoText
{
    public static string Create(MachineOptions o, IReadOnlyDictionary<string, ulong> symbols)
    {
        EraProfile era = EraProfile.Of(o.Era);
        var text = new StringBuilder();
        void Line(string line) => text.Append(line).Append('\n');
        void Symbol(string name)
        {
            if (symbols.TryGetValue(name, out ulong value))
                Line($"SYMBOL({name})={value:x}");
        }

        Line($"OSRELEASE={o.Release ?? era.Release}");
        if (o.Era >= KernelEra.V5_10)
            Line("BUILD-ID=0123456789abcdef0123456789abcdef01234567");
        Line("PAGESIZE=4096");
        Symbol("init_uts_ns");
        Line($"OFFSET(uts_namespace.name)={UtsNameOffset(o)}");
        Symbol("node_online_map");
        Symbol("swapper_pg_dir");
        Symbol("_stext");
        if (o.Era < KernelEra.V6_9)
            Symbol("vmap_area_list");
        else
            Line($"NUMBER(VMALLOC_START)=0x{o.VmallocBase():x}");
        if (o.RfcList)
        {
            Symbol("devm_memmap_vmcore_head");
            Line("SIZE(devm_memmap_vmcore)=40\nOFFSET(devm_memmap_vmcore.entry)=0\nOFFSET(devm_memmap_vmcore.start)=16\nOFFSET(devm_memmap_vmcore.end)=24");
        }

        if (o.NodesShift == 0)
            Symbol("contig_page_data");
        if (o.MemoryModel == SyntheticMemoryModel.Flat)
        {
            Symbol("mem_map");
        }
        else
        {
            if (o.Era >= KernelEra.V6_10 && o.MemoryModel == SyntheticMemoryModel.SparseVmemmap)
                Symbol("vmemmap");
            Symbol("mem_section");
            Line($"LENGTH(mem_section)={o.SectionRoots()}\nSIZE(mem_section)={o.MemSectionSize}\nOFFSET(mem_section.section_mem_map)=0");
            if (o.Era >= KernelEra.V5_15)
                Line("NUMBER(SECTION_SIZE_BITS)=27");
            // The default of an era is known to every reader; another value needs the key.
            if (o.Era >= KernelEra.V5_10 || o.MaxPhysmemBits is not null || o.MemoryModel == SyntheticMemoryModel.SparseStatic)
                Line($"NUMBER(MAX_PHYSMEM_BITS)={o.PhysmemBits()}");
        }

        Line($"SIZE(page)={o.StructPageSize}");
        Line("SIZE(pglist_data)=18560\nSIZE(zone)=1472\nSIZE(free_area)=88\nSIZE(list_head)=16\nSIZE(nodemask_t)=128");
        Line("OFFSET(page.flags)=0\nOFFSET(page._refcount)=52\nOFFSET(page.mapping)=24\n"
            + "OFFSET(page.lru)=8\nOFFSET(page._mapcount)=48\nOFFSET(page.private)=40");
        if (o.Era < KernelEra.V6_3)
            Line("OFFSET(page.compound_dtor)=16\nOFFSET(page.compound_order)=17");
        else if (o.Era < KernelEra.V6_6)
            Line($"OFFSET(folio._folio_dtor)={o.StructPageSize + 16}\nOFFSET(folio._folio_order)={o.StructPageSize + 17}");
        Line(o.Era >= KernelEra.V7_1 ? "OFFSET(page.compound_info)=8" : "OFFSET(page.compound_head)=8");
        Line("OFFSET(pglist_data.node_zones)=0\nOFFSET(pglist_data.nr_zones)=17632\nOFFSET(pglist_data.node_start_pfn)=17640\n"
            + "OFFSET(pglist_data.node_spanned_pages)=17656\nOFFSET(pglist_data.node_id)=17664");
        Line("OFFSET(zone.free_area)=256\nOFFSET(zone.vm_stat)=1344\nOFFSET(zone.spanned_pages)=144\n"
            + "OFFSET(free_area.free_list)=0\nOFFSET(list_head.next)=0\nOFFSET(list_head.prev)=8");
        if (o.Era < KernelEra.V6_9)
            Line("OFFSET(vmap_area.va_start)=0\nOFFSET(vmap_area.list)=40");
        Line("LENGTH(zone.free_area)=11\nLENGTH(free_area.free_list)=5\nNUMBER(NR_FREE_PAGES)=0");
        AddPageNumbers(Line, era);
        Line($"NUMBER(phys_base)={(long)o.PhysBase()}");
        Symbol("init_top_pgt");
        Line($"NUMBER(pgtable_l5_enabled)={(o.Levels == 5 ? 1 : 0)}");
        if (o.NodesShift > 0)
        {
            Symbol("node_data");
            Line($"LENGTH(node_data)={1 << o.NodesShift}");
        }

        Line($"KERNELOFFSET={o.KaslrOffset:x}\nNUMBER(KERNEL_IMAGE_SIZE)=1073741824");
        if (o.Era >= KernelEra.V5_4)
            Line($"NUMBER(sme_mask)={(long)o.SmeMask}");
        Line("CRASHTIME=1700000000");
        return text.ToString();
    }

    /// <summary>Bytes before the names in <c>struct uts_namespace</c>.</summary>
    public static int UtsNameOffset(MachineOptions o) => o.Era < KernelEra.V5_15 ? 4 : 0;

    private static void AddPageNumbers(Action<string> line, EraProfile era)
    {
        line($"NUMBER(PG_lru)={era.Lru}\nNUMBER(PG_private)={era.Private}\nNUMBER(PG_swapcache)={era.SwapCache}\nNUMBER(PG_swapbacked)={era.SwapBacked}");
        line(era.Slab >= 0 ? $"NUMBER(PG_slab)={era.Slab}" : $"NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)={(int)era.SlabType}");
        line($"NUMBER(PG_hwpoison)={era.HwPoison}\nNUMBER(PG_head_mask)={1ul << era.Head}\nNUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)={(int)era.BuddyType}");
        if (era.Era < KernelEra.V6_6)
            line("NUMBER(HUGETLB_PAGE_DTOR)=2");
        else if (era.HugetlbBit >= 0)
            line($"NUMBER(PG_hugetlb)={era.HugetlbBit}");
        else
            line($"NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)={(int)era.HugetlbType}");
        if (era.OfflineExported)
            line($"NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)={(int)era.OfflineType}");
        if (era.UnacceptedExported)
            line($"NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)={(int)era.UnacceptedType}");
    }
}
