namespace Vmcore.Testing.Kexec;

/// <summary>The machine of a real crash in QEMU: Linux 6.12, two namespaces with their memmap on the media.</summary>
public static class Stock612
{
    public const string Iomem =
        """
        00000000-00000fff : Reserved
        00001000-0009fbff : System RAM
        0009fc00-0009ffff : Reserved
        000a0000-000bffff : PCI Bus 0000:00
        000c0000-000c05ff : Video ROM
        000f0000-000fffff : Reserved
          000f0000-000fffff : System ROM
        00100000-1bfdbfff : System RAM
          04000000-0fffffff : Crash kernel
          10a00000-119fffff : Kernel code
          11a00000-12570fff : Kernel rodata
          12600000-12870f7f : Kernel data
          13136000-135fffff : Kernel bss
        1bfdc000-1bffffff : Reserved
        1c000000-afffffff : PCI Bus 0000:00
        b0000000-bfffffff : PCI ECAM 0000 [bus 00-ff]
          b0000000-bfffffff : Reserved
            b0000000-bfffffff : pnp 00:04
        c0000000-febfffff : PCI Bus 0000:00
          febf8000-febfbfff : 0000:00:01.0
            febf8000-febfbfff : virtio-pci-modern
          febfe000-febfefff : 0000:00:01.0
          febff000-febfffff : 0000:00:1f.2
        fec00000-fec003ff : IOAPIC 0
        fed00000-fed003ff : HPET 0
          fed00000-fed003ff : PNP0103:00
        fed1c000-fed1ffff : Reserved
        fffc0000-ffffffff : Reserved
        100000000-11bdfffff : Persistent Memory
          100000000-10fffffff : namespace0.0
          110000000-1103fffff : namespace0.1
          110400000-117ffffff : dax0.1
        2c0000000-abfffffff : PCI Bus 0000:00
        fd00000000-ffffffffff : Reserved
        """;

    public const string Nd =
        """
        btt0.0/size=
        btt0.0/devtype=nd_btt
        btt0.0/uuid=
        btt0.0/numa_node=0
        dax0.0/resource=0x110400000
        dax0.0/size=130023424
        dax0.0/mode=pmem
        dax0.0/align=2097152
        dax0.0/devtype=nd_dax
        dax0.0/supported_alignments=4096 2097152 1073741824
        dax0.0/uuid=ebae0efb-dea9-4fa1-b155-fc510dd768a8
        dax0.0/numa_node=0
        dax0.1/resource=
        dax0.1/size=
        dax0.1/mode=none
        dax0.1/align=2097152
        dax0.1/devtype=nd_dax
        dax0.1/supported_alignments=4096 2097152 1073741824
        dax0.1/uuid=
        dax0.1/numa_node=0
        namespace0.0/resource=0x100000000
        namespace0.0/size=268435456
        namespace0.0/mode=memory
        namespace0.0/devtype=nd_namespace_pmem
        namespace0.0/holder=pfn0.0
        namespace0.0/uuid=98a3cd66-7bee-4aaa-9b77-5095cb83b792
        namespace0.0/numa_node=0
        namespace0.0/force_raw=0
        namespace0.1/resource=0x110000000
        namespace0.1/size=134217728
        namespace0.1/mode=dax
        namespace0.1/devtype=nd_namespace_pmem
        namespace0.1/holder=dax0.0
        namespace0.1/uuid=9fd74456-ce27-4db8-aefb-bfff8af164dd
        namespace0.1/numa_node=0
        namespace0.1/force_raw=0
        namespace0.2/resource=
        namespace0.2/size=0
        namespace0.2/mode=raw
        namespace0.2/devtype=nd_namespace_pmem
        namespace0.2/holder=
        namespace0.2/uuid=
        namespace0.2/numa_node=0
        namespace0.2/force_raw=0
        nmem0/devtype=nvdimm
        pfn0.0/resource=0x100600000
        pfn0.0/size=262144000
        pfn0.0/mode=pmem
        pfn0.0/align=2097152
        pfn0.0/devtype=nd_pfn
        pfn0.0/supported_alignments=4096 2097152 1073741824
        pfn0.0/uuid=9ad03fa7-98c7-4ea9-baac-6da545741cdd
        pfn0.0/numa_node=0
        pfn0.1/resource=
        pfn0.1/size=
        pfn0.1/mode=none
        pfn0.1/align=2097152
        pfn0.1/devtype=nd_pfn
        pfn0.1/supported_alignments=4096 2097152 1073741824
        pfn0.1/uuid=
        pfn0.1/numa_node=0
        region0/resource=0x100000000
        region0/size=467664896
        region0/align=0x1000000
        region0/devtype=nd_pmem
        region0/available_size=50331648
        region0/numa_node=0
        region0/mappings=1
        """;

    public const string Dax =
        """
        dax0.1/resource=0x110400000
        dax0.1/size=130023424
        dax0.1/align=2097152
        dax0.1/target_node=0
        """;
}
