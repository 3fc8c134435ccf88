using System.Globalization;
using Vmcore.Memmap;

namespace Vmcore.Cli.Reader;

/// <summary>What a page of RAM is, in words.</summary>
internal static class PageWords
{
    /// <summary>In some words, for a table.</summary>
    internal static string Short(CrashDump dump, ulong pfn)
    {
        PageLookup page = dump.FindPage(pfn);
        return (page.IsPoisoned && page.Class != PageClass.HwPoison ? "poisoned, " : "") + page.Knowledge switch
        {
            PageKnowledge.NoMemmap => "unknown, there is no memmap",
            PageKnowledge.NoStruct => "without a struct page in the dump",
            PageKnowledge.Tail => "part of a larger page of the kernel's own",
            _ => page.Class switch
            {
                PageClass.Cache => "page cache",
                PageClass.CachePrivate => "page cache with private data",
                PageClass.User => "user memory",
                PageClass.Free => "free",
                PageClass.HwPoison => "poisoned",
                PageClass.Offline => "offline",
                _ => "the kernel's own",
            },
        };
    }

    /// <summary>As a sentence that says what dump levels make of it; null if there is no memmap.</summary>
    internal static string? Sentence(CrashDump dump, ulong pfn)
    {
        PageLookup page = dump.FindPage(pfn);
        string? text = page.Knowledge switch
        {
            PageKnowledge.NoMemmap => null,
            PageKnowledge.NoStruct => "Its struct page is not in the dump.",
            PageKnowledge.Tail => "It is part of a compound page of the kernel, and is kept at every dump level.",
            _ => page.Class switch
            {
                PageClass.Cache => "It is page cache without private data (dump level bit 2 leaves it out).",
                PageClass.CachePrivate => "It is page cache with private data (dump level bit 4 leaves it out).",
                PageClass.User => "It is user process data (dump level bit 8 leaves it out).",
                PageClass.Free => "It is free (dump level bit 16 leaves it out).",
                PageClass.HwPoison => "It is poisoned by a memory error: never read, at any level.",
                PageClass.Offline => "It is logically offline (ballooned): left out at any level.",
                _ => "It belongs to the kernel, and is kept at every dump level.",
            },
        };
        if (text is not null && page.IsPoisoned && page.Class != PageClass.HwPoison)
            text = "It is poisoned: the memory failed there (PG_hwpoison). Beyond that: " + char.ToLowerInvariant(text[0]) + text[1..];
        return page.Block.Count <= 1 ? text
            : string.Create(CultureInfo.InvariantCulture, $"{text} {(page.Block.Start == pfn ? "It begins" : "It is in")} a block "
                + $"of {page.Block.Count} pages{(page.Block.Start == pfn ? "" : $" that begins at {Sizes.Hex(page.Block.Start)}")}.");
    }
}
