using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Vmcore.Dumping;
using Vmcore.Kernel.Vmlinux;
using Vmcore.Memmap;
using Vmcore.Testing;
using Vmcore.Tests.Robustness;
using Vmcore.Tests.Synthetic;

namespace Vmcore.Tests.Kernel;

/// <summary>Vmcores without vmcoreinfo: the kernel's description is out of a vmlinux, or a file made of one, and where it ran is found in the memory.</summary>
public sealed partial class VmlinuxTests
{
    private const ulong Image = 0xffff_ffff_8000_0000;

    /// <summary>The structures of 6.1, as far as the synthetic machines have them.</summary>
    private const string Source = """
        typedef unsigned long ulong;
        struct list_head { struct list_head *next, *prev; };
        struct page {
            ulong flags;
            union {
                struct { struct list_head lru; void *mapping; ulong index, private; };
                struct { ulong compound_head; unsigned char compound_dtor, compound_order; };
            };
            int _mapcount, _refcount; ulong memcg_data;
        };
        struct mem_section { ulong section_mem_map; void *usage; };
        struct free_area { struct list_head free_list[5]; ulong nr_free; };
        struct zone { ulong a[18]; ulong spanned_pages; ulong b[13]; struct free_area free_area[11]; ulong c[15]; ulong vm_stat[16]; };
        struct pglist_data { struct zone node_zones[4]; int nr_zones; ulong node_start_pfn, node_present_pages, node_spanned_pages; int node_id; };
        struct uts_namespace { struct { char names[6][65]; } name; };
        enum pageflags { PG_locked, PG_lru = 4, PG_slab = 9, PG_swapcache = 10, PG_private = 13, PG_head = 16, PG_swapbacked = 19, PG_hwpoison = 23 };
        enum zone_stat_item { NR_FREE_PAGES }; enum compound_dtor_id { NULL_COMPOUND_DTOR, COMPOUND_PAGE_DTOR, HUGETLB_PAGE_DTOR };
        extern struct pglist_data *node_data[]; extern struct mem_section **mem_section; extern struct uts_namespace init_uts_ns;
        extern char _stext[], init_top_pgt[];
        const char linux_banner[] = "Linux version RELEASE (a compiler) #1";
        struct page a_page; struct uts_namespace a_namespace; struct mem_section a_section; struct pglist_data a_node;
        enum pageflags flags; enum zone_stat_item item; enum compound_dtor_id dtor;
        ulong empty_zero_page[512];
        struct pglist_data *node(int i) { return node_data[i] + (ulong)mem_section + (ulong)&init_uts_ns + (ulong)_stext + (ulong)init_top_pgt; }
        """;

    public static TheoryData<KernelEra, int, ulong, ulong> Machines => new()
    {
        { KernelEra.V6_1, 4, 0, 0x1000000 },
        { KernelEra.V6_1, 4, 0x1e000000, 0x1000000 },
        { KernelEra.V6_1, 5, 0x2ae00000, 0x2200000 },
        { KernelEra.V5_4, 4, 0x200000, 0x1000000 },
        { KernelEra.V6_12, 4, 0x3000000, 0x1800000 },
    };

    [Theory]
    [MemberData(nameof(Machines))]
    public void ADescriptionWithTheLinkersAddressesIsAsGoodAsTheKernelsOwn(KernelEra era, int levels, ulong offset, ulong start)
    {
        SyntheticMachine machine = SampleMachines.EveryKind(new() { Era = era, Levels = levels, KaslrOffset = offset, KernelPhysicalStart = start });
        string linked = Link(machine.Vmcoreinfo, offset);
        var source = new HostileSource(machine.ToElf(new() { Vmcoreinfo = false }));
        using CrashDump dump = CrashDump.Open(source, new() { VmcoreInfo = Encoding.Latin1.GetBytes(linked) });
        using CrashDump whole = CrashDump.Open(new HostileSource(machine.ToElf()));
        Assert.Empty(dump.Problems);
        Assert.True(dump.Kernel!.IsVerified);
        Assert.Equal(whole.Kernel!.PhysicalBase, dump.Kernel.PhysicalBase);
        Assert.Equal(offset, dump.VmcoreInfo!.Hex("KERNELOFFSET"));
        Assert.Equal(levels, dump.Kernel.Memory.Levels);
        Assert.Equal(Counts(whole), Counts(dump));
    }

    [Fact]
    public void AKernelThatIsNotThereIsNotFound()
    {
        SyntheticMachine machine = SampleMachines.EveryKind(new() { KaslrOffset = 0x1e000000 });
        var source = new HostileSource(machine.ToElf(new() { Vmcoreinfo = false }));
        string linked = Link(machine.Vmcoreinfo, 0x1e000000);
        foreach (string other in (string[])[Release().Replace(linked, "OSRELEASE=1.2.3"),
            linked.Replace("SYMBOL(init_top_pgt)=ffffffff8", "SYMBOL(init_top_pgt)=ffffffff9", StringComparison.Ordinal)])
        {
            MissingInformationException refused = Assert.Throws<MissingInformationException>(() =>
                CrashDump.Open(source, new() { VmcoreInfo = Encoding.Latin1.GetBytes(other) }));
            Assert.True(refused.IsOtherKernel);
            source = new HostileSource(machine.ToElf(new() { Vmcoreinfo = false }));
        }
    }

    [Theory]
    [InlineData("gcc -gdwarf-5")]
    [InlineData("gcc -gdwarf-4 -gz=zlib")]
    [InlineData("clang -gdwarf-5")]
    public void AVmlinuxDescribesItsKernel(string compiler)
    {
        SyntheticMachine machine = SampleMachines.EveryKind(new() { KaslrOffset = 0x1e000000 });
        using CrashDump whole = CrashDump.Open(new HostileSource(machine.ToElf()));
        string path = Compile(compiler, machine, whole.VmcoreInfo!.OsRelease!);
        try
        {
            using VmlinuxFile vmlinux = VmlinuxFile.Open(path);
            string text = VmcoreInfoWriter.Write(vmlinux);
            Assert.Equal(whole.VmcoreInfo.OsRelease, vmlinux.Release);
            using CrashDump dump = CrashDump.Open(new HostileSource(machine.ToElf(new() { Vmcoreinfo = false })),
                new() { VmcoreInfo = Encoding.Latin1.GetBytes(text) });
            Assert.Empty(dump.Problems);
            Assert.Equal(Counts(whole), Counts(dump));

            // Whatever both say is the same.
            string[] mayDiffer = ["BUILD-ID", "SYMBOL(mem_section)", "SYMBOL(init_top_pgt)", "SIZE(pglist_data)", "SIZE(zone)", "LENGTH(node_data)"];
            foreach (string key in whole.VmcoreInfo.Values.Keys.Where(k => dump.VmcoreInfo!.Get(k) is not null
                && !mayDiffer.Contains(k) && !k.StartsWith("OFFSET(pglist_data", StringComparison.Ordinal)))
                Assert.True(whole.VmcoreInfo.Get(key) == dump.VmcoreInfo!.Get(key), $"{key}: {whole.VmcoreInfo.Get(key)}, {dump.VmcoreInfo.Get(key)}");
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
        }
    }

    private static string Counts(CrashDump dump)
    {
        var plan = new DumpRequest(dump, new() { Level = DumpLevel.All });
        WindowClassifier classifier = new Classifiers(plan).Create();
        var window = new PlanWindow();
        var total = new PageCounts();
        foreach (ulong number in plan.Windows())
        {
            classifier.Classify(number, window);
            total.Add(window.Excluded);
        }

        return string.Join(' ', Enum.GetValues<PageClass>().Select(c => $"{c}={total[c]}"));
    }

    // As makedumpfile -g gives it: nothing of where the kernel ran.
    private static string Link(string text, ulong offset) => string.Join('\n', text.Split('\n')
        .Where(l => !l.StartsWith("NUMBER(phys_base)", StringComparison.Ordinal) && !l.StartsWith("KERNELOFFSET", StringComparison.Ordinal)
            && !l.StartsWith("NUMBER(pgtable_l5", StringComparison.Ordinal) && !l.StartsWith("CRASHTIME", StringComparison.Ordinal))
        .Select(l => Symbol().Match(l) is { Success: true } m
            && ulong.Parse(m.Groups["value"].ValueSpan, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) is var value && value >= Image
            ? $"{m.Groups["name"].Value}{value - offset:x}" : l));

    private static string Compile(string compiler, SyntheticMachine machine, string release)
    {
        string folder = Directory.CreateTempSubdirectory("vmcore-vmlinux-").FullName;
        File.WriteAllText(Path.Combine(folder, "vmlinux.c"), Source.Replace("RELEASE", release, StringComparison.Ordinal));
        List<string> words = [.. compiler.Split(' '), "-fno-pie", "-no-pie", "-mcmodel=large",
            "-nostdlib", "-static", "vmlinux.c", "-o", "vmlinux", "-Wl,-e,0"];
        foreach (string symbol in (string[])["_stext", "init_uts_ns", "init_top_pgt", "mem_section", "node_data"])
        {
            ulong address = machine.Symbols.TryGetValue(symbol, out ulong value) || (symbol == "init_top_pgt"
                && machine.Symbols.TryGetValue("swapper_pg_dir", out value)) ? value : 0;
            words.Add(string.Create(CultureInfo.InvariantCulture,
                $"-Wl,--defsym,{symbol}=0x{(address >= Image ? address - machine.Options.KaslrOffset : address):x}"));
        }

        using Process process = Process.Start(new ProcessStartInfo(words[0], words[1..])
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardError = true,
        })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
        return Path.Combine(folder, "vmlinux");
    }

    [GeneratedRegex("^(?<name>SYMBOL\\([^)]*\\)=)(?<value>[0-9a-f]+)$", RegexOptions.None, 1000)]
    private static partial Regex Symbol();

    [GeneratedRegex("OSRELEASE=.*", RegexOptions.None, 1000)]
    private static partial Regex Release();
}
