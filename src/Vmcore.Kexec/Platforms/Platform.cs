using System.Runtime.InteropServices;
using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>
/// An architecture as the loader knows it: the one place for all that differs between two of them. A platform is one object in one folder
/// below <c>Platforms/</c>, and no code elsewhere names an architecture, an address of its kernel, or a size of its pages.
/// </summary>
/// <remarks>
/// <para>The recipe for the next one, a folder <c>Platforms/NAME</c> with a class that derives from this one, named in <see cref="All"/>:</para>
/// <list type="number">
/// <item>To be known: <see cref="Machine"/> (utsname and <c>/proc/sys/kernel/arch</c>), <see cref="ProcessArchitecture"/>, <see cref="ElfMachine"/> and
/// <see cref="SystemCalls"/> (the kernel's <c>unistd.h</c>), <see cref="PageShifts"/>. <c>KEXEC_ARCH_*</c> is the ELF machine
/// (<c>include/uapi/linux/kexec.h</c>).</item>
/// <item>To take kernels: <see cref="TryParseKernel"/>, a class that derives from <see cref="KernelImage"/>, and their name for people in
/// <see cref="KernelFormats"/> and <see cref="KernelTypes"/>. What is compressed or inside a unified kernel image is unpacked before,
/// in <see cref="KernelFile"/>.</item>
/// <item>To describe the crashed kernel: <see cref="FindText"/> and <see cref="FindPageOffset"/> out of /proc/kcore, <see cref="LeftOut"/> for RAM that
/// belongs into no dump, <see cref="Altmap"/> for how its kernel lays a memmap out on pmem.</item>
/// <item>To boot the capture kernel: what the firmware left (<see cref="ReadFirmware"/>), where the kernel goes (<see cref="PlaceKernel"/>), and
/// what it is handed (<see cref="PrepareBoot"/>: boot parameters or device tree, memory map, words for its command line).</item>
/// <item>To get there: <see cref="BuildStub"/>, machine code that verifies the segments and enters the kernel. It is made by an assembler
/// of the platform's own, and its tests run it.</item>
/// <item>To keep pmem untouched: <see cref="PmemFinders"/>. To say how much memory is enough: <see cref="BounceBuffers"/>.</item>
/// <item>Last: tests over a captured tree, <c>docs/kexec.md</c> and the support matrix.</item>
/// </list>
/// </remarks>
public abstract class Platform
{
    /// <summary>All platforms.</summary>
    public static IReadOnlyList<Platform> All { get; } = [new X86_64Platform(), new Arm64Platform()];

    /// <summary>Name of the machine in utsname and in <c>/proc/sys/kernel/arch</c>, for example <c>x86_64</c>.</summary>
    public abstract string Machine { get; }

    /// <summary>Name for people, for example <c>x86-64</c>.</summary>
    public abstract string Title { get; }

    /// <summary>What .NET calls a process on it.</summary>
    public abstract Architecture ProcessArchitecture { get; }

    /// <summary>e_machine of the ELF core header.</summary>
    public abstract ushort ElfMachine { get; }

    /// <summary>KEXEC_ARCH_* in the flags of kexec_load.</summary>
    public ulong LoadFlags => (ulong)ElfMachine << 16;

    /// <summary>Numbers of the system calls.</summary>
    public abstract SystemCallNumbers SystemCalls { get; }

    /// <summary>Base-2 logarithms of the page sizes that its kernels may have.</summary>
    public abstract IReadOnlyList<int> PageShifts { get; }

    /// <summary>What every segment's place and length is a multiple of, in bytes, whatever the page sizes of both kernels.</summary>
    public abstract ulong SegmentAlignment { get; }

    /// <summary>The kernels that can be loaded, with an article, for messages: <c>a bzImage</c>.</summary>
    public abstract string KernelFormats { get; }

    /// <summary>Values of --type that name such a kernel.</summary>
    public abstract IReadOnlyList<string> KernelTypes { get; }

    /// <summary>Initcalls of the drivers that find pmem, besides those that bind namespaces; unknown ones do no harm.</summary>
    public abstract IReadOnlyList<string> PmemFinders { get; }

    /// <summary>The platform whose name in utsname this is; null if there is none.</summary>
    public static Platform? Of(string machine) => All.FirstOrDefault(p => p.Machine == machine);

    /// <summary>The platform of a system.</summary>
    /// <exception cref="KexecException">There is none for it.</exception>
    public static Platform Of(RunningSystem system) => Of(system.Machine) ?? throw Unsupported(system.Machine);

    /// <summary>The error for a machine that no platform is for.</summary>
    internal static KexecException Unsupported(string machine) =>
        new($"Kernels for {machine} cannot be loaded: this kexec is for {string.Join(" and ", All.Select(static p => p.Title))}.", 1);

    /// <summary>True if this may be the beginning of a kernel of this platform.</summary>
    /// <param name="head">The first kilobytes.</param>
    internal abstract bool BeginsLikeKernel(ReadOnlySpan<byte> head);

    /// <summary>Reads a kernel image that is neither compressed nor wrapped.</summary>
    /// <param name="file">Its file, for messages.</param>
    /// <param name="content">The image.</param>
    /// <param name="wrapping">How it lay in the file.</param>
    /// <param name="initrd">The initramfs that lay beside it; empty if there was none.</param>
    /// <returns>Null if it is no kernel of this platform.</returns>
    /// <exception cref="KexecException">It is one, but cannot be loaded.</exception>
    public abstract KernelImage? TryParseKernel(string file, ReadOnlyMemory<byte> content, KernelWrapping wrapping, ReadOnlyMemory<byte> initrd);

    /// <summary>Reads what the firmware left for a kernel: boot parameters, device tree, EFI.</summary>
    /// <param name="root">The system.</param>
    /// <param name="commandLine">The running kernel's command line.</param>
    internal abstract FirmwareState ReadFirmware(SystemRoot root, string commandLine);

    /// <summary>True if /proc/kcore alone tells where the kernel's text is, so that /proc/kallsyms need not be read.</summary>
    internal abstract bool IsTextTold(Iomem iomem, KcoreLayout kcore);

    /// <summary>Where the running kernel lies; null if the sources do not say.</summary>
    /// <param name="iomem">The map of physical addresses.</param>
    /// <param name="symbols">Addresses of <c>_text</c>, <c>_stext</c> and <c>_end</c> as far as they are known.</param>
    /// <param name="kcore">/proc/kcore.</param>
    /// <param name="pageSize">The running kernel's, in bytes.</param>
    internal abstract KernelTextRange? FindText(Iomem iomem, IReadOnlyDictionary<string, ulong> symbols, KcoreLayout kcore, ulong pageSize);

    /// <summary>Virtual address of physical address 0 in the direct map (modulo 2^64: it may be outside); null if it is not to be seen.</summary>
    internal abstract ulong? FindPageOffset(KcoreLayout kcore);

    /// <summary>The same for a kernel that does not tell it.</summary>
    internal abstract ulong DefaultPageOffset { get; }

    /// <summary>Bytes that the running kernel puts in front of the command line of kexec_file_load: where the ELF core header is. 0 if it says that
    /// elsewhere.</summary>
    public abstract int FileLoadPrefix { get; }

    /// <summary>How the running kernel lays out a memmap on pmem; null if that is not known.</summary>
    internal abstract AltmapRules? Altmap(RunningSystem system);

    /// <summary>System RAM that the ELF core header does not describe, besides the crash kernel's, in bytes.</summary>
    internal abstract IEnumerable<PhysicalRange> LeftOut(Iomem iomem);

    /// <summary>Memory of the crashed kernel that the capture kernel is given to work in, in bytes: the stub copies it away before, and the dump has the copy.
    /// None on most.</summary>
    internal virtual IReadOnlyList<PhysicalRange> CopiedAway(RunningSystem system) => [];

    /// <summary>The region that the segments go to.</summary>
    /// <param name="regions">The regions of crashkernel=, ascending, at least one.</param>
    internal abstract PhysicalRange ChooseRegion(IReadOnlyList<PhysicalRange> regions);

    /// <summary>Places the kernel near the region's start, behind a gap for the control pages of the crashed kernel.</summary>
    /// <param name="region">The region, or the part of it that may be used.</param>
    /// <param name="kernel">The kernel, of this platform.</param>
    /// <returns>Where it goes, whole pages. The end may be outside of the region.</returns>
    /// <exception cref="KexecException">It cannot run there.</exception>
    internal abstract PhysicalRange PlaceKernel(PhysicalRange region, KernelImage kernel);

    /// <summary>Prepares what the capture kernel is handed.</summary>
    internal abstract BootData PrepareBoot(BootRequest request);

    /// <summary>Assembles the code that runs between the crashed kernel and the capture kernel.</summary>
    internal abstract CrashStub BuildStub(StubRequest request);

    /// <summary>The serial line on which the stub reports damaged memory.</summary>
    /// <param name="value">The value of --serial; null if it was not given.</param>
    /// <param name="firmware">What the firmware says of the machine.</param>
    /// <exception cref="KexecException">There is no such port.</exception>
    internal abstract StubConsole FindConsole(string? value, FirmwareState firmware);

    /// <summary>Words that any capture kernel of this platform should have, unless the line has them already.</summary>
    /// <param name="words">The command line's words so far.</param>
    internal abstract IEnumerable<string> CaptureWords(IReadOnlyList<string> words);

    /// <summary>Bounce buffers (swiotlb) that the capture kernel sets aside, in bytes.</summary>
    /// <param name="words">Its command line.</param>
    /// <param name="regions">Its memory.</param>
    /// <param name="possibleEnd">End of what the firmware says may be memory; 0 if it does not say.</param>
    internal abstract ulong BounceBuffers(IReadOnlyList<string> words, IReadOnlyList<PhysicalRange> regions, ulong possibleEnd);
}

/// <summary>Numbers of system calls that the C library has no functions for.</summary>
/// <param name="Load">kexec_load(2).</param>
/// <param name="FileLoad">kexec_file_load(2).</param>
/// <param name="LoadModule">finit_module(2).</param>
public readonly record struct SystemCallNumbers(int Load, int FileLoad, int LoadModule);
