using Vmcore.Memory;
using Vmcore.Opening;

namespace Vmcore.Cli.Tests.Conformance;

/// <summary>Holds a dump against the vmcore that it was made from, page by page.</summary>
internal static class DumpCheck
{
    private static ReadOnlySpan<byte> PmemCanary => "LAB-PMEM-CANARY /"u8;

    /// <summary>Pages of pmem metadata: what holds anything before the user data of each namespace, and the info blocks.</summary>
    internal static HashSet<ulong> Metadata(RealCrash crash, RawVmcore raw)
    {
        HashSet<ulong> pages = [.. crash.InfoBlocks];
        byte[] page = new byte[RawVmcore.PageSize];
        foreach (MetadataTruth truth in crash.Metadata)
        {
            int before = pages.Count - (pages.Contains(truth.Start + 1) ? 1 : 0);
            for (ulong pfn = truth.Start; pfn < truth.End; pfn++)
            {
                raw.Read(pfn, page);
                if (page.AsSpan().ContainsAnyExcept((byte)0))
                    pages.Add(pfn);
            }

            Assert.Equal(truth.NonZero, pages.Count - before);
        }

        return pages;
    }

    /// <summary>Checks every page that is in the dump, and what must and must not be there of the pmem.</summary>
    /// <returns>The bits of the pages that are in the dump; of an ELF file, those that hold anything.</returns>
    internal static ulong[] Pages(CrashDump dump, RawVmcore raw, HashSet<ulong> metadata, bool metadataExpected)
    {
        Assert.False(dump.IsIncomplete);
        int words = (int)((raw.MaxPfn + 63) / 64);
        ulong[] exists = new ulong[words], present = new ulong[words];
        dump.Unfiltered.GetPages(0, exists, present);

        // A kdump ends with the last section that has a memmap: behind it there is only user data of pmem.
        ulong maxPfn = dump.Unfiltered.MaxPfn;
        Assert.InRange(maxPfn, dump.Format == DumpFormat.Elf ? raw.MaxPfn : 1, raw.MaxPfn);
        byte[] page = new byte[RawVmcore.PageSize], original = new byte[RawVmcore.PageSize];
        foreach (RawLoad load in raw.Loads)
        {
            ulong end = (load.End + RawVmcore.PageSize - 1) / RawVmcore.PageSize;
            for (ulong pfn = load.Address / RawVmcore.PageSize; pfn < end; pfn++)
            {
                bool isMetadata = metadata.Contains(pfn);
                if (pfn >= maxPfn)
                {
                    Assert.True(load.IsPmem && !isMetadata && !Get(present, pfn), $"pfn 0x{pfn:x} lies behind the end of the dump, 0x{maxPfn:x}");
                    continue;
                }

                Assert.True(Get(exists, pfn), $"pfn 0x{pfn:x} is not known to the dump");
                bool kept = Get(present, pfn);
                if (kept)
                {
                    Assert.Equal(MemoryStatus.Ok, dump.Unfiltered.ReadPage(pfn, page));
                    // In an ELF file what is left out between pages that stay is zero.
                    if (dump.Format == DumpFormat.Elf && !page.AsSpan().ContainsAnyExcept((byte)0))
                    {
                        kept = false;
                        present[pfn >> 6] &= ~(1UL << (int)(pfn & 63));
                    }
                }

                if (load.IsPmem)
                    Assert.True(kept == (isMetadata && metadataExpected),
                        $"pfn 0x{pfn:x} on pmem, {(isMetadata ? "metadata" : "user data")}: {(kept ? "is" : "is not")} in the dump");
                if (!kept)
                    continue;
                int covered = raw.Read(pfn, original);
                if (!page.AsSpan(0, covered).SequenceEqual(original.AsSpan(0, covered)))
                    Assert.Fail($"pfn 0x{pfn:x} differs from the vmcore");
                if (page.AsSpan().IndexOf(PmemCanary) >= 0)
                    Assert.Fail($"pfn 0x{pfn:x} holds user data of pmem");
            }
        }

        return present;
    }

    /// <summary>Tells whether a page's bit is set.</summary>
    internal static bool Get(ulong[] bits, ulong pfn) => (bits[pfn >> 6] >> (int)(pfn & 63) & 1) != 0;
}
