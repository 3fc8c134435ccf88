namespace Vmcore.Findings;

/// <summary>What a <see cref="Finding"/> says. Addresses, offsets and lengths are in bytes; ranges are half-open.</summary>
public enum FindingCode
{
    /// <summary>A flattened stream has no end record. Parameters: file.</summary>
    StreamTruncated,

    /// <summary>Of a split dump only some parts were given. Parameters: file, a text with the pfns that they have, one past
    /// the last pfn of the dump.</summary>
    PartsMissing,

    /// <summary>The file became shorter while it was read. Parameters: file.</summary>
    FileShrank,

    /// <summary>The dump is marked incomplete, or was cut short. Parameters: file.</summary>
    Incomplete,

    /// <summary>Pages that the dump should have are not in its file. Parameters: file.</summary>
    PagesOutsideFile,

    /// <summary>Pages could not be read when the dump was written. Parameters: a sentence with their number and pfns.</summary>
    PagesUnreadable,

    /// <summary>A PT_LOAD lies where no memory can be, and is ignored.
    /// Parameters: file, which program header or range of an image (text), physical address, bytes.</summary>
    SegmentImpossible,

    /// <summary>PT_LOADs have more memory without content than is believed.
    /// Parameters: file, which program header or range of an image (text), bytes, most bytes of all.</summary>
    SegmentTooLarge,

    /// <summary>A PT_LOAD goes beyond the end of the file.
    /// Parameters: file, which program header or range of an image (text), offset, bytes, length of the file.</summary>
    SegmentTruncated,

    /// <summary>PT_LOADs give the same bytes of the file several addresses. Parameters: file, bytes that are not read.</summary>
    SegmentsShareBytes,

    /// <summary>A PT_NOTE lies beyond the end of the file. Parameters: file, offset, length of the file.</summary>
    NotesOutsideFile,

    /// <summary>There are more notes than are read. Parameters: file, offset of the PT_NOTE, most notes.</summary>
    NotesTooMany,

    /// <summary>A PT_NOTE goes beyond the end of the file. Parameters: file, offset, bytes that can be read, bytes.</summary>
    NotesTruncated,

    /// <summary>A PT_NOTE is damaged. Parameters: file, offset, a clause that says how.</summary>
    NotesDamaged,

    /// <summary>The notes of a kdump-compressed file are damaged. Parameters: file, a clause that says how.</summary>
    KdumpNotesDamaged,

    /// <summary>A note holds the dump of a device, and is stepped over. Parameters: file, name, type, offset, bytes.</summary>
    NoteSteppedOver,

    /// <summary>The file has more faults than are listed. Parameters: file, number of those left out.</summary>
    MoreOfTheFile,

    /// <summary>vmcoreinfo is longer than is read. Parameters: file, bytes, bytes that are read.</summary>
    VmcoreInfoTooLong,

    /// <summary>vmcoreinfo names a page size that the architecture does not have. Parameters: file, bytes, architecture, the sizes that it has.</summary>
    PageSizeImpossible,

    /// <summary>Where the kernel of a given description ran cannot be found in the memory. Parameters: file, a clause that says why.</summary>
    KernelNotLocated,

    /// <summary>The kernel's memory cannot be found, or is not what vmcoreinfo says. Parameters: file, a clause that says why.</summary>
    KernelDoubtful,

    /// <summary>A range of an image of RAM is neither RAM nor pmem of the kernel, and is left out. Parameters: file, physical address, its end.</summary>
    ImageNotMemory,

    /// <summary>Memory of the kernel is not in the image. Parameters: file, bytes.</summary>
    ImageLacksMemory,

    /// <summary>The search for the kernel's vmcoreinfo in memory ended at a limit: another kernel may describe itself behind it. Parameters: file, notes that
    /// were tried.</summary>
    KernelSearchEnded,

    /// <summary>The dump is one of a Xen hypervisor: machine frames are taken for the kernel's own, and what is read may be wrong. Parameters: file.</summary>
    XenDump,

    /// <summary>Pages cannot be told apart, so that none can be left out. Parameters: a sentence that says why.</summary>
    PagesNotClassified,

    /// <summary>Damage, or a page that is not in the dump, cut the kernel's resource tree short. Parameters: a clause that says where and why.</summary>
    ResourcesCutShort,

    /// <summary>Whether an address is of a slab, and of which cache, cannot be told. Parameters: virtual address, a clause that says why.</summary>
    SlabUnknown,

    /// <summary>Whether an object of a slab is in use cannot be told. Parameters: virtual address, a clause that says why.</summary>
    SlabStateUnknown,

    /// <summary>Slab caches, slabs, or whether objects are in use, cannot be told, or not all. Parameters: a clause that says what and why.</summary>
    SlabsIncomplete,

    /// <summary>Messages of the kernel's log cannot be read. Parameters: messages.</summary>
    LogUnreadable,

    /// <summary>The kernel's log is not as a kernel leaves it. Parameters: a sentence that says where and why.</summary>
    LogDamaged,

    /// <summary>Since when the kernel's log is cleared cannot be told, and all of it is shown. Parameters: a sentence that says why.</summary>
    LogClearUnknown,

    /// <summary>Tasks, or something that is told of them, are missing. Parameters: a clause that says what and why.</summary>
    TasksIncomplete,

    /// <summary>Mappings of processes are missing. Parameters: a clause that says what and why.</summary>
    MappingsIncomplete,

    /// <summary>What leads to the file systems or the mounts is not there. Parameters: a clause that says what and why.</summary>
    FilesNotFound,

    /// <summary>A list or tree of file systems, mounts, inodes or pages is not whole. Parameters: a clause that says which and why.</summary>
    FilesListBroken,

    /// <summary>A file system, mount or inode cannot be read. Parameters: a clause that says which.</summary>
    FilesUnreadable,

    /// <summary>Names of files or mount points are not in the dump. Parameters: a clause that says of which.</summary>
    FilesNameless,

    /// <summary>Some of the state of the machine cannot be found out. Parameters: a clause that says what and why.</summary>
    CrashStateUnknown,

    /// <summary>What the kernel died of cannot be told. Parameters: a clause that says why.</summary>
    CrashCauseUnknown,

    /// <summary>Where the kernel died is what the log says of it: the stack is not in the dump. Parameters: a clause that says why.</summary>
    CrashPathFromLog,

    /// <summary>The log and the registers do not agree on where the kernel died. Parameters: function in the log, function of the registers.</summary>
    CrashLogDisagrees,

    /// <summary>The signature of the crash may lack parts, or have wrong ones. Parameters: a clause that says why.</summary>
    SignaturePartial,

    /// <summary>The kernel's memory cannot be found. Parameters: a sentence that says why.</summary>
    KernelNotFound,

    /// <summary>There are no symbols. Parameters: a clause that says why.</summary>
    SymbolsMissing,

    /// <summary>There are no types, or not all. Parameters: a clause that says why.</summary>
    TypesMissing,

    /// <summary>Tasks cannot be looked for. Parameters: a sentence that says why.</summary>
    TasksMissing,

    /// <summary>There are no registers of a CPU. Parameters: a clause that says why.</summary>
    RegistersMissing,

    /// <summary>A stack is not whole. Parameters: a clause that says what ended it.</summary>
    StackIncomplete,

    /// <summary>Modules are missing. Parameters: a clause that says why.</summary>
    ModulesIncomplete,

    /// <summary>What modules use a module cannot be told. Parameters: a clause that says why.</summary>
    ModuleUsersUnknown,

    /// <summary>Symbols of a module are missing. Parameters: name of the module.</summary>
    ModuleSymbolsMissing,

    /// <summary>Symbols of all modules are missing. No parameters.</summary>
    AllModuleSymbolsMissing,

    /// <summary>Messages of the log, or pieces of some, are lost. Parameters: number.</summary>
    LogMessagesLost,

    /// <summary>When the machine was started is not known: times count from there. No parameters.</summary>
    LogTimesRelative,

    /// <summary>A value, or the types of it, are larger than any of a kernel: part of it is shown. No parameters.</summary>
    ValueTooLarge,

    /// <summary>Types are larger than any of a kernel: part of them is shown. No parameters.</summary>
    TypesTooLarge,

    /// <summary>Bytes cannot be read. Parameters: number of them, bytes asked for, a clause that says why.</summary>
    BytesUnreadable,

    /// <summary>The end of a string cannot be read. Parameters: address where it goes on, a clause that says why.</summary>
    StringUnreadable,

    /// <summary>What a page was cannot be found out, or not all. Parameters: a sentence that says what and why.</summary>
    PageUnknown,

    /// <summary>An info block on pmem is not valid. Parameters: physical address, a clause that says why.</summary>
    PmemInfoBlockInvalid,

    /// <summary>Two info blocks claim the same memory; this one is taken for a stale one. Parameters: physical address of the namespace that it
    /// describes, range that it claims, physical address of the other.</summary>
    PmemInfoBlockStale,

    /// <summary>Only an info block says that there is pmem. Parameters: its physical address, the range.</summary>
    PmemByInfoBlock,

    /// <summary>A PT_LOAD is flagged as device memory where the kernel names no pmem. Parameters: pfns.</summary>
    PmemOnlyFlagged,

    /// <summary>The memmap cannot be found, so that all pmem is left out. No parameters.</summary>
    PmemMemmapNotFound,

    /// <summary>Page tables of the memmap are not in the dump. Parameters: number.</summary>
    PmemTablesMissing,

    /// <summary>The page tables of the memmap have more entries than is believed. Parameters: most entries.</summary>
    PmemTablesTooMany,

    /// <summary>The memmap is in more pieces than is believed. Parameters: most pieces.</summary>
    PmemTablesFragmented,

    /// <summary>vmcoreinfo does not describe the kernel's list of memmaps. No parameters.</summary>
    PmemListUnusable,

    /// <summary>The head of the kernel's list of memmaps cannot be read. Parameters: virtual address.</summary>
    PmemListUnreadable,

    /// <summary>An entry of the kernel's list of memmaps cannot be read. Parameters: number of the entry, virtual address.</summary>
    PmemListBroken,

    /// <summary>The kernel's list of memmaps does not come back to its head. Parameters: virtual address that it comes back to, number of entries.</summary>
    PmemListCyclic,

    /// <summary>An entry of the kernel's list of memmaps names no range. Parameters: virtual address, pfns.</summary>
    PmemListNoRange,

    /// <summary>Live memmap is not in the kernel's list. Parameters: pfns.</summary>
    PmemNotListed,

    /// <summary>An info block and the kernel's list do not agree on the memmap. Parameters: physical address of the namespace, pfns that the block
    /// reserves, what the list has.</summary>
    PmemListDiffers,

    /// <summary>The kernel's list names a memmap where no namespace is. Parameters: pfns.</summary>
    PmemListedElsewhere,

    /// <summary>Live memmap is not where the info block says. Parameters: pfns, physical address of the namespace, pfns that the block reserves.</summary>
    PmemMemmapOutside,

    /// <summary>Metadata of a namespace is not in the dump. Parameters: namespace, range, pages that are missing, pages.</summary>
    PmemMetadataMissing,

    /// <summary>The memmap of a namespace was written anew after the crash. Parameters: namespace, range.</summary>
    PmemMemmapOverwritten,

    /// <summary>There are more findings on pmem than are listed. Parameters: number of those left out.</summary>
    MoreOfPmem,

    /// <summary>Who uses pmem cannot be found out. Parameters: a sentence that says why.</summary>
    UsageUnknown,

    /// <summary>Files and processes that use pmem cannot be named. Parameters: a clause that says why.</summary>
    UsageWithoutNames,

    /// <summary>The struct pages of a namespace cannot be trusted. Parameters: namespace, range, a sentence that says why.</summary>
    UsageDamaged,

    /// <summary>Some of what uses pmem cannot be found out. Parameters: a clause that says what and why.</summary>
    UsageIncomplete,

    /// <summary>Page tables of processes that map pmem are not in the dump; they are asked where struct pages are not known. Parameters: page tables.</summary>
    UsageTablesMissing,

    /// <summary>The page tables of processes that map pmem are larger than is walked; they are asked where struct pages are not known. No parameters.</summary>
    UsageTablesTooLarge,

    /// <summary>Processes map pmem more often than is listed. Parameters: most mappings.</summary>
    UsageTooMuch,

    /// <summary>Counters of the memory in use are missing, or not exact. Parameters: a clause that says which and why.</summary>
    MemoryCountersIncomplete,

    /// <summary>A section of the report is missing, or something of it. Parameters: the section, a clause or sentence that says what and why.</summary>
    SectionIncomplete,

    /// <summary>How long tasks had been in their state cannot be told. Parameters: a clause that says why.</summary>
    TaskTimesUnknown,

    /// <summary>A task waited for a lock by its stack, and which one cannot be proven. Parameters: a clause that says why.</summary>
    LocksUnproven,

    /// <summary>What was on a CPU's run queue cannot be told, or not all. Parameters: a clause that says what and why.</summary>
    RunQueueIncomplete,

    /// <summary>Names or addresses of symbols are not in the dump; an address that may be of one of them has no name. Parameters: a clause that says
    /// how many and why.</summary>
    SymbolsIncomplete,

    /// <summary>What an address is cannot be told, or not all. Parameters: a clause that says what and why.</summary>
    AddressIncomplete,

    /// <summary>Disks, or I/O that they had to do, cannot be told, or not all. Parameters: a clause that says what and why.</summary>
    BlockIncomplete,

    /// <summary>Workqueues, or what they had to do, cannot be told, or not all. Parameters: a clause that says what and why.</summary>
    WorkqueuesIncomplete,

    /// <summary>No slab cache has a name that was asked for. Parameters: the name, words that say where not all caches could be read (may be empty).</summary>
    SlabCacheNotFound,

    /// <summary>No symbol has a name that was asked for. Parameters: the name.</summary>
    SymbolNotFound,

    /// <summary>Code is not in the dump. Parameters: bytes, function, a clause that says why.</summary>
    CodeMissing,

    /// <summary>An instruction does not begin where one was said to. Parameters: the address, function.</summary>
    CodeMisaligned,

    /// <summary>Where instructions begin could not be followed from the function's start. Parameters: function, address from which they were read.</summary>
    CodeNotFromStart,

    /// <summary>A function is longer than is shown. Parameters: function, bytes.</summary>
    CodeCutShort,

    /// <summary>Where a function ends is not known. Parameters: function, bytes that were read.</summary>
    CodeEndUnknown,

    /// <summary>Files and lines of the source cannot be told. Parameters: a clause that says why.</summary>
    SourceLinesMissing,

    /// <summary>An expression, or one of its values, cannot be calculated. Parameters: a clause that names the part and says why.</summary>
    ExpressionFailed,

    /// <summary>Memory of processes that was asked for is not in the dump. Parameters: a clause that says which and why.</summary>
    ProcessMemoryMissing,

    /// <summary>Where pmem has bad blocks cannot be told, or not all. Parameters: a clause that says what and why.</summary>
    PmemBadBlocksIncomplete,
}
