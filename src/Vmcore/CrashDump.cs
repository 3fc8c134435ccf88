using Vmcore.Findings;
using Vmcore.IO;
using Vmcore.Kernel.Addresses;
using Vmcore.Kernel.Cpus;
using Vmcore.Kernel.Modules;
using Vmcore.Kernel.Resources;
using Vmcore.Kernel.Slab;
using Vmcore.Kernel.Stacks;
using Vmcore.Kernel.Symbols;
using Vmcore.Kernel.Tasks;
using Vmcore.Kernel.Types;
using Vmcore.Kernel.Vfs;
using Vmcore.Memmap;
using Vmcore.Opening;
using Vmcore.Pmem.Usage;

namespace Vmcore;

/// <summary>
/// A dump of a crashed machine: one opening call for every format, which is detected. A filtered dump and a raw one look alike from here on.
/// </summary>
/// <remarks>
/// This is the face of the library: everything else takes the small thing that it needs (<see cref="OpenedDump.KernelView"/>, a memory, a memmap), and
/// nothing takes this.
/// </remarks>
public sealed class CrashDump : OpenedDump
{
    private CrashDump(DumpFile file, CrashDumpOptions options)
        : base(file, options)
    {
    }

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.Symbols"/>
    public KernelSymbols? Symbols => KernelView.Symbols;

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.SymbolsProblem"/>
    public Finding? SymbolsProblem => KernelView.SymbolsProblem;

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.Types"/>
    public KernelTypes? Types => KernelView.Types;

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.TypesProblem"/>
    public Finding? TypesProblem => KernelView.TypesProblem;

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.Modules"/>
    public ModuleList? Modules => KernelView.Modules;

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.PerCpu"/>
    public PerCpuAreas? PerCpu => KernelView.PerCpu;

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.Tasks"/>
    public TaskList? Tasks => KernelView.Tasks;

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.TasksProblem"/>
    public Finding? TasksProblem => KernelView.TasksProblem;

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.Resources"/>
    public ResourceTree? Resources => KernelView.Resources;

    /// <summary>Collects what the pmem was used for.</summary>
    /// <inheritdoc cref="PmemUsage.Collect"/>
    public PmemUsage CollectPmemUsage(bool scanPages = true, Action<ulong, ulong>? progress = null) =>
        PmemUsage.Collect(KernelView, Pmem, Memmap, PageLayout, scanPages, progress);

    /// <summary>Finds out what a page of pmem was at the crash: metadata, or user data and whose. No page but those of the kernel's metadata is read.</summary>
    /// <param name="pfn">The page frame number.</param>
    public PmemPage FindPmemPage(ulong pfn) => PmemPageFinder.Find(KernelView, Pmem, Memmap, PageLayout, pfn, mayLack: Loss is not null);

    /// <summary>Finds out what a page of RAM was at the crash, by its struct page: cache, user memory, free, the kernel's own …</summary>
    /// <param name="pfn">The page frame number.</param>
    public PageLookup FindPage(ulong pfn) => PageLookup.Find(Memmap, PageLayout, Pmem.Pages, pfn);

    /// <inheritdoc cref="Vmcore.Kernel.KernelView.Evaluate"/>
    public KernelObject Evaluate(string expression) => KernelView.Evaluate(expression);

    /// <summary>The file systems: mounts, paths, open files.</summary>
    /// <inheritdoc cref="KernelVfs.Open(Kernel.KernelView)" path="/exception"/>
    public KernelVfs OpenVfs() => KernelVfs.Open(KernelView);

    /// <summary>The caches of small objects: which one an address is of.</summary>
    /// <exception cref="MissingInformationException">The kernel's types or its memmap are not there.</exception>
    public SlabCaches OpenSlabs() => Memmap is { } memmap && PageLayout is { } layout
        ? SlabCaches.Open(KernelView, memmap, layout, Coverage.Extents.Except(Pmem.Pages))
        : throw new MissingInformationException($"{Name}: {ClassificationProblem}");

    /// <summary>What addresses are.</summary>
    /// <exception cref="MissingInformationException">The kernel's memory is not there.</exception>
    public AddressFinder OpenAddresses()
    {
        SlabCaches? slabs = null;
        try
        {
            slabs = OpenSlabs();
        }
        catch (MissingInformationException)
        {
            // Whatever is asked for of them is a problem then.
        }

        return AddressFinder.Open(KernelView, Memmap, PageLayout, slabs);
    }

    /// <summary>The stacks of the tasks.</summary>
    /// <inheritdoc cref="KernelStacks.Load" path="/exception"/>
    public KernelStacks LoadStacks() => KernelStacks.Load(KernelView);

    /// <summary>Opens a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">Options; null for none.</param>
    /// <exception cref="FileAccessException">The file cannot be opened or read.</exception>
    /// <exception cref="DumpFormatException">The file is of no known format, or damaged beyond use.</exception>
    /// <exception cref="MissingInformationException">The vmlinux of <paramref name="options"/> is of another kernel.</exception>
    public static CrashDump Open(string path, CrashDumpOptions? options = null) => Open([path], options);

    /// <summary>Opens a dump of one or more files: the parts of a split kdump-compressed dump, in any order.</summary>
    /// <param name="paths">The files.</param>
    /// <param name="options">Options; null for none.</param>
    /// <exception cref="FileAccessException">A file cannot be opened or read, or is named twice.</exception>
    /// <exception cref="DumpFormatException">A file is of no known format, or they are not parts of one dump.</exception>
    /// <exception cref="MissingInformationException">The vmlinux of <paramref name="options"/> is of another kernel.</exception>
    public static CrashDump Open(IReadOnlyList<string> paths, CrashDumpOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        options ??= new();
        return new(DumpFile.Open(paths, options), options);
    }

    /// <summary>Opens a source; the dump owns it from then on.</summary>
    /// <param name="source">The bytes of the file.</param>
    /// <param name="options">Options; null for none.</param>
    /// <exception cref="DumpFormatException">The source is of no known format, or damaged beyond use.</exception>
    /// <exception cref="MissingInformationException">The vmlinux of <paramref name="options"/> is of another kernel.</exception>
    public static CrashDump Open(IByteSource source, CrashDumpOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        options ??= new();
        return new(DumpFile.Open(source, options), options);
    }
}
