namespace Vmcore.IO;

// What the kernel's memory leads to: lists, trees, tables and names.
public sealed partial class ReadLimits
{
    /// <summary>Bytes of vmcoreinfo that are parsed; kernels write a page or two. The rest is left out, with a word on it.</summary>
    public int VmcoreInfoBytes { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Notes in the machine's memory that are tried as its vmcoreinfo: those of kernels before, and of files, lie there too.</summary>
    public int VmcoreInfoCandidates { get; init => field = Positive(value); } = 256;

    /// <summary>Places in memory that are tried as those of the kernel that a vmlinux describes.</summary>
    public int KernelCandidates { get; init => field = Positive(value); } = 64;

    /// <summary>Runs of mapped memory in the addresses of the kernel's image.</summary>
    public int ImageRuns { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>The same where only page tables say how far the image goes.</summary>
    public int LinearRuns { get; init => field = Positive(value); } = 1 << 14;

    /// <summary>Bytes from the kernel's text that may belong to its image, .bss included.</summary>
    public ulong ImageBytes { get; init => field = Positive(value); } = 512UL << 20;

    /// <summary>Symbols of the kernel (kallsyms); a count above is damage, and there are none.</summary>
    public int Symbols { get; init => field = Positive(value); } = 2_000_000;

    /// <summary>Bytes of their names, packed.</summary>
    public int SymbolNamesBytes { get; init => field = Positive(value); } = 32 << 20;

    /// <summary>Symbols that are taken from a vmlinux.</summary>
    public int VmlinuxSymbols { get; init => field = Positive(value); } = 4_000_000;

    /// <summary>CPUs: CONFIG_NR_CPUS of no architecture goes further.</summary>
    public int Cpus { get; init => field = Positive(value); } = 8192;

    /// <summary>Modules of the list; the rest is left out, with a word on it.</summary>
    public int Modules { get; init => field = Positive(value); } = 10_000;

    /// <summary>Modules that use one module.</summary>
    public int ModuleUsers { get; init => field = Positive(value); } = 1_000;

    /// <summary>Bytes of one part of a module's memory; a larger one is left out.</summary>
    public ulong ModuleBytes { get; init => field = Positive(value); } = 1UL << 30;

    /// <summary>Symbols of one module.</summary>
    public int ModuleSymbols { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Pieces of generated code of each list: BPF programs and trampolines, slots of ftrace and kprobes.</summary>
    public int CodePieces { get; init => field = Positive(value); } = 100_000;

    /// <summary>Bytes of one such piece; a larger one is left out.</summary>
    public ulong CodePieceBytes { get; init => field = Positive(value); } = 16UL << 20;

    /// <summary>Bytes of one function that are decoded; of a longer one the rest is left out, with a word on it.</summary>
    public int FunctionBytes { get; init => field = Positive(value); } = 128 << 10;

    /// <summary>Bytes that are decoded behind an address in a function whose end is not known; it is said that there may be more.</summary>
    public int EndlessFunctionBytes { get; init => field = Positive(value); } = 4096;

    /// <summary>Processes of the list; the rest is left out, with a word on it.</summary>
    public int Processes { get; init => field = Positive(value); } = 4 << 20;

    /// <summary>Threads of one process; the same.</summary>
    public int Threads { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Tasks that wait for one lock; a list with more proves nothing.</summary>
    public int LockWaiters { get; init => field = Positive(value); } = 1 << 18;

    /// <summary>Tasks of one queue of a CPU's run queue; the rest is left out, with a word on it.</summary>
    public int QueuedTasks { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Mappings of one process; the same.</summary>
    public int ProcessMappings { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Bytes of a process's command line, or of its environment: ARG_MAX is a quarter of the stack's limit. A longer one is not told.</summary>
    public int ArgumentBytes { get; init => field = Positive(value); } = 8 << 20;

    /// <summary>Descriptors of one process: the table goes further on no machine.</summary>
    public ulong FileDescriptors { get; init => field = Positive(value); } = 1UL << 24;

    /// <summary>Frames of one stack; what comes after is not told, and the stack is marked as broken off.</summary>
    public int StackFrames { get; init => field = Positive(value); } = 512;

    /// <summary>Addresses of code on one stack that are listed where it can only be scanned.</summary>
    public int ScannedFrames { get; init => field = Positive(value); } = 256;

    /// <summary>Words of a stack that are looked through for the caller of a wild or null address.</summary>
    public ulong StackWords { get; init => field = Positive(value); } = 512;

    /// <summary>Bytes of one stack; what says to be larger is none.</summary>
    public ulong StackBytes { get; init => field = Positive(value); } = 1UL << 20;

    /// <summary>Bytes of a CPU's note in memory (crash_notes); a longer one is damaged.</summary>
    public int StatusNoteBytes { get; init => field = Positive(value); } = 4096;

    /// <summary>Entries of an unwind table (ORC); those beyond are not looked at.</summary>
    public int OrcEntries { get; init => field = Positive(value); } = 8 << 20;

    /// <summary>Bytes of one line of a log that is plain text; a longer one is cut in two.</summary>
    public int LogLineBytes { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>log2 of the records of the log's ring. A text is at least as long as its id; the kernel gives each record 32 bytes on average.</summary>
    public int LogDescriptorBits { get; init => field = Positive(value); } = 26;

    /// <summary>Bytes of the structures that describe the log's ring.</summary>
    public int LogStructureBytes { get; init => field = Positive(value); } = 4096;

    /// <summary>Nodes of the resource tree; the rest is left out, with a word on it.</summary>
    public int Resources { get; init => field = Positive(value); } = 65536;

    /// <summary>Its depth; the same.</summary>
    public int ResourceDepth { get; init => field = Positive(value); } = 64;

    /// <summary>Bytes of the name of a resource or a slab cache; what is longer has none.</summary>
    public int NameBytes { get; init => field = Positive(value); } = 256;

    /// <summary>Bytes of one slab object; a cache with larger ones is not believed.</summary>
    public uint SlabObjectBytes { get; init => field = Positive(value); } = 1U << 22;

    /// <summary>Slab caches; the rest is left out, with a word on it.</summary>
    public int SlabCaches { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>CPUs of all caches whose lists of free objects are read, and slabs on these lists; of the caches beyond nothing is told.</summary>
    public int CpuSlabs { get; init => field = Positive(value); } = 1 << 22;

    /// <summary>Areas of vmalloc; those beyond are not looked at, with a word on it.</summary>
    public int VmallocAreas { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Lists that they are in (6.9 and later): one for some CPUs; more are damage.</summary>
    public int VmallocNodes { get; init => field = Positive(value); } = 8192;

    /// <summary>Lists of chunks of per-CPU memory; more are damage.</summary>
    public int PerCpuLists { get; init => field = Positive(value); } = 256;

    /// <summary>Chunks of one of these lists; those beyond are not looked at, with a word on it.</summary>
    public int PerCpuChunks { get; init => field = Positive(value); } = 5_000;

    /// <summary>Tags of requests that one map has (BLK_MQ_MAX_DEPTH is 10,240); with more it is damaged.</summary>
    public int BlockTags { get; init => field = Positive(value); } = 1 << 17;

    /// <summary>Tags of all disks that are looked at, and hardware queues; the rest is left out, with a word on it.</summary>
    public int BlockLooks { get; init => field = Positive(value); } = 1 << 21;

    /// <summary>Pools of workers; the rest is left out, with a word on it.</summary>
    public int WorkerPools { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Workers of all pools, and parts of all workqueues; the same.</summary>
    public int Workers { get; init => field = Positive(value); } = 1 << 18;

    /// <summary>Workqueues; the same.</summary>
    public int Workqueues { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Pieces of work that wait, of all pools; the same.</summary>
    public int PendingWorks { get; init => field = Positive(value); } = 1 << 18;

    /// <summary>Nodes of memory (NUMA); CONFIG_NODES_SHIFT of no architecture goes further. The rest is left out.</summary>
    public int MemoryNodes { get; init => field = Positive(value); } = 1024;

    /// <summary>Counters of memory that a zone or a node has; the rest is left out.</summary>
    public int Counters { get; init => field = Positive(value); } = 1024;

    /// <summary>Nodes of a maple tree (mappings of a process); the walk ends there, and says so.</summary>
    public int MapleNodes { get; init => field = Positive(value); } = 1 << 18;

    /// <summary>Its depth; a deeper one is damaged.</summary>
    public int MapleDepth { get; init => field = Positive(value); } = 32;

    /// <summary>Nodes of an xarray (pages of a file); the walk ends there, and says so.</summary>
    public int XArrayNodes { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Names of a path: PATH_MAX is 4096 bytes, and each takes two at least. A deeper one is not told.</summary>
    public int PathDepth { get; init => field = Positive(value); } = 2048;

    /// <summary>Super blocks; the rest is left out, with a word on it.</summary>
    public int SuperBlocks { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Inodes of one file system; the same.</summary>
    public int Inodes { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Names of one inode that are looked at: those of hard links that were looked up.</summary>
    public int InodeNames { get; init => field = Positive(value); } = 64;

    /// <summary>Bytes of the name of a file system's type; a longer one is unknown.</summary>
    public int FileSystemNameBytes { get; init => field = Positive(value); } = 64;

    /// <summary>Mounts of one namespace; the rest is left out, with a word on it.</summary>
    public int Mounts { get; init => field = Positive(value); } = 1 << 17;

    /// <summary>Mounts on mounts; the path of one deeper is unknown.</summary>
    public int MountDepth { get; init => field = Positive(value); } = 1024;

    /// <summary>Bytes of the name of what is mounted; with a longer one it is <c>none</c>.</summary>
    public int DeviceNameBytes { get; init => field = Positive(value); } = 4096;

    /// <summary>Files of a file system on pmem that are looked at for whether it is mounted with dax.</summary>
    public int FilesAskedForDax { get; init => field = Positive(value); } = 4096;

    /// <summary>Sections of the memory model that are looked at for whether there is any.</summary>
    public int SectionsAsked { get; init => field = Positive(value); } = 1 << 19;

    /// <summary>Page tables that are written among the first pages of a dump: 64 MiB of them. The others come with the rest.</summary>
    public int WorthTables { get; init => field = Positive(value); } = 1 << 14;

    /// <summary>Runs of neighbouring pages of one area among them.</summary>
    public int WorthRuns { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Tasks whose structures and stacks are among them.</summary>
    public int WorthTasks { get; init => field = Positive(value); } = 1 << 17;

    /// <summary>Pages without content that are believed to exist where there is no memmap to ask: the bits of 1 TiB in pages of 4 KiB take 32 MiB.</summary>
    public ulong BelievedPages { get; init => field = Positive(value); } = 1UL << 28;
}
