namespace Vmcore.Testing.Kexec;

/// <summary>The arm64 machine of a real crash in QEMU: Linux 6.12 with 52 bits of address, EFI and ACPI, two namespaces with their memmap on the
/// media.</summary>
public static class Arm64Lpa2
{
    public const string Iomem =
        """
        04000000-07ffffff : reserved
        08000000-0800ffff : GICD
        080a0000-08ffffff : GICR
        09000000-09000fff : ARMH0011:00
          09000000-09000fff : ARMH0011:00 ARMH0011:00
        09020000-09020017 : QEMU0002:00
          09020000-09020017 : fw_cfg_mem
        10000000-3efeffff : PCI Bus 0000:00
          10000000-10000fff : 0000:00:01.0
        40000000-699dffff : System RAM
          401b8000-401b8fff : reserved
          401f0000-401fffff : reserved
          40200000-4020ffff : reserved
          40210000-4021ffff : reserved
          55800000-617fffff : Crash kernel
          61800000-634fffff : Kernel code
          63500000-63e6ffff : reserved
          63e70000-6432ffff : Kernel data
          64c00000-68bfffff : reserved
          68d50000-68d50fff : reserved
          68f50000-699d8fff : reserved
        699e0000-699effff : reserved
        699f0000-6c43ffff : System RAM
          69a00000-69a0ffff : reserved
          69a13000-69a13fff : reserved
        6c440000-6c72ffff : reserved
        6c730000-6fbfffff : System RAM
          6e210000-6e210fff : reserved
          6e780000-6f7fffff : reserved
          6f85b000-6f85dfff : reserved
          6f85e000-6f85efff : reserved
          6f85f000-6f8a2fff : reserved
          6f8a4000-6f8a4fff : reserved
          6f8a5000-6f8a7fff : reserved
          6f8a8000-6fbfffff : reserved
        6fc00000-6ffdffff : reserved
        6ffe0000-6fffffff : System RAM
          6ffe0000-6fffffff : reserved
        80000000-9fdfffff : Persistent Memory
          80000000-8fffffff : namespace0.0
          90000000-903fffff : namespace0.1
          90400000-97ffffff : dax0.1
        4010000000-401fffffff : PCI ECAM
        8000000000-ffffffffff : PCI Bus 0000:00
          8000000000-8000003fff : 0000:00:01.0
            8000000000-8000003fff : virtio-pci-modern
        """;

    public const string Nd =
        """
        dax0.0/resource=0x90400000
        dax0.0/size=130023424
        dax0.0/mode=pmem
        dax0.0/align=2097152
        dax0.1/resource=
        dax0.1/size=
        dax0.1/mode=none
        dax0.1/align=2097152
        namespace0.0/resource=0x80000000
        namespace0.0/size=268435456
        namespace0.0/mode=memory
        namespace0.0/holder=pfn0.0
        namespace0.0/force_raw=0
        namespace0.1/resource=0x90000000
        namespace0.1/size=134217728
        namespace0.1/mode=dax
        namespace0.1/holder=dax0.0
        namespace0.1/force_raw=0
        namespace0.2/resource=
        namespace0.2/size=0
        namespace0.2/mode=raw
        namespace0.2/holder=
        namespace0.2/force_raw=0
        pfn0.0/resource=0x80600000
        pfn0.0/size=262144000
        pfn0.0/mode=pmem
        pfn0.0/align=2097152
        pfn0.1/resource=
        pfn0.1/size=
        pfn0.1/mode=none
        pfn0.1/align=2097152
        region0/resource=0x80000000
        region0/size=534773760
        region0/align=0x1000000
        """;

    public const string Dax =
        """
        dax0.1/resource=0x90400000
        dax0.1/size=130023424
        dax0.1/align=2097152
        dax0.1/target_node=0
        """;

    /// <summary>What of vmcoreinfo the loader reads.</summary>
    public const string Info =
        """
        OSRELEASE=6.12.117+deb12-arm64
        PAGESIZE=4096
        NUMBER(SECTION_SIZE_BITS)=27
        NUMBER(MAX_PHYSMEM_BITS)=52
        SIZE(page)=64

        """;

    /// <summary>PT_LOADs of /proc/kcore: the image, vmalloc, modules, the direct map and the vmemmap.</summary>
    public static readonly (ulong Virtual, ulong Physical, ulong Size)[] Kcore =
    [
        (0xffffa197c8400000, 0x61800000, 0x2b30000),
        (0xffff800080000000, ulong.MaxValue, 0x41ff3f800000),
        (0xffff800000000000, ulong.MaxValue, 0x80000000),
        (0xfff0000040000000, 0x40000000, 0x299e0000),
        (0xffffc1ffc1000000, ulong.MaxValue, 0xa68000),
        (0xfff00000699f0000, 0x699f0000, 0x2a50000),
        (0xfff000006c730000, 0x6c730000, 0x34d0000),
        (0xffffc1ffc1b1c000, ulong.MaxValue, 0xd4000),
        (0xfff000006ffe0000, 0x6ffe0000, 0x20000),
        (0xffffc1ffc1bff000, ulong.MaxValue, 0x1000),
    ];

    /// <summary>/sys/firmware/fdt as EFI's stub made it: no more than /chosen.</summary>
    public static readonly byte[] DeviceTree = Convert.FromBase64String(
        "0A3+7QAAAeUAAAA4AAABNAAAACgAAAARAAAAEAAAAAAAAACxAAAA/AAAAAAAAAAAAAAAAAAAAAAAAAABAAAAAAAAAAMAAAAEAAAADwAAAAIAAAADAAAABAAA"
            + "AAAAAAACAAAAAWNob3NlbgAAAAAAAwAAAAQAAACaAAAAAgAAAAMAAAAEAAAAgQAAAAEAAAADAAAABAAAAGcAAAAwAAAAAwAAAAQAAABSAAAGkAAAAAMAAAAI"
            + "AAAAPAAAAABpoOnAAAAAAwAAAAgAAAAkAAAAAG/9ABgAAAADAAAARQAAABtjb25zb2xlPXR0eUFNQTAgY3Jhc2hrZXJuZWw9MTkyTSBsb2dsZXZlbD01IHBh"
            + "bmljPTEwICAgaW5pdHJkPWluaXRyZAAAAAAAAAACAAAAAgAAAAkjYWRkcmVzcy1jZWxscwAjc2l6ZS1jZWxscwBib290YXJncwBsaW51eCx1ZWZpLXN5c3Rl"
            + "bS10YWJsZQBsaW51eCx1ZWZpLW1tYXAtc3RhcnQAbGludXgsdWVmaS1tbWFwLXNpemUAbGludXgsdWVmaS1tbWFwLWRlc2Mtc2l6ZQBsaW51eCx1ZWZpLW1t"
            + "YXAtZGVzYy12ZXIAbGludXgsdWVmaS1zZWN1cmUtYm9vdAA=");
}
