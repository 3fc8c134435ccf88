namespace Vmcore.Testing.Kexec;

/// <summary>The machine of a real crash in QEMU: Linux 6.1, two namespaces with their memmap on the media and one with it in RAM.</summary>
public static class Rfc61
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
        00100000-0ffdbfff : System RAM
          03000000-08ffffff : Crash kernel
          09600000-0a00013f : Kernel code
          0a200000-0a756fff : Kernel rodata
          0a800000-0a96713f : Kernel data
          0aa82000-0abfffff : Kernel bss
        0ffdc000-0fffffff : Reserved
        10000000-afffffff : PCI Bus 0000:00
        b0000000-bfffffff : PCI MMCONFIG 0000 [bus 00-ff]
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
        fee00000-fee00fff : Local APIC
        fffc0000-ffffffff : Reserved
        100000000-11bdfffff : Persistent Memory
          100000000-107ffffff : namespace0.0
          108000000-1083fffff : namespace0.1
          108400000-10fffffff : dax0.1
          110000000-111ffffff : namespace0.2
        2c0000000-abfffffff : PCI Bus 0000:00
        fd00000000-ffffffffff : Reserved
        """;

    public const string Nd =
        """
        btt0.0/size=
        btt0.0/devtype=nd_btt
        btt0.0/uuid=
        btt0.0/numa_node=0
        dax0.0/resource=0x108400000
        dax0.0/size=130023424
        dax0.0/mode=pmem
        dax0.0/align=2097152
        dax0.0/devtype=nd_dax
        dax0.0/supported_alignments=4096 2097152 1073741824
        dax0.0/uuid=bae6c162-7b21-4bd5-8324-0e87c3c930b6
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
        namespace0.0/size=134217728
        namespace0.0/mode=memory
        namespace0.0/devtype=nd_namespace_pmem
        namespace0.0/holder=pfn0.0
        namespace0.0/uuid=bec8c932-d068-494b-a098-37609e8de3a1
        namespace0.0/numa_node=0
        namespace0.0/force_raw=0
        namespace0.1/resource=0x108000000
        namespace0.1/size=134217728
        namespace0.1/mode=dax
        namespace0.1/devtype=nd_namespace_pmem
        namespace0.1/holder=dax0.0
        namespace0.1/uuid=ec6d47a4-f235-4be1-b0e0-7e8bc25fa080
        namespace0.1/numa_node=0
        namespace0.1/force_raw=0
        namespace0.2/resource=0x110000000
        namespace0.2/size=33554432
        namespace0.2/mode=memory
        namespace0.2/devtype=nd_namespace_pmem
        namespace0.2/holder=pfn0.1
        namespace0.2/uuid=c2ca74be-df5f-4959-bb6c-dbed25ab9d63
        namespace0.2/numa_node=0
        namespace0.2/force_raw=0
        namespace0.3/resource=
        namespace0.3/size=0
        namespace0.3/mode=raw
        namespace0.3/devtype=nd_namespace_pmem
        namespace0.3/holder=
        namespace0.3/uuid=
        namespace0.3/numa_node=0
        namespace0.3/force_raw=0
        nmem0/devtype=nvdimm
        pfn0.0/resource=0x100400000
        pfn0.0/size=130023424
        pfn0.0/mode=pmem
        pfn0.0/align=2097152
        pfn0.0/devtype=nd_pfn
        pfn0.0/supported_alignments=4096 2097152 1073741824
        pfn0.0/uuid=38be8660-51f8-4533-ad0e-407ee94ee172
        pfn0.0/numa_node=0
        pfn0.1/resource=0x110200000
        pfn0.1/size=31457280
        pfn0.1/mode=ram
        pfn0.1/align=2097152
        pfn0.1/devtype=nd_pfn
        pfn0.1/supported_alignments=4096 2097152 1073741824
        pfn0.1/uuid=3353b38c-22cd-4fd1-8c57-3625fef26162
        pfn0.1/numa_node=0
        pfn0.2/resource=
        pfn0.2/size=
        pfn0.2/mode=none
        pfn0.2/align=2097152
        pfn0.2/devtype=nd_pfn
        pfn0.2/supported_alignments=4096 2097152 1073741824
        pfn0.2/uuid=
        pfn0.2/numa_node=0
        region0/resource=0x100000000
        region0/size=467664896
        region0/align=0x1000000
        region0/devtype=nd_pmem
        region0/available_size=150994944
        region0/numa_node=0
        region0/mappings=1
        """;

    public const string Dax =
        """
        dax0.1/resource=0x108400000
        dax0.1/size=130023424
        dax0.1/align=2097152
        dax0.1/target_node=0
        """;
}
