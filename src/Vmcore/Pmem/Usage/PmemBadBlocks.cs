using System.Buffers.Binary;
using Vmcore.Findings;
using Vmcore.Kernel;
using Vmcore.Kernel.Block;
using Vmcore.Kernel.Lists;
using Vmcore.Kernel.Types;
using Vmcore.Memory;
using Vmcore.Ranges;

namespace Vmcore.Pmem.Usage;

/// <summary>
/// Where the kernel knew that pmem had lost its content: the bad ranges of its NVDIMM buses (what firmware and machine checks told), and the bad blocks of its
/// disks (those, and what an administrator added). A page there need not be poisoned: PG_hwpoison comes when somebody touches it.
/// </summary>
/// <remarks>Source: drivers/nvdimm/badrange.c and nd-core.h (a list of ranges by physical address for each bus), drivers/nvdimm/pmem.c (the disk's sectors
/// count from the start of the data), include/linux/badblocks.h (an entry is bit 63 acknowledged, bits 9 to 62 the first sector, bits 0 to 8 the number less
/// one; shift below 0 is switched off).</remarks>
public sealed class PmemBadBlocks
{
    private const int SectorShift = 9;
    private const string Buses = "nvdimm_bus_list";

    private readonly KernelView _kernel;
    private readonly PmemLayout _pmem;
    private readonly ProblemList _problems = new();
    private readonly List<PhysicalRange> _ranges = [];

    private PmemBadBlocks(KernelView kernel, PmemLayout pmem) => (_kernel, _pmem) = (kernel, pmem);

    /// <summary>Physical addresses in bytes, ascending, apart from each other; at most <see cref="IO.ReadLimits.NvdimmEntries"/> of each source. Of a range
    /// that is only in part on pmem, that part.</summary>
    public IReadOnlyList<PhysicalRange> Ranges { get; private set; } = [];

    /// <summary>Why some may be missing of <see cref="Ranges"/>: one clause each.</summary>
    public IReadOnlyList<Finding> Problems => _problems.Findings;

    /// <summary>Reads them; without pmem there are none.</summary>
    /// <param name="kernel">The crashed kernel.</param>
    /// <param name="pmem">The pmem.</param>
    public static PmemBadBlocks Load(KernelView kernel, PmemLayout pmem)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        ArgumentNullException.ThrowIfNull(pmem);
        var blocks = new PmemBadBlocks(kernel, pmem);
        if (pmem.Pages.IsEmpty)
            return blocks;
        try
        {
            _ = (kernel.RequireMemory(), kernel.RequireSymbols(), kernel.RequireTypes());
            blocks.Try("the bad ranges of the NVDIMM buses", blocks.ReadBuses);
            blocks.Try("the bad blocks of the disks", blocks.ReadDisks);
        }
        catch (MissingInformationException e)
        {
            blocks.Complain(e.Message);
        }

        blocks.Ranges = blocks.Merged();
        return blocks;
    }

    private void Try(string what, Action read)
    {
        try
        {
            read();
        }
        catch (VmcoreException e) when (e is KernelObjectException or MissingInformationException)
        {
            Complain($"{what}: {e.Message}");
        }
    }

    private void ReadBuses()
    {
        // Without the driver nobody in that kernel knew of any.
        if (!_kernel.RequireSymbols().TryFind(Buses, out ulong head))
        {
            if (_kernel.SymbolsProblem is { } problem)
                Complain($"the bad ranges of the NVDIMM buses: {problem}");
            return;
        }

        KernelType bus = Need("nvdimm_bus"), entry = Need("badrange_entry");
        KernelObject list = KernelObject.At(_kernel.RequireMemory(), Need("list_head"), head);
        foreach (KernelObject one in Walk(list, bus, "list"))
        {
            foreach (KernelObject range in Walk(one.Member("badrange").Member("list"), entry, "list"))
                Add(range.Member("start").AsUInt64(), range.Member("length").AsUInt64());
        }
    }

    // What could be read of a damaged list counts.
    private IEnumerable<KernelObject> Walk(KernelObject head, KernelType type, string member)
    {
        int limit = _kernel.Limits.NvdimmEntries;
        var outcome = new WalkOutcome();
        foreach (KernelObject item in head.ListOf(type, member, outcome, limit))
            yield return item;
        if (WalkText.OfList(outcome, head.Address ?? 0, limit) is { } problem)
            Complain($"the bad ranges of the NVDIMM buses: {problem}");
    }

    private void ReadDisks()
    {
        BlockDisks disks = BlockDisks.Load(_kernel);
        KernelType disk = Need("gendisk");
        foreach (BlockDisk item in disks.Disks.Where(static d => d.Name.StartsWith("pmem", StringComparison.Ordinal)))
            Try(item.Name, () => ReadDisk(item.Name, KernelObject.At(_kernel.RequireMemory(), disk, item.Address)));
    }

    private void ReadDisk(string name, KernelObject disk)
    {
        KernelObject pointer = disk.Member("bb");
        if (pointer.AsUInt64() == 0)
            return;
        KernelObject blocks = pointer.Dereference();
        long count = blocks.Member("count").AsInt64(), shift = blocks.Member("shift").AsInt64();
        KernelObject page = blocks.Member("page");

        // The table is one page.
        if (count <= 0 || shift < 0 || page.AsUInt64() == 0)
            return;
        int pageSize = _kernel.PhysicalMemory.PageSize;
        if (count > pageSize / sizeof(ulong) || shift > 32)
            throw new KernelObjectException($"its table of bad blocks has {count} entries of 2^{shift} sectors: it is damaged");
        ulong start = StartOf(name, disk);
        byte[] entries = new byte[count * sizeof(ulong)];
        MemoryStatus status = _kernel.RequireMemory().Read(page.AsUInt64(), entries);
        if (status != MemoryStatus.Ok)
            throw new KernelObjectException($"its table of bad blocks cannot be read: {MemoryStatusText.Of(status)}");
        for (int i = 0; i < count; i++)
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(entries.AsSpan(i * sizeof(ulong)));
            ulong first = (word << 1) >> 10, length = (word & 0x1ff) + 1;
            int unit = SectorShift + (int)shift;
            if (first < ulong.MaxValue >> (unit + 1))
                Add(start + (first << unit), length << unit);
        }
    }

    /// <summary>Where sector 0 of a disk is: its driver's data lie behind what the info block sets aside. A driver without struct pages has no dev_pagemap.
    /// </summary>
    private ulong StartOf(string name, KernelObject disk)
    {
        KernelObject driver = KernelObject.Value(_kernel.RequireMemory(), TypeNameParser.PointerTo(Need("pmem_device")),
            disk.Member("private_data").AsUInt64());
        ulong map = driver.Member("pgmap").Member("range").Member("start").AsUInt64(), offset = driver.Member("data_offset").AsUInt64();
        ulong start = map != 0 ? unchecked(map + offset) : driver.Member("phys_addr").AsUInt64();
        return _pmem.Pages.Contains(start >> _kernel.PhysicalMemory.PageShift) ? start
            : throw new KernelObjectException($"its driver has the data at 0x{start:x}, where no pmem is: {name} is not the pmem driver's, or damaged");
    }

    private void Add(ulong start, ulong length)
    {
        if (length != 0 && _ranges.Count < 2 * _kernel.Limits.NvdimmEntries)
            _ranges.Add(new(start, length > ulong.MaxValue - start ? ulong.MaxValue : start + length));
    }

    private List<PhysicalRange> Merged()
    {
        List<PhysicalRange> merged = [], own = [];
        foreach (PhysicalRange range in _ranges.OrderBy(static r => r.Start))
        {
            if (merged is [.., var last] && range.Start <= last.End)
                merged[^1] = new(last.Start, Math.Max(last.End, range.End));
            else
                merged.Add(range);
        }

        int shift = _kernel.PhysicalMemory.PageShift;
        PfnRangeSet pages = _pmem.Pages;
        foreach (PhysicalRange range in merged)
        {
            for (int i = pages.IndexAtOrAfter(range.Start >> shift); i < pages.Count && pages[i].Start << shift < range.End; i++)
                own.Add(pages[i].ToPhysical(shift).Intersect(range));
        }

        return own;
    }

    private KernelType Need(string name) => _kernel.RequireTypes().FindNamed(KernelTypeKind.Struct, name)
        ?? throw new MissingInformationException($"the kernel's types have no struct {name}");

    private void Complain(string problem) => _problems.Add(FindingCode.PmemBadBlocksIncomplete, problem);
}
