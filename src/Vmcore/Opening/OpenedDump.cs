using System.Text;
using Vmcore.Architectures;
using Vmcore.Erasing;
using Vmcore.Findings;
using Vmcore.Formats.Elf;
using Vmcore.Formats.Kdump;
using Vmcore.IO;
using Vmcore.Kernel;
using Vmcore.Kernel.Identity;
using Vmcore.Memmap;
using Vmcore.Memory;
using Vmcore.Pmem;
using Vmcore.Ranges;

namespace Vmcore.Opening;

/// <summary>
/// A dump that is open: its file, the machine's memory in it, the kernel, the memmap and the pmem. A filtered dump and a raw one look alike from here on.
/// Whoever writes, checks or draws dumps takes this; <see cref="CrashDump"/> is how one is opened.
/// </summary>
public abstract class OpenedDump : IDisposable
{
    private readonly DumpFile _file;
    private readonly DumpKernel _kernel;
    private readonly CrashDumpOptions _options;
    private readonly Lazy<PmemLayout> _pmem;
    private readonly Lazy<CrashMemory> _written;
    private readonly Lazy<CrashMemory> _unerased;
    private readonly Lazy<CrashedKernel?> _unerasedKernel;
    private readonly Lazy<MemmapReader?> _memmap;
    private readonly Lazy<PoisonedPages?> _poisoned;
    private Lazy<KernelView> _view;
    private CrashMemory? _erasedContent;
    private CrashMemory? _erased;
    private CrashedKernel? _erasedKernel;

    /// <summary>Finds the kernel of a file, which belongs to the dump from then on; it is closed if that fails.</summary>
    /// <param name="file">The file.</param>
    /// <param name="options">How it is opened.</param>
    private protected OpenedDump(DumpFile file, CrashDumpOptions options)
    {
        _file = file;
        _options = options;
        try
        {
            _kernel = DumpKernel.Find(file, options);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        Coverage = new(file.Unfiltered);
        _pmem = new(() => PmemSearch.Find(_file, _kernel, _options.PmemRanges));
        _written = new(() => Pmem.Unwritten.Count == 0 ? Unfiltered : new MaskedMemory(Unfiltered, Pmem.Unwritten));
        _unerased = new(() => WithoutUserData(_written.Value));
        _unerasedKernel = new(() => ReferenceEquals(_unerased.Value, Unfiltered) ? _kernel.Unfiltered : _kernel.Unfiltered?.Over(_unerased.Value));
        _memmap = new(() => ClassificationProblem is null && _unerasedKernel.Value is { } kernel
            ? MemmapReader.TryOpen(kernel, Coverage.PageShift, out _) : null);
        _poisoned = new(() => PoisonedPages.Find(KernelView, Memmap, PageLayout, WithStructs()));
        _view = new(CreateView);
    }

    /// <summary>The file's name as the user gave it.</summary>
    public string Name => _file.Name;

    /// <summary>The names of the files: of a split dump all, in the order of their pages.</summary>
    public IReadOnlyList<string> Files => Kdump is { } kdump ? [.. kdump.Parts.Select(static p => p.Source.Name)] : [Name];

    /// <summary>The bounds on what the file may ask for.</summary>
    public ReadLimits Limits => _options.Limits;

    /// <summary>The file's format.</summary>
    public DumpFormat Format => _file.Format;

    /// <summary>True if the file is a flattened stream.</summary>
    public bool IsFlattened => _file.IsFlattened;

    /// <summary>True if the file is mapped, as only <c>/proc/vmcore</c> is; false if it is read.</summary>
    public bool IsMapped => _file.Source is MappedSource { IsMapped: true };

    /// <summary>
    /// True for a dump that Xen's hypervisor had taken: its notes beside those of the control domain say so. Frames are the machine's there, and the
    /// domain's page tables name them; what is read as the kernel's may be another domain's.
    /// </summary>
    public bool IsXen => Notes.Any(static n => n.Name is "Xen" or "VMCOREINFO_XEN");

    /// <summary>True if the file says that it was cut short, is shorter than its headers
    /// say, or has become shorter while it was read (<see cref="HasShrunk"/>).</summary>
    public bool IsIncomplete => _file.IsIncomplete;

    /// <summary>True once a read found that a file has become shorter after it was opened: what was there is gone.</summary>
    public bool HasShrunk => _file.HasShrunk;

    /// <summary>What is wrong with the file without keeping it from being read; one sentence each.</summary>
    public IReadOnlyList<Finding> Problems => _file.Problems;

    /// <summary>
    /// The machine's physical memory: all of it that may be shown. User data of pmem reads as if a filter had left it out, what the kernel never wrote of a
    /// memmap on pmem as zero, and what rules erase as erased. Which pages the file has beyond that says <see cref="Coverage"/>.
    /// </summary>
    public CrashMemory Memory => _erased ?? _unerased.Value;

    /// <summary>Which pages the file has, those included that <see cref="Memory"/> does not show.</summary>
    public PageCoverage Coverage { get; }

    /// <summary>The architecture of the machine that the dump is of.</summary>
    public Architecture Architecture => _file.Architecture;

    /// <summary>The PT_LOADs of an ELF file, in file order; empty for other formats.</summary>
    public IReadOnlyList<ElfSegment> Loads => _file.Loads;

    /// <summary>The bytes of all notes but the largest (<see cref="ReadLimits.HeldNoteBytes"/>).</summary>
    public ReadOnlyMemory<byte> NoteArea => _file.NoteArea;

    /// <summary>The notes in <see cref="NoteArea"/>.</summary>
    public IReadOnlyList<ElfNote> Notes => _file.Notes;

    /// <summary>vmcoreinfo; null if the dump has none and none was given.</summary>
    public VmcoreInfo? VmcoreInfo => _kernel.VmcoreInfo;

    /// <summary>The kernel over <see cref="Memory"/>; null if its address space cannot be found (see <see cref="ClassificationProblem"/>).</summary>
    public CrashedKernel? Kernel => _erasedKernel ?? _unerasedKernel.Value;

    /// <summary>What the kernel says of itself: symbols, types, tasks … All of it is read through <see cref="Memory"/>, when it is first asked for.</summary>
    public KernelView KernelView => _view.Value;

    /// <summary>The memmap; null if it cannot be found (see <see cref="ClassificationProblem"/>).</summary>
    public MemmapReader? Memmap => _memmap.Value;

    /// <summary>The layout of struct page; null if vmcoreinfo does not give it.</summary>
    public StructPageLayout? PageLayout => _kernel.PageLayout;

    /// <summary>Why pages cannot be classified: the <see cref="Kernel"/> or its <see cref="Memmap"/> cannot be found; null if they can.</summary>
    public Finding? ClassificationProblem => _kernel.Problem;

    /// <summary>The pmem. Looked for when first asked for.</summary>
    public PmemLayout Pmem => _pmem.Value;

    /// <summary>The pages that failed (PG_hwpoison), of RAM and of pmem; null if the dump does not tell. Looked for when first asked for.</summary>
    public PoisonedPages? Poisoned => _poisoned.Value;

    /// <summary>What rules erase; null if none were applied.</summary>
    public ErasedData? Erased { get; private set; }

    /// <summary>What was erased from the machine's memory, before this dump was written and now: one line each. Empty if nothing was.</summary>
    public string EraseInfo => (Kdump?.EraseInfo ?? EraseInfoNote()) + Erased?.Text;

    /// <summary>The bytes of the file, of a split dump those of the first one given; of a flattened stream those of the file that it describes.</summary>
    internal IByteSource Source => _file.Source;

    /// <summary>The kdump-compressed file; null for other formats. It belongs to the dump.</summary>
    public KdumpFile? Kdump => _file.Kdump;

    /// <summary>The ELF file; null for other formats.</summary>
    internal ElfCoreFile? Elf => _file.Elf;

    /// <summary>What is missing of the dump, as far as that has come to light: a reason for whatever else cannot be read. Null if nothing has.</summary>
    public Finding? Loss => _file.Loss;

    /// <summary>
    /// <see cref="Loss"/>, if memory was asked for that the file should have and does not: nobody knows what an answer would be with it. Null if all that was
    /// asked for until now is there, or was left out by a filter.
    /// </summary>
    public Finding? LossMet => _file.LossMet;

    /// <summary>
    /// The machine's memory with all that the file has of it, USER DATA OF PMEM INCLUDED, with nothing erased. For the check that no such data is in a dump,
    /// and for whoever looks for copies of what is erased; no byte of it may be shown or written.
    /// </summary>
    internal CrashMemory Unfiltered => _file.Unfiltered;

    /// <summary>What pages are copied from into a dump: <see cref="Memory"/>, or the same with user data of pmem, if the operator asked for that.</summary>
    /// <param name="withUserData">True to copy user data of pmem too.</param>
    internal CrashMemory CopySource(bool withUserData) => withUserData ? _erasedContent ?? _written.Value : Memory;

    /// <summary>Lets data read as erased from now on, for whoever writes or shows this dump. To be called before anything is.</summary>
    /// <param name="data">What to erase.</param>
    public void Erase(ErasedData data)
    {
        ArgumentNullException.ThrowIfNull(data);
        Erased = data;
        _erasedContent = data.IsEmpty ? null : new ErasedMemory(_written.Value, data);
        _erased = _erasedContent is null ? null : WithoutUserData(_erasedContent);
        _erasedKernel = _erased is null ? null : _unerasedKernel.Value?.OverErased(_erased);
        _view = new(CreateView);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _kernel.Dispose();
        _file.Dispose();
        GC.SuppressFinalize(this);
    }

    private CrashMemory WithoutUserData(CrashMemory memory) => Pmem.UserData.IsEmpty ? memory : new WithoutPages(memory, Pmem.UserData);

    // Of a memmap that another kernel has written since, nothing is of the crash.
    private PfnRangeSet WithStructs() => Coverage.Extents.Except(Pmem.Pages).Union(PfnRangeSet.From(Pmem.Namespaces
        .Where(n => n is { StructPages: > 0, State: not MemmapState.Overwritten }).Select(n => n.DataPages(Coverage.PageShift))));

    private KernelView CreateView() => new(new()
    {
        Name = Name,
        Memory = Memory,
        Kernel = Kernel,
        KernelProblem = ClassificationProblem,
        VmcoreInfo = VmcoreInfo,
        Loads = Loads,
        NoteArea = NoteArea,
        Notes = Notes,
        Vmlinux = _kernel.Vmlinux,
        BtfFile = _options.BtfFile,
    });

    private string EraseInfoNote()
    {
        foreach (ElfNote note in Notes)
        {
            if (note.Name == ErasedData.NoteName)
                return Encoding.Latin1.GetString(note.Descriptor(NoteArea.Span)).TrimEnd('\0');
        }

        return "";
    }
}
