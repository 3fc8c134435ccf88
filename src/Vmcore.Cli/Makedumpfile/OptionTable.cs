using Vmcore.Compression;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>All options of <c>makedumpfile</c>. The parser and the help go by this table.</summary>
internal static class OptionTable
{
    /// <summary>The options by heading, in the order of the help.</summary>
    internal static IReadOnlyList<OptionGroup> Groups { get; } =
    [
        new(
            "What is left out",
            new("-d DL", """
                Dump level, the sum of:
                  1  pages filled with zero
                  2  page cache without private data
                  4  page cache, all of it
                  8  user process data
                 16  free pages
                 32  pmem metadata (the memmap and info blocks on pmem)
                A list (-d 16,31) gives levels to go to where the target is too small.
                """, static (o, value) => o.Levels = OptionValues.Levels(value)),
            new("--pmem-range START-END", "Physical addresses that are pmem whatever the dump says (hexadecimal, END exclusive). May be given again.",
                static (o, value) => o.PmemRanges.Add(OptionValues.Range("--pmem-range", value))),
            new("--include-pmem-userdata", "Put pmem user data into the dump. It never is otherwise, at no level and in no format.",
                static (o, _) => o.IncludePmemUserData = true),
            new("-e", "Leave out the part of the memmap that describes only pages that are left out. Needs --work-dir.",
                static (o, _) => o.ExcludeUnusedMemmap = true),
            new("--config FILE", "Erase data by the rules in FILE: see makedumpfile.conf(5). A rule that cannot be applied ends the run.",
                static (o, value) => o.ConfigFile = value),
            new("--skip-failed-erase", "Go on where a rule of --config cannot be applied; what it was to erase may be in the dump.",
                static (o, _) => o.SkipFailedErase = true)),
        new(
            "How it is written",
            new("-c", "Compress each page with zlib. Of -c, -l, -p and -z the last one counts.", static (o, _) => o.Codec = PageCodec.Zlib),
            new("-l", "Compress each page with LZO.", static (o, _) => o.Codec = PageCodec.Lzo),
            new("-p", "Compress each page with snappy.", static (o, _) => o.Codec = PageCodec.Snappy),
            new("-z", "Compress each page with zstd.", static (o, _) => o.Codec = PageCodec.Zstd),
            new("-E", "Write an ELF core file.", static (o, _) => o.Elf = true),
            new("-F", "Write the flattened format to standard output; messages go to standard error.", static (o, _) => o.Flattened = true),
            new("-f", "Overwrite DUMPFILE.", static (o, _) => o.Overwrite = true),
            new("-L SIZE", "Stop at SIZE bytes (K, M, G, T); the dump is marked incomplete.",
                static (o, value) => o.SizeLimit = OptionValues.Size("-L", value)),
            new("--split", "Write the dump in parts, one for each DUMPFILE, with the same number of pages each.", static (o, _) => o.Split = true),
            new("--splitblock-size KB", "With --split: let the parts begin at multiples of KB of memory.",
                static (o, value) => o.SplitBlockSize = OptionValues.Integer("--splitblock-size", value, 0, int.MaxValue)),
            new("--num-threads N", "Threads that read and compress; 0 chooses by the number of cores (the default).",
                static (o, value) => o.Threads = Math.Max(0, OptionValues.Integer("--num-threads", value, int.MinValue, 1024))),
            new("--dedup", "Let pages with equal content share one block of data. For slow targets: it costs time, and the dump is a little smaller.",
                static (o, _) => o.ShareEqualPages = true),
            new("--time-limit SECONDS", """
                Be done in that time: by a faster codec, then by leaving out free pages, user pages and
                page cache, in this order. The report says what was given up.
                """, static (o, value) => o.TimeLimit = TimeSpan.FromSeconds(OptionValues.Integer("--time-limit", value, 1, 1_000_000))),
            new("--non-mmap", "Read /proc/vmcore instead of mapping it, which is faster. Other files are always read.", static (o, _) => o.NoMapping = true),
            new("--manifest FILE", "Write SHA-256 hashes of DUMPFILE, or of each file of --split, to FILE, as JSON: "
                + "what vmcore verify --manifest compares with. The dump is read again for it.", static (o, value) => o.ManifestFile = value),
            new("--report FILE", "Write the first report of the crash to FILE when the dump is written: text; NAME.html is a page, NAME.json JSON. "
                + "If that fails it is said, and the exit status is still that of the dump.", static (o, value) => o.ReportFile = value),
            new("--dry-run", "Do everything but write.", static (o, _) => o.DryRun = true)),
        new(
            "Where the memory and the kernel's description come from",
            new("--raw FILE@ADDRESS", "Instead of VMCORE, a raw image of RAM and the physical address of its first byte (0x...); once for each image.",
                static (o, value) => o.RawImages.Add(value)),
            new("-i VMCOREINFO", "A file with the vmcoreinfo text, for a VMCORE that has none: of the running kernel, or made by -g.",
                static (o, value) => o.VmcoreInfoFile = value),
            new("-x VMLINUX", "The kernel with its debug information, for a VMCORE without vmcoreinfo, for the rules of --config, and for -g.",
                static (o, value) => o.Vmlinux = value),
            new("-g VMCOREINFO", "Write the vmcoreinfo text of the kernel that -x names, for -i.", static (o, value) => o.GeneratedVmcoreInfo = value)),
        new(
            "Other things than a dump",
            new("-R", "Put a flattened stream from standard input together to DUMPFILE.", static (o, _) => o.Rearrange = true),
            new("--reassemble", "Join the parts of a split dump, given in any order, to DUMPFILE.", static (o, _) => o.Reassemble = true),
            new("--dump-dmesg", "Write the kernel's log to LOGFILE, with -F to standard output.", static (o, _) => o.DumpDmesg = true),
            new("--partial-dmesg", "With --dump-dmesg: only what was logged since the log was last cleared.", static (o, _) => o.PartialDmesg = true),
            new("--caller-id", "With --dump-dmesg: which task (T) or CPU (C) logged each message, on kernels from 5.10 on and on older ones that keep it.",
                static (o, _) => o.ShowCallerId = true),
            new("--mem-usage", "Show how many pages there are of each class: of /proc/kcore, or of any dump.", static (o, _) => o.MemoryUsage = true),
            new("--vtop ADDRESS", "While a dump is made, show where a kernel address lies in physical memory.",
                static (o, value) => o.VirtualAddress = OptionValues.Address("--vtop", value))),
        new(
            "Messages",
            new("--message-level N", "The sum of 1 progress, 2 common, 4 errors, 8 debug, 16 report; 7 if not given.",
                static (o, value) => o.MessageLevel = (MessageKind)OptionValues.Integer("--message-level", value, 0, 31)),
            new("--show-stats", "The report too.", static (o, _) => o.AlsoShown |= MessageKind.Report),
            new("-D", "Debug messages too.", static (o, _) => o.AlsoShown |= MessageKind.Debug),
            new("--check-params", "Only check the command line: exit status 0 or 1.", static (o, _) => o.CheckParams = true),
            new("-h, --help", "This text.", static (o, _) => o.Help = true),
            new("-v", "Version and codecs.", static (o, _) => o.Version = true)),
        new(
            "Accepted and without effect",
            new("-b ORDER", "Memory is bounded in any case.", static (_, value) => OptionValues.Integer("-b", value, 0, 20)),
            new("--cyclic-buffer KB", "As -b.", static (_, value) => OptionValues.Integer("--cyclic-buffer", value, 0, int.MaxValue)),
            new("--work-dir DIR", "There are no temporary files.", static (o, value) => o.WorkDirectory = value)),
        new(
            "",
            Xen("-X"),
            Xen("--xen-syms FILE"),
            Xen("--xen-vmcoreinfo FILE"),
            Xen("--xen_phys_start ADDRESS"),
            Refused("--diskset FILE", "sadump disk sets are not read; makedumpfile 1.7 makes a dump of them that Vmcore reads."),
            Refused("--eppic FILE", "eppic macros are not run; rules of --config erase data by name."),
            Refused("--extension FILE", "no code is loaded into the dumper; -d, --pmem-range and the rules of --config say what is left out.")),
    ];

    /// <summary>All options.</summary>
    internal static IReadOnlyList<CommandOption> All { get; } = [.. Groups.SelectMany(g => g.Options)];

    /// <summary>The parser for them.</summary>
    internal static GetOpt CreateParser() => new(
        string.Concat(All.Where(o => o.Short != '\0').Select(o => o.TakesValue ? $"{o.Short}:" : $"{o.Short}")),
        [.. All.Where(o => o.Long is not null).Select(o => new LongOption(o.Long!, o.Key, o.TakesValue))]);

    private static CommandOption Xen(string syntax) => Refused(syntax, "dumps of a Xen hypervisor are not read; makedumpfile 1.7 filters them.");

    private static CommandOption Refused(string syntax, string reason) =>
        new(syntax, "", (_, _) => throw new UsageException($"{syntax.Split(' ')[0]}: {reason}"));
}
