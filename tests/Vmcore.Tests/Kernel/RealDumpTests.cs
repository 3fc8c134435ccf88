using System.Diagnostics;
using System.Globalization;
using Vmcore.Kernel.Btf;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel;

/// <summary>
/// Whole dumps of real kernels against what these kernels said before they crashed. Run where VMCORE_FIXTURES names a folder
/// with NAME.vmcore (raw ELF) and NAME/first/ (kallsyms or kallsyms.zst, iomem); skipped elsewhere.
/// </summary>
public sealed class RealDumpTests
{
    private const string Rfc = "rfc-v2-6.1";
    private const string Stock = "stock-6.12";

    [Theory]
    [InlineData(Rfc)]
    [InlineData(Stock)]
    public void EverySymbolIsThatOfProcKallsyms(string name)
    {
        using RealDump dump = Open(name);
        KernelSymbols symbols = LoadSymbols(dump);

        Assert.Equal(KallsymsEncoding.AbsolutePerCpu, symbols.Encoding);
        IEnumerable<KernelSymbol> expected = Lines(name).Where(line => !line.Contains('\t')).Select(line => new KernelSymbol(
            ulong.Parse(line.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture), line[17], line[19..]));
        Assert.Equal(expected, symbols.All());
    }

    [Theory]
    [InlineData(Rfc)]
    [InlineData(Stock)]
    public void SymbolsResolveToThemselves(string name)
    {
        using RealDump dump = Open(name);
        KernelSymbols symbols = LoadSymbols(dump);
        ulong last = ulong.MaxValue;
        foreach (KernelSymbol symbol in symbols.All().Where(s => s.Address > 0xffffffff80000000))
        {
            if (symbol.Address == last)
                continue;
            last = symbol.Address;
            Assert.True(symbols.TryResolve(symbol.Address, out KernelSymbol found, out ulong offset));
            Assert.Equal((symbol, 0UL), (found, offset));
        }

        Assert.False(symbols.TryResolve(last + 1, out _, out _));
    }

    [Theory]
    [InlineData(Rfc, 64, 112, 592, 192, 192)]
    [InlineData(Stock, 64, 256, 624, 192, 192)]
    public void SizesAreThoseOfTheKernel(string name, params int[] sizes)
    {
        BtfTypes types = LoadTypes(name);
        string[] names = ["page", "folio", "inode", "dentry", "address_space"];
        Assert.True(types.IsComplete);
        Assert.Equal(sizes, names.Select(n => types.StructSize(n)!.Value));
    }

    [Theory]
    [InlineData(Rfc, "inode", "i_mode i_sb i_mapping i_ino i_size i_rdev i_dentry", "0 40 48 56 72 68 288")]
    [InlineData(Stock, "inode", "i_mode i_sb i_mapping i_ino i_size i_rdev i_dentry", "0 40 48 64 80 76 304")]
    [InlineData(Rfc, "super_block", "s_dev s_type s_root s_mounts s_id", "16 40 104 176 920")]
    [InlineData(Stock, "super_block", "s_dev s_type s_root s_mounts s_id", "16 40 104 224 960")]
    [InlineData(Rfc, "dentry", "d_parent d_name.len d_name.name d_u.d_alias", "24 36 40 176")]
    [InlineData(Stock, "dentry", "d_parent d_name.len d_name.name d_u.d_alias", "24 36 40 176")]
    [InlineData(Rfc, "mount", "mnt_parent mnt_mountpoint mnt mnt.mnt_root mnt_instance mnt_devname", "16 24 32 32 120 136")]
    [InlineData(Stock, "mount", "mnt_parent mnt_mountpoint mnt mnt.mnt_root mnt_instance mnt_devname", "16 24 32 32 128 144")]
    [InlineData(Rfc, "dev_pagemap", "altmap type flags vmemmap_shift nr_range range range.end", "0 96 100 104 128 136 144")]
    [InlineData(Stock, "dev_pagemap", "altmap type flags vmemmap_shift nr_range range range.end", "0 104 108 112 136 144 152")]
    [InlineData(Rfc, "vmem_altmap", "base_pfn end_pfn reserve free align alloc", "0 8 16 24 32 40")]
    [InlineData(Stock, "vmem_altmap", "base_pfn end_pfn reserve free align alloc inaccessible", "0 8 16 24 32 40 48")]
    [InlineData(Stock, "mem_section_usage", "rcu subsection_map pageblock_flags", "0 16 24")]
    [InlineData(Rfc, "mem_section_usage", "rcu subsection_map pageblock_flags", "0 16 24")]
    [InlineData(Rfc, "resource", "start end name flags desc parent sibling child", "0 8 16 24 32 40 48 56")]
    [InlineData(Stock, "resource", "start end name flags desc parent sibling child", "0 8 16 24 32 40 48 56")]
    [InlineData(Stock, "page", "flags compound_head lru mapping pgmap _mapcount _refcount page_type", "0 8 8 24 8 48 52 48")]
    public void OffsetsAreThoseOfTheKernel(string name, string type, string members, string offsets)
    {
        BtfTypes types = LoadTypes(name);
        Assert.Equal(offsets, string.Join(' ', members.Split(' ').Select(m => types.MemberOffset(type, m))));
    }

    [Theory]
    [InlineData(Rfc, 64, 152, 48, 16)]
    [InlineData(Stock, 64, 160, 56, 32)]
    public void MoreSizes(string name, params int[] sizes)
    {
        BtfTypes types = LoadTypes(name);
        string[] names = ["resource", "dev_pagemap", "vmem_altmap", "mem_section"];
        Assert.Equal(sizes, names.Select(n => types.StructSize(n)!.Value));
    }

    [Theory]
    [InlineData(Rfc)]
    [InlineData(Stock)]
    public void EnumsAreThoseOfTheKernel(string name)
    {
        BtfTypes types = LoadTypes(name);
        Assert.Equal(4, types.EnumValue("zone_type", "ZONE_DEVICE"));
        Assert.Equal(3, types.EnumValue("memory_type", "MEMORY_DEVICE_FS_DAX"));
        Assert.Equal(4, types.EnumValue("memory_type", "MEMORY_DEVICE_GENERIC"));
        Assert.Equal(4, types.EnumValue(null, "SECTION_TAINT_ZONE_DEVICE_BIT"));
        Assert.Equal(0, types.EnumValue("pageflags", "PG_locked"));
        Assert.Equal(name == Stock ? 240 : null, types.EnumValue("pagetype", "PGTY_buddy"));
        Assert.Contains(types.EnumValues("pageflags"), pair => pair.Key == "PG_reserved");
    }

    [Theory]
    [InlineData(Rfc)]
    [InlineData(Stock)]
    public void TheScanFindsTheSameTypes(string name)
    {
        using RealDump dump = Open(name);
        BtfTypes? types = BtfTypes.TryScan(dump.Memory, dump.Text.Start, dump.Text.End, out string? problem);
        Assert.Null(problem);
        Assert.Equal(LoadTypes(name).Count, types!.Count);
    }

    [Theory]
    [InlineData(Rfc, true)]
    [InlineData(Rfc, false)]
    [InlineData(Stock, true)]
    [InlineData(Stock, false)]
    public void TheResourceTreeIsThatOfProcIomem(string name, bool withTypes)
    {
        using RealDump dump = Open(name);
        ResourceTree? tree = ResourceTree.TryLoad(LoadSymbols(dump), dump.Memory, withTypes ? KernelTypes.From(LoadTypes(name)) : null, out string? problem);
        Assert.Null(problem);
        Assert.Equal(File.ReadAllText(Path.Combine(Folder(), name, "first", "iomem")), tree!.ToIomem());
        KernelResource pmem = Assert.Single(tree.PersistentMemory());
        Assert.Equal("Persistent Memory", pmem.Name);
        Assert.Equal(0x100000000UL, pmem.Start);
        Assert.Equal(446UL << 20, pmem.Range.Length);
        Assert.All(tree.Root.Children, node => Assert.Equal(node.Name == "System RAM", node.IsSystemRam));
        Assert.All(pmem.SelfAndDescendants(), node => Assert.True(node.IsPersistentMemory));
    }

    private static string Folder()
    {
        string? folder = Environment.GetEnvironmentVariable("VMCORE_FIXTURES");
        Assert.SkipWhen(string.IsNullOrEmpty(folder), "VMCORE_FIXTURES names no folder with dumps");
        return folder!;
    }

    private static RealDump Open(string name)
    {
        string path = Path.Combine(Folder(), name + ".vmcore");
        Assert.SkipUnless(File.Exists(path), $"{path} does not exist");
        return new(path);
    }

    private static KernelSymbols LoadSymbols(RealDump dump)
    {
        KernelSymbols? symbols = KernelSymbols.TryLoad(dump.Info, dump.Memory, out string? problem);
        Assert.Null(problem);
        return symbols!;
    }

    private static BtfTypes LoadTypes(string name)
    {
        using RealDump dump = Open(name);
        BtfTypes? types = BtfTypes.TryLoad(LoadSymbols(dump), dump.Memory, out string? problem);
        Assert.Null(problem);
        return types!;
    }

    private static IEnumerable<string> Lines(string name)
    {
        string plain = Path.Combine(Folder(), name, "first", "kallsyms");
        if (File.Exists(plain))
            return File.ReadLines(plain);
        using Process zstd = Process.Start(new ProcessStartInfo("zstd", ["-dcq", plain + ".zst"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
        string text = zstd.StandardOutput.ReadToEnd();
        zstd.WaitForExit();
        Assert.Equal(0, zstd.ExitCode);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
