using System.Globalization;
using System.Text;
using Vmcore.Cli.Reader;
using Vmcore.Findings;

namespace Vmcore.Cli.Info;

/// <summary>What <c>vmcore info</c> shows to people.</summary>
internal static class InfoText
{
    internal static string Build(DumpInfo info)
    {
        var text = new StringBuilder();
        Field(text, "File", info.File);
        Field(text, "Format", FormatOf(info));
        Field(text, "Dump level", info.DumpLevel is { } level
            ? string.Create(CultureInfo.InvariantCulture, $"{level} ({LevelOf(level)})")
            : "raw, nothing left out");
        Field(text, "Kernel", info.Release ?? "unknown (no vmcoreinfo)");
        Field(text, "Version", info.Version);
        Field(text, "Machine", string.Create(CultureInfo.InvariantCulture,
            $"{info.Machine}, {info.Cpus} CPUs with registers{(info.PageTableLevels is { } n ? $", {n}-level page tables" : "")}"));
        Field(text, "Host", info.NodeName);
        Field(text, "Crashed", CrashedAt(info));
        if (info.Crash is { } crash)
            Crash(text, crash);
        Field(text, "Memory", string.Create(CultureInfo.InvariantCulture,
            $"pages of {info.PageSize} bytes below pfn 0x{info.MaxPfn:x}{(info.MemoryModel is { } m ? ", " + m : "")}"));
        Loads(text, info);
        Pmem(text, info);
        Pages(text, info);
        if (info.Problems.Count > 0)
            text.Append("\nProblems\n");
        foreach (Finding problem in info.Problems)
            text.Append("  ").Append(problem).Append('\n');

        // Names and findings have texts of the crashed machine; nothing here is coloured.
        return TerminalText.Clean(text.ToString());
    }

    private static void Crash(StringBuilder text, CrashInfo crash)
    {
        Field(text, "Panic", crash.Panic);
        if (crash.Cpu is { } cpu)
            Field(text, "Task", crash.Task is { } task
                ? string.Create(CultureInfo.InvariantCulture, $"PID {task.Pid} \"{task.Name}\" on CPU {cpu}")
                : string.Create(CultureInfo.InvariantCulture, $"unknown, on CPU {cpu}"));
        Field(text, "Uptime", crash.UptimeSeconds is { } seconds ? TimeText(TimeSpan.FromSeconds(seconds)) : null);
        Field(text, "Load", crash.LoadAverage is { } load
            ? string.Join(", ", load.Select(l => l.ToString("0.00", CultureInfo.InvariantCulture))) + " (1, 5, 15 minutes)"
            : null);
        Field(text, "CPUs online", crash.CpusOnline?.ToString(CultureInfo.InvariantCulture));
        Field(text, "Tainted", crash.Taints is not { } taints ? null
            : taints.Count == 0 ? "no"
            : string.Join(", ", taints.Select(t => $"{t.Letter} ({t.Meaning})")));
        Field(text, "HW errors", HardwareErrorInfo.Text(crash.HardwareErrors) is { } errors ? $"recovered from: {errors}" : null);
        foreach (Finding problem in crash.Problems)
            Field(text, "Unknown", problem.ToString());
    }

    /// <summary>When the machine crashed.</summary>
    internal static string CrashedAt(DumpInfo info) => UtcTime.Text(info.CrashTime)
        ?? (UtcTime.Text(info.Crash?.ClockTime) is { } clock ? clock + " by the kernel's clock (taken without a crash, or by a hypervisor)" : "time unknown");

    /// <summary>Format and compression of the file.</summary>
    internal static string FormatOf(DumpInfo info)
    {
        string format = info.Format switch
        {
            "elf" => "ELF core file",
            "raw" => "raw image of RAM",
            "lime" => "LiME image of RAM",
            _ => $"kdump-compressed, {info.Compression}",
        };
        return (info.Flattened ? "flattened " : "") + format + (info.Incomplete ? ", INCOMPLETE" : "");
    }

    /// <summary>What a dump level leaves out.</summary>
    internal static string LevelOf(int level)
    {
        string[] names = ["zero", "cache", "private cache", "user", "free", "pmem metadata"];
        string left = string.Join(", ", names.Where((_, bit) => (level >> bit & 1) != 0));
        return left.Length == 0 ? "nothing left out by level" : left + " left out";
    }

    // What is no whole KiB is a part of one here: the columns of a table have one unit at its lower end.
    private static string Size(ulong bytes) =>
        bytes >= 1024 ? Sizes.Text(bytes) : string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.##} KiB");

    private static void Field(StringBuilder text, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
            text.Append(CultureInfo.InvariantCulture, $"{name + ":",-13}{value}\n");
    }

    private static void Loads(StringBuilder text, DumpInfo info)
    {
        const int Most = 64;
        if (info.Loads.Count == 0)
            return;
        text.Append("\nPT_LOAD        physical start      physical end   virtual address        size  pmem\n");
        for (int i = 0; i < Math.Min(info.Loads.Count, Most); i++)
        {
            LoadInfo load = info.Loads[i];
            string size = Size(load.PhysicalEnd - load.PhysicalStart);
            text.Append(CultureInfo.InvariantCulture,
                $"  [{i,3}]  {load.PhysicalStart,20:x}  {load.PhysicalEnd,16:x}  {load.VirtualAddress,16:x}  {size,10}  {(load.IsPmem ? "yes" : "no")}\n");
        }

        if (info.Loads.Count > Most)
            text.Append(CultureInfo.InvariantCulture, $"  and {info.Loads.Count - Most} more (--json has them all)\n");
    }

    private static void Pmem(StringBuilder text, DumpInfo info)
    {
        if (info.Pmem is not { } pmem)
        {
            text.Append("\nNo persistent memory is known of.\n");
            return;
        }

        ulong page = (ulong)info.PageSize;
        text.Append(CultureInfo.InvariantCulture, $"\nPersistent memory: {Size(pmem.Pages * page)}, "
            + $"metadata {pmem.MetadataPages} pages ({Size(pmem.MetadataPages * page)}), the rest is user data\n");
        foreach (NamespaceInfo item in pmem.Namespaces)
        {
            text.Append(CultureInfo.InvariantCulture, $"  {item.Name ?? "namespace",-13} {item.Base:x}-{item.Base + item.Size:x}  "
                + $"{Size(item.Size)}  {item.Mode}  map={item.Map}{(item.Uuid is { } uuid ? $"  uuid {uuid}" : "")}\n");
            string where = item.Map switch { "dev" => "on the pmem", "mem" => "in RAM", _ => "none known" };
            text.Append(CultureInfo.InvariantCulture, $"    memmap {where}{(item.Memmap == "none" ? "" : ", " + item.Memmap)}; "
                + $"metadata pages in the dump: {item.MetadataPagesPresent} of {item.MetadataPages}\n");
            if (item.MetadataSha256 is { } hash)
                text.Append(CultureInfo.InvariantCulture, $"    sha256 {hash} of [base, base + 0x{item.DataOffset:x}), user data taken for zero\n");
        }

        foreach (RangeInfo range in pmem.Metadata)
            text.Append(CultureInfo.InvariantCulture, $"  metadata pfn [0x{range.StartPfn:x} - 0x{range.EndPfn:x})  "
                + $"sha256 {range.Sha256 ?? (pmem.IsHashed ? "(not in the dump)" : "(takes long: --hash)")}\n");
    }

    private static void Pages(StringBuilder text, DumpInfo info)
    {
        if (info.Pages is not { } pages)
            return;
        text.Append(CultureInfo.InvariantCulture, $"\nPages, counted {pages.Counted}\n");
        Count(text, "on the machine", pages.Existing, info.PageSize);
        Count(text, "in this file", pages.InFile, info.PageSize);
        if (pages.Zero is { } zero)
            Count(text, "zero", zero, info.PageSize);
        Count(text, "page cache", pages.Cache, info.PageSize);
        Count(text, "private page cache", pages.CachePrivate, info.PageSize);
        Count(text, "user", pages.User, info.PageSize);
        Count(text, "free", pages.Free, info.PageSize);
        Count(text, pages.PoisonedIsKnown ? "poisoned" : "poisoned, at least", pages.HwPoison, info.PageSize);
        Count(text, "offline", pages.Offline, info.PageSize);
        Count(text, "pmem metadata", pages.PmemMetadata, info.PageSize);
        Count(text, "pmem user data", pages.PmemUserData, info.PageSize);
    }

    private static void Count(StringBuilder text, string name, ulong pages, int pageSize) =>
        text.Append(CultureInfo.InvariantCulture, $"  {name,-20} {pages,12}  {Size(pages * (ulong)pageSize)}\n");

    /// <summary>A time as <c>3 days, 04:05:06</c>.</summary>
    internal static string TimeText(TimeSpan time) => string.Create(
        CultureInfo.InvariantCulture,
        $"{(time.Days > 0 ? $"{time.Days} day{(time.Days == 1 ? "" : "s")}, " : "")}{time.Hours:00}:{time.Minutes:00}:{time.Seconds:00}");
}
