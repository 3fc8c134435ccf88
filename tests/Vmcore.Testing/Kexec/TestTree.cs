using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Vmcore.Testing.Kexec;

/// <summary>A folder with /proc and /sys of a machine, for the loader to read. Deleted at the end.</summary>
public sealed class TestTree : IDisposable
{
    public TestTree() => Root = Directory.CreateTempSubdirectory("vmcore-tree-").FullName;

    public string Root { get; }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    /// <summary>The Debian 6.12 machine: 2 CPUs, one crash region, fsdax and devdax namespaces with map=dev.</summary>
    public static TestTree Stock() => Machine(Stock612.Iomem, "0x0000000013728000 1024", 0xffff897a80000000, 0xffffffffaa200000, 0x10a00000, 0x2c30000)
        .Devices("/sys/bus/nd/devices", Stock612.Nd)
        .Devices("/sys/bus/dax/devices", Stock612.Dax)
        .File("/sys/bus/nd/devices/pfn0.0/block/pmem0/size", "0")
        .Link("/sys/bus/dax/devices/dax0.1/driver", "../../drivers/device_dax");

    /// <summary>The 6.1 machine with the kernel's list of memmaps: fsdax dev, devdax dev, fsdax mem.</summary>
    public static TestTree Rfc() => Machine(Rfc61.Iomem, "0x00000000011a0000 1024", 0xffff8b5040000000, 0xffffffff82e00000, 0x9600000, 0x1630000)
        .Devices("/sys/bus/nd/devices", Rfc61.Nd)
        .Devices("/sys/bus/dax/devices", Rfc61.Dax)
        .Append("/proc/kallsyms", "ffffffff83e12340 d devm_memmap_vmcore_head\n");

    /// <summary>The arm64 machine: 2 CPUs, EFI and ACPI, one crash region, fsdax and devdax namespaces with map=dev.</summary>
    public static TestTree Arm64() => new TestTree()
        .File("/proc/iomem", Arm64Lpa2.Iomem + "\n")
        .File("/proc/cmdline", "console=ttyAMA0 crashkernel=192M loglevel=5\n")
        .File("/proc/sys/kernel/arch", "aarch64\n")
        .File("/proc/sys/kernel/osrelease", "6.12.117+deb12-arm64\n")
        .Bytes("/proc/kcore", Kcore(183, Arm64Lpa2.Kcore, Arm64Lpa2.Info))
        .Bytes("/sys/firmware/fdt", Arm64Lpa2.DeviceTree)
        .File("/sys/firmware/efi/fw_platform_size", "64\n")
        .File("/sys/kernel/vmcoreinfo", "0x0000000069b92000 1024\n")
        .File("/sys/kernel/kexec_crash_loaded", "0\n")
        .File("/sys/devices/system/cpu/possible", "0-1\n")
        .File("/sys/devices/system/cpu/cpu0/crash_notes", "6f87e600\n")
        .File("/sys/devices/system/cpu/cpu0/crash_notes_size", "424\n")
        .File("/sys/devices/system/cpu/cpu1/crash_notes", "6f8a0600\n")
        .File("/sys/devices/system/cpu/cpu1/crash_notes_size", "424\n")
        .Devices("/sys/bus/nd/devices", Arm64Lpa2.Nd)
        .Devices("/sys/bus/dax/devices", Arm64Lpa2.Dax)
        .File("/sys/bus/nd/devices/pfn0.0/block/pmem0/size", "0")
        .Link("/sys/bus/dax/devices/dax0.1/driver", "../../drivers/device_dax");

    /// <summary>A machine without pmem.</summary>
    public static TestTree Machine(string iomem, string vmcoreinfo, ulong pageOffset, ulong text, ulong textPhysical, ulong textSize)
    {
        var tree = new TestTree();
        return tree.File("/proc/iomem", iomem + "\n")
            .File("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 crashkernel=192M quiet\n")
            .File("/proc/sys/kernel/arch", "x86_64\n")
            .File("/proc/sys/kernel/osrelease", "6.12.0-test\n")
            .File("/proc/kallsyms", string.Create(
                CultureInfo.InvariantCulture,
                $"{text:x16} T startup_64\n{text:x16} T _stext\n{text:x16} T _text\n{text + textSize:x16} B _end\n{text + 16:x16} t _endless\n"))
            .Bytes("/proc/kcore", Kcore(pageOffset, text, textPhysical, textSize))
            .File("/sys/kernel/vmcoreinfo", vmcoreinfo + "\n")
            .File("/sys/kernel/kexec_crash_loaded", "0\n")
            .File("/sys/kernel/kexec_loaded", "0\n")
            .File("/sys/devices/system/cpu/possible", "0-3\n")
            .File("/sys/devices/system/cpu/cpu0/crash_notes", "2a14c00\n")
            .File("/sys/devices/system/cpu/cpu0/crash_notes_size", "368\n")
            .File("/sys/devices/system/cpu/cpu1/crash_notes", "2b14c00\n")
            .File("/sys/devices/system/cpu/cpu1/crash_notes_size", "368\n");
    }

    /// <summary>Makes it a machine that EFI booted: boot_params with efi_info, the tables, and two regions of runtime services.</summary>
    public TestTree Efi()
    {
        byte[] bootParams = new byte[4096];
        "EL64"u8.CopyTo(bootParams.AsSpan(0x1c0));
        BinaryPrimitives.WriteUInt32LittleEndian(bootParams.AsSpan(0x1c4), 0x7f9ee018);
        BinaryPrimitives.WriteUInt32LittleEndian(bootParams.AsSpan(0x1c8), 48);
        BinaryPrimitives.WriteUInt32LittleEndian(bootParams.AsSpan(0x1cc), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(bootParams.AsSpan(0x1d0), 0x12345000);
        BinaryPrimitives.WriteUInt32LittleEndian(bootParams.AsSpan(0x1d4), 48 * 100);
        Bytes("/sys/kernel/boot_params/data", bootParams)
            .File("/sys/firmware/efi/systab", "ACPI20=0x7fb7e014\nACPI=0x7fb7e000\nSMBIOS3=0x7f9cb000\nSMBIOS=0x7f9cd000\n")
            .File("/sys/firmware/efi/fw_vendor", "0x7fbce018\n")
            .File("/sys/firmware/efi/runtime", "0x7f9eeb98\n")
            .File("/sys/firmware/efi/config_table", "0x7f9eec98\n");
        foreach ((int number, string type, string physical, string address, string pages) in ((int, string, string, string, string)[])[
            (0, "0x5", "0x7f8ed000", "0xfffffffeffeed000", "0x100"), (1, "0x6", "0x7f9ed000", "0xfffffffeff3ed000", "0x33")])
        {
            string region = $"/sys/firmware/efi/runtime-map/{number}";
            File($"{region}/type", type + "\n").File($"{region}/phys_addr", physical + "\n").File($"{region}/virt_addr", address + "\n")
                .File($"{region}/num_pages", pages + "\n").File($"{region}/attribute", "0x800000000000000f\n");
        }

        return this;
    }

    /// <summary>Gives it whatever may be set up for a crash kernel: keys of encrypted volumes, memory of CMA, the parameter of the patched kernel, errors of
    /// pmem, and the settings of each kdump service.</summary>
    public TestTree Settings() => File("/sys/kernel/config/crash_dm_crypt_keys/count", "1\n")
        .File("/sys/kernel/kexec/crash_cma_ranges", "12000000-127fffff\n13000000-13ffffff\n")
        .File("/sys/module/crash_pmem/parameters/headers", "memmap\n")
        .File("/sys/bus/nd/devices/region0/badblocks", "8 8\n33 1\n")
        .File("/proc/self/mountinfo", "21 1 254:1 / / rw - ext4 /dev/vda1 rw\n22 21 259:0 / /var/crash rw - ext4 /dev/pmem0 rw\n")
        .File("/etc/kdump.conf", "path /var/crash\ncore_collector makedumpfile -l --message-level 7 -d 31\n")
        .File("/etc/sysconfig/kdump", "KDUMP_SAVEDIR=\"file:///var/crash\"\nKDUMP_DUMPLEVEL=31\n")
        .File("/etc/default/kdump-tools", "USE_KDUMP=1\nKDUMP_COREDIR=\"/var/crash\"\n");

    /// <summary>Gives it a table of memory affinity with one entry, flags as the firmware would have them.</summary>
    public TestTree Srat(ulong start, ulong size, uint flags)
    {
        byte[] table = new byte[48 + 16 + 40];
        "SRAT"u8.CopyTo(table);
        // Affinity of a CPU, which says nothing of memory.
        table[49] = 16;
        Span<byte> entry = table.AsSpan(64);
        entry[0] = 1;
        entry[1] = 40;
        BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], start);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], size);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[28..], flags);
        return Bytes("/sys/firmware/acpi/tables/SRAT", table);
    }

    public TestTree File(string path, string content) => Bytes(path, System.Text.Encoding.UTF8.GetBytes(content));

    public TestTree Append(string path, string content)
    {
        System.IO.File.AppendAllText(Root + path, content);
        return this;
    }

    public TestTree Bytes(string path, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Root + path)!);
        System.IO.File.WriteAllBytes(Root + path, content);
        return this;
    }

    public TestTree Link(string path, string target)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Root + path)!);
        System.IO.File.CreateSymbolicLink(Root + path, target);
        return this;
    }

    public TestTree Delete(string path)
    {
        if (Directory.Exists(Root + path))
            Directory.Delete(Root + path, recursive: true);
        else
            System.IO.File.Delete(Root + path);
        return this;
    }

    /// <summary>Lines of "device/attribute=value".</summary>
    public TestTree Devices(string folder, string lines)
    {
        foreach (string line in lines.Split('\n'))
        {
            int equals = line.IndexOf('=', StringComparison.Ordinal);
            string value = line[(equals + 1)..];
            // What reads as ENXIO was captured as nothing: there is no such file here.
            if (value.Length > 0 || line.Contains("holder", StringComparison.Ordinal))
                File($"{folder}/{line[..equals]}", value + "\n");
        }

        return this;
    }

    /// <summary>An ELF file like /proc/kcore: unsorted, text first, vmalloc space without a physical address.</summary>
    private static byte[] Kcore(ulong pageOffset, ulong text, ulong textPhysical, ulong textSize) => Kcore(
        62,
        [
            (text, textPhysical, textSize),
            (0xffffb00000000000, ulong.MaxValue, 0x1fffffffffff),
            (0xffffffffc0000000, ulong.MaxValue, 0x3f000000),
            (pageOffset + 0x100000, 0x100000, 0x1bedc000),
            (pageOffset + 0x1000, 0x1000, 0x9e000),
            (0xffffe90000000000, ulong.MaxValue, 0x700000),
        ],
        "");

    /// <summary>The beginning of a /proc/kcore: headers, and behind them the text of vmcoreinfo.</summary>
    public static byte[] Kcore(ushort machine, (ulong Virtual, ulong Physical, ulong Size)[] segments, string info)
    {
        byte[] bytes = new byte[4096];
        bytes[0] = 0x7f;
        "ELF"u8.CopyTo(bytes.AsSpan(1));
        bytes[4] = 2;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(18), machine);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(32), 64);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(54), 56);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(56), (ushort)segments.Length);
        for (int i = 0; i < segments.Length; i++)
        {
            Span<byte> header = bytes.AsSpan(64 + (i * 56), 56);
            BinaryPrimitives.WriteUInt32LittleEndian(header, 1);
            BinaryPrimitives.WriteUInt64LittleEndian(header[16..], segments[i].Virtual);
            BinaryPrimitives.WriteUInt64LittleEndian(header[24..], segments[i].Physical);
            BinaryPrimitives.WriteUInt64LittleEndian(header[40..], segments[i].Size);
        }

        Encoding.ASCII.GetBytes(info).CopyTo(bytes, 64 + (segments.Length * 56));
        return bytes;
    }
}
