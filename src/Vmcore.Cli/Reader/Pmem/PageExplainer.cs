using System.Globalization;
using Vmcore.Findings;
using Vmcore.Memmap;
using Vmcore.Picture;
using Vmcore.Pmem;
using Vmcore.Pmem.Usage;

namespace Vmcore.Cli.Reader.Pmem;

/// <summary>Says in words what one page was.</summary>
internal static class PageExplainer
{
    /// <summary>Says it.</summary>
    /// <param name="dump">The dump.</param>
    /// <param name="pfn">The page.</param>
    /// <param name="gaps">What is missing of the answer.</param>
    internal static PmemPageAnswer Explain(CrashDump dump, ulong pfn, out IReadOnlyList<Finding> gaps)
    {
        gaps = [];
        PmemPage page = dump.FindPmemPage(pfn);
        ulong address = pfn << dump.Memory.PageShift;
        List<string> words = [];
        var answer = new PmemPageAnswer
        {
            Pfn = pfn,
            Address = address,
            Kind = page.Kind switch
            {
                PmemPageKind.NotPmem => "not_pmem",
                PmemPageKind.InfoBlock => "info_block",
                PmemPageKind.Memmap when page.Namespace is null => "metadata",
                PmemPageKind.Unknown => "unknown",
                PmemPageKind.Memmap => "memmap",
                _ => "user_data",
            },
            Namespace = page.Namespace?.Name,
            Words = words,
        };
        string which = $"Page {Sizes.Hex(pfn)} (physical address {Sizes.Hex(address)})";
        if (page.Kind == PmemPageKind.NotPmem)
        {
            words.Add($"{which} is not on pmem.");
            words.Add(InDump(dump, pfn));
            bool exists = dump.Coverage.Exists(pfn);
            if (exists && PageWords.Sentence(dump, pfn) is { } ram)
                words.Add(ram);
            return answer with { Poisoned = exists && dump.FindPage(pfn) is { Knowledge: >= PageKnowledge.Tail } known ? known.IsPoisoned : null };
        }

        if (page.Kind == PmemPageKind.Unknown || (page.Kind == PmemPageKind.Memmap && page.Namespace is null))
        {
            string problem = dump.ClassificationProblem?.ToString() ?? dump.Loss?.ToString() ?? "the kernel's table of struct pages cannot be read there";
            gaps = [new(FindingCode.PageUnknown, problem)];
            words.Add($"{which} is on pmem; in which namespace is not known: {problem}.");
            words.Add(page.IsUserData ? "Whether it is metadata or user data is not known, so Vmcore keeps it out of every dump."
                : "It holds metadata of a namespace.");
            if (!page.IsUserData)
                words.Add(InDump(dump, pfn));
            return answer;
        }

        words.Add(page.Namespace is not { } item ? $"{which} is on pmem, in no namespace: nothing of it is in any dump."
            : $"{which} is on pmem, {Sizes.Text(address - item.Range.Start)} into {item.Name ?? "a namespace"} "
                + $"({(item.Mode == PmemMode.Unknown ? "mode not known" : item.Mode.ToString().ToLowerInvariant())}).");
        if (!page.IsUserData)
        {
            words.Add(page.Kind == PmemPageKind.InfoBlock ? "It holds the namespace's info block: metadata."
                : "It holds struct pages of the namespace, its memmap: metadata." + Describes(page));
            words.Add(InDump(dump, pfn));
            return answer;
        }

        words.Add("It is user data: Vmcore keeps it out of every dump.");
        if (page.Kind == PmemPageKind.WithoutStructPage)
        {
            words.Add("The kernel had no struct page for it, so nothing is known of its use.");
            return answer;
        }

        if (page.Kind == PmemPageKind.Reserved)
        {
            words.Add("It lies in the space that the namespace sets aside in front of its data, in a part that the kernel does not use: "
                + "it holds whatever the media held before.");
            return answer;
        }

        gaps = page.Use!.Problems;
        if (!page.Use.HasStruct)
        {
            string lost = page.Namespace?.State == MemmapState.Overwritten
                ? "Its struct page was written anew after the crash, by a pmem driver in the capture kernel" : "Its struct page is not in the dump";
            words.Add(lost + ": what follows is from the files' page trees and the processes' page tables.");
            gaps = [new(FindingCode.PageUnknown, $"page {Sizes.Hex(pfn)}: {char.ToLowerInvariant(lost[0])}{lost[1..]}"), .. gaps];
        }

        return OfUse(page.Use, pfn, dump.Memory.PageShift, answer, words);
    }

    private static PmemPageAnswer OfUse(PmemPageUse use, ulong pfn, int pageShift, PmemPageAnswer answer, List<string> words)
    {
        if (use.Order > 0)
            words.Add(use.Head == pfn
                ? $"It is the first page of a compound page of {1UL << use.Order} pages."
                : $"It is part of a compound page of {1UL << use.Order} pages that starts at {Sizes.Hex(use.Head)}.");
        if (StateText(use) is { } state)
            words.Add(state);
        foreach (PmemPageOwner owner in use.Owners)
            AddOwner(owner, pageShift, words);
        if (use.Struct.IsPinned)
            words.Add(string.Create(CultureInfo.InvariantCulture,
                $"It is pinned: its reference count is {use.Struct.References}, so direct I/O, RDMA or the like was using it."));
        if (use.Struct.IsPoisoned)
            words.Add("It is poisoned: the memory failed there (PG_hwpoison).");
        foreach (Finding problem in use.Problems)
            words.Add($"Note: {problem}.");
        return answer with
        {
            State = use.State == DaxPageState.InUse ? "in_use" : use.State?.ToString().ToLowerInvariant(),
            Pinned = use.HasStruct ? use.Struct.IsPinned : null,
            Poisoned = use.HasStruct ? use.Struct.IsPoisoned : null,
            References = use.HasStruct ? use.Struct.References : null,
            ShareCount = use.ShareCount > 0 ? use.ShareCount : null,
            Owners = [.. use.Owners.Select(o => OwnerOf(o, pageShift))],
        };
    }

    /// <summary>What a page is used for; null of a mapped one, which its owners say.</summary>
    private static string? StateText(PmemPageUse use) => use.State switch
    {
        null => "None of them names it. It may have been idle; that is not known.",
        DaxPageState.Mapped => null,
        DaxPageState.Shared when !use.HasStruct => null,
        DaxPageState.Idle when use.Struct.State == DaxPageState.Shared =>
            "It is idle: its struct page looks like that of a shared page, but no file names it. The kernel leaves such traces of files that are gone.",
        DaxPageState.Idle => "It is idle: no process had it mapped and no file claimed it through a mapping. "
            + "Files that are only read and written leave no trace, so it may hold data all the same.",
        DaxPageState.Shared when use.KernelCountsSharers =>
            string.Create(CultureInfo.InvariantCulture, $"Several files share it (reflink); the kernel's share count is {use.ShareCount}."),
        DaxPageState.Shared when use.Owners.Count == 0 =>
            "Its struct page is that of a page that several files share (reflink), but none of them was found.",
        DaxPageState.Shared => string.Create(CultureInfo.InvariantCulture, $"Files share it (reflink): {use.Owners.Count} of them name it."),
        DaxPageState.InUse => "It is in use without a file: the kernel or a device holds it.",
        _ => $"Its struct page is not that of a page of pmem (flags {Sizes.Hex(use.Struct.Flags)}): never written, damaged, or of another kernel.",
    };

    private static void AddOwner(PmemPageOwner owner, int pageShift, List<string> words)
    {
        words.Add(owner.Inode switch
        {
            null => string.Create(CultureInfo.InvariantCulture,
                $"It is page {owner.Index} of a file whose address_space at {Sizes.Hex(owner.Mapping)} cannot be followed to an inode."),
            { IsDeviceDax: true } device => string.Create(CultureInfo.InvariantCulture,
                $"It is page {owner.Index} of the device {PathOf(owner) ?? device.Device.ToString()} (device number {device.Device})."),
            var inode => string.Create(CultureInfo.InvariantCulture, $"It is page {owner.Index} (offset {Sizes.Hex(owner.Index << pageShift)}) "
                + $"of the file {PathOf(owner) ?? "whose path is not in memory"}{(owner.Path.IsDeleted ? " (deleted)" : "")}, "
                + $"inode {inode.Number} of {inode.SuperBlock?.Type ?? "a file system"} on {inode.SuperBlock?.Id ?? "an unknown device"}."),
        });
        foreach (PmemMapping mapper in owner.Mappers)
        {
            words.Add(string.Create(CultureInfo.InvariantCulture,
                $"Process {mapper.Process.Pid} ({mapper.Process.Name}) maps it at {Sizes.Hex(owner.AddressIn(mapper, pageShift))}."));
        }

        if (owner.Mappers.Count == 0)
            words.Add("No process maps it now.");
    }

    private static PageOwnerInfo OwnerOf(PmemPageOwner owner, int pageShift)
    {
        bool isDevice = owner.Inode is { IsDeviceDax: true };
        return new(PathOf(owner), isDevice ? null : owner.Inode?.SuperBlock?.Id, isDevice ? null : owner.Inode?.Number, owner.Index,
            [.. owner.Mappers.Select(m => new PageMapperInfo(m.Process.Pid, m.Process.Name, owner.AddressIn(m, pageShift)))]);
    }

    private static string? PathOf(PmemPageOwner owner) => owner.Device is { } device ? "/dev/" + device : owner.Path.Text;

    private static string InDump(CrashDump dump, ulong pfn) => dump.Coverage.Has(pfn) ? "Its content is in the dump."
        : dump.Coverage.Exists(pfn) ? "It was left out of the dump."
        : dump.Resources?.All().Any(r => r.Name == MemoryPicture.CrashKernel && r.Range.Contains(pfn << dump.Memory.PageShift)) == true
            ? "It is in the area of the crash kernel, which is in no dump." : "The dump knows of no memory there.";

    private static string Describes(PmemPage page) => page.Described is not { } pages ? ""
        : string.Create(CultureInfo.InvariantCulture, $" They describe the pages from {Sizes.Hex(pages.Start)} on, about {pages.Count}.");
}
