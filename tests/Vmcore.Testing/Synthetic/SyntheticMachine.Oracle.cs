namespace Vmcore.Testing;

/// <summary>The answers: from what was placed, never from reading back.</summary>
public sealed partial class SyntheticMachine
{
    private const int Zero = 1, Cache = 2, CachePrivate = 4, User = 8, Free = 16, PmemMetadata = 32;

    /// <summary>Pfns of the media that a dump has to keep: memmap pages, and the info blocks of live namespaces, ascending.</summary>
    public IReadOnlyCollection<ulong> PmemMetadataPfns => Layout.PmemMetadata;

    /// <summary>What has to happen to a page at a dump level. The page may still be in no PT_LOAD of a core: <see cref="CoreImage.HasData"/>.</summary>
    /// <param name="pfn">The page.</param>
    /// <param name="dumpLevel">The bits of <c>-d</c>, 0 to 63.</param>
    public ExpectedVerdict Verdict(ulong pfn, int dumpLevel)
    {
        if (IsPmem(pfn))
        {
            if (!Layout.PmemMetadata.Contains(pfn))
                return ExpectedVerdict.PmemUserData;
            if ((dumpLevel & PmemMetadata) != 0)
                return ExpectedVerdict.PmemMetadata;
            return KeepUnlessZero(pfn, dumpLevel);
        }

        if (!IsRam(pfn))
            return ExpectedVerdict.NoMemory;
        Placement? placement = Layout.PlacementOf(pfn);
        ExpectedVerdict verdict = placement is null ? ExpectedVerdict.Keep : OfPlacement(placement, dumpLevel);
        return verdict == ExpectedVerdict.Keep ? KeepUnlessZero(pfn, dumpLevel) : verdict;
    }

    /// <summary>How many pages of a core meet each verdict; pages without data in the core are not counted.</summary>
    public IReadOnlyDictionary<ExpectedVerdict, ulong> Count(CoreImage core, int dumpLevel)
    {
        var counts = new Dictionary<ExpectedVerdict, ulong>();
        foreach (ExpectedVerdict verdict in Enum.GetValues<ExpectedVerdict>())
            counts[verdict] = 0;
        foreach (ulong pfn in core.Pfns())
            counts[Verdict(pfn, dumpLevel)]++;
        foreach (CoreSegment segment in core.Segments.Where(s => s.IsRepeated))
            CountRepeated(segment, dumpLevel, counts);
        return counts;
    }

    /// <summary>True if the page lies on a pmem region.</summary>
    public bool IsPmem(ulong pfn) => _pmem.Exists(r => pfn >= r.Start >> 12 && pfn < (r.End + 4095) >> 12);

    /// <summary>True if RAM touches the page.</summary>
    public bool IsRam(ulong pfn) => _repeated.Exists(r => r.Contains(pfn)) || _ram.Exists(r => pfn >= r.Start >> 12 && pfn < (r.End + 4095) >> 12);

    /// <summary>The bytes of a page at the crash.</summary>
    public byte[] PageContent(ulong pfn)
    {
        byte[] page = new byte[4096];
        FillPage(pfn, page);
        return page;
    }

    /// <summary>Fills a buffer with the 4096 bytes of a page at the crash.</summary>
    public void FillPage(ulong pfn, Span<byte> page)
    {
        if (Layout.Memory.TryGet(pfn, out byte[] stored))
        {
            stored.CopyTo(page);
            return;
        }

        page.Clear();
        if (IsPmem(pfn))
        {
            if (_pmem.Exists(r => r.Spaces.Exists(s => s.HasInfoBlock && s.Options.WrittenStructs is not null && pfn >= s.Start >> 12 && pfn < s.DataPfn)))
                return;
            bool stale = _pmem.Exists(r => r.Spaces.Exists(s => s.HasInfoBlock && pfn >= s.Start >> 12 && pfn < s.DataPfn));
            PageText.FillMarked(page, stale ? PageText.PmemStale : PageText.PmemCanary, pfn);
            return;
        }

        Placement? placement = Layout.PlacementOf(pfn);
        if (placement is null || placement.Fill == PageFill.Zero || placement.Kind == PageKind.ZeroFilled)
            return;
        if (placement.Kind is PageKind.Anonymous or PageKind.AnonHuge or PageKind.AnonymousSwapCache
            or PageKind.Ksm or PageKind.Hugetlb or PageKind.HwPoisonAnonymous)
            PageText.FillMarked(page, PageText.Anonymous, pfn);
        else
            PageText.FillRandom(page, pfn, Options.Seed);
    }

    private void CountRepeated(CoreSegment segment, int dumpLevel, Dictionary<ExpectedVerdict, ulong> counts)
    {
        RepeatedRam repeated = _repeated.Find(r => r.Start == segment.Physical)!;
        ulong pagesOfKind = (segment.FileSize >> 12) / (ulong)repeated.Kinds.Count;
        if (segment.FileSize != repeated.Length)
            throw new NotSupportedException("Repeated RAM is counted as a whole only.");
        for (int kind = 0; kind < repeated.Kinds.Count; kind++)
            counts[Verdict((repeated.Start >> 12) + ((ulong)kind << 15), dumpLevel)] += pagesOfKind;
    }

    private ExpectedVerdict KeepUnlessZero(ulong pfn, int dumpLevel)
    {
        if ((dumpLevel & Zero) == 0)
            return ExpectedVerdict.Keep;
        Span<byte> page = stackalloc byte[4096];
        FillPage(pfn, page);
        return page.IndexOfAnyExcept((byte)0) < 0 ? ExpectedVerdict.ZeroFilled : ExpectedVerdict.Keep;
    }

    private ExpectedVerdict OfPlacement(Placement placement, int level)
    {
        bool poisoned = (placement.ExtraFlags & (1ul << Era.HwPoison)) != 0;
        ExpectedVerdict ifPoisoned = poisoned ? ExpectedVerdict.HwPoison : ExpectedVerdict.Keep;
        return placement.Kind switch
        {
            PageKind.Free when (level & Free) != 0 => ExpectedVerdict.Free,
            PageKind.Unaccepted when (level & Free) != 0 && Era.UnacceptedExported => ExpectedVerdict.Free,
            PageKind.PageCache or PageKind.SwapCache when (level & (Cache | CachePrivate)) != 0 => ExpectedVerdict.CacheNonPrivate,
            PageKind.PageCachePrivate when (level & CachePrivate) != 0 => ExpectedVerdict.CachePrivate,
            PageKind.Anonymous or PageKind.AnonHuge or PageKind.AnonymousSwapCache or PageKind.Ksm or PageKind.Hugetlb when (level & User) != 0 =>
                ExpectedVerdict.User,
            PageKind.HwPoisonAnonymous => (level & User) != 0 ? ExpectedVerdict.User : ExpectedVerdict.HwPoison,
            PageKind.HwPoison => ExpectedVerdict.HwPoison,
            PageKind.Offline or PageKind.Balloon when Era.OfflineExported => ExpectedVerdict.Offline,
            _ => ifPoisoned,
        };
    }
}
