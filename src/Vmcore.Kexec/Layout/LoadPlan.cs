using Vmcore.Ranges;

namespace Vmcore.Kexec;

/// <summary>A piece of the crash kernel in physical memory.</summary>
/// <param name="Name"><c>kernel</c>, <c>initrd</c>, <c>elfcorehdr</c>, <c>stub</c>, <c>backup</c> for what the stub copies away, or what the
/// platform hands over: <c>boot_params</c>, <c>dtb</c>.</param>
/// <param name="Data">Its content; the memory behind it is zero.</param>
/// <param name="Memory">Where it goes, in bytes; whole pages.</param>
/// <param name="VerifiedLength">Bytes from its start that the stub verifies after the crash; 0 for none.</param>
/// <remarks>
/// Verified are the pages with content, and the zeros that fill the last one. The memory behind them is the kernel's to work in: it clears
/// there what it needs clear, so that its content tells nothing.
/// </remarks>
public sealed record Segment(string Name, ReadOnlyMemory<byte> Data, PhysicalRange Memory, ulong VerifiedLength)
{
    /// <summary>True if the stub verifies it.</summary>
    public bool IsVerified => VerifiedLength > 0;

    /// <summary>What the stub verifies, in bytes; empty if it verifies nothing of it.</summary>
    public PhysicalRange Verified => new(Memory.Start, Memory.Start + VerifiedLength);
}

/// <summary>What kexec_load is given.</summary>
public sealed record LoadLayout
{
    /// <summary>The reserved region that it goes to.</summary>
    public required PhysicalRange Region { get; init; }

    /// <summary>The running kernel's page size in bytes.</summary>
    public required ulong PageSize { get; init; }

    /// <summary>The segments.</summary>
    public required IReadOnlyList<Segment> Segments { get; init; }

    /// <summary>Physical address at which the crashed kernel jumps into the stub.</summary>
    public required ulong Entry { get; init; }

    /// <summary>Program headers of the ELF core header.</summary>
    public required IReadOnlyList<ProgramHeader> Headers { get; init; }

    /// <summary>Memory map of the capture kernel.</summary>
    public required IReadOnlyList<MemoryMapEntry> Memory { get; init; }

    /// <summary>The command line.</summary>
    public required CaptureCommandLine CommandLine { get; init; }

    /// <summary>SHA-256 that the stub expects, in hexadecimal; empty if it verifies nothing.</summary>
    public required string Digest { get; init; }

    /// <summary>True if the capture kernel goes on with the firmware's runtime services.</summary>
    public required bool HandsEfiOver { get; init; }

    /// <summary>True if the kernel may update the ELF core header on hotplug.</summary>
    public required bool AllowsHotplug { get; init; }

    /// <summary>Refuses what the kernel would refuse only after it has dropped the crash kernel loaded before, or not at all.</summary>
    /// <exception cref="KexecException">A rule is broken.</exception>
    public void Validate()
    {
        ulong end = 0;
        foreach (Segment segment in Segments.OrderBy(static s => s.Memory.Start))
        {
            string? fault = segment.Memory.IsEmpty ? "is empty"
                : ((segment.Memory.Start | segment.Memory.End) & (PageSize - 1)) != 0 ? "is not page aligned"
                : (ulong)segment.Data.Length > segment.Memory.Length ? "is longer than its memory"
                : segment.Memory.Start < end ? "overlaps another"
                : segment.Memory.Start < Region.Start || segment.Memory.End > Region.End ? "lies outside the crash kernel's region"
                : null;
            if (fault is not null)
                throw new KexecException($"The segment {segment.Name} {segment.Memory} {fault}: please report this with /proc/iomem and the options.");
            end = segment.Memory.End;
        }

        if (Segments.Count > 16 || !Segments.Any(s => s.Memory.Contains(Entry)))
            throw new KexecException("The segments are too many, or the entry lies in none of them: please report this with /proc/iomem and the options.");
    }
}

/// <summary>All that is decided before the one system call.</summary>
public sealed record LoadPlan
{
    /// <summary>The system.</summary>
    public required RunningSystem System { get; init; }

    /// <summary>The capture kernel.</summary>
    public required KernelImage Kernel { get; init; }

    /// <summary>Its initramfs; empty if there is none.</summary>
    public required ReadOnlyMemory<byte> Initrd { get; init; }

    /// <summary>What the operator asked for; <see cref="LoadOptions.Pmem"/> is what the running kernel's parameter says where that is left open.</summary>
    public required LoadOptions Options { get; init; }

    /// <summary>Which system calls, and why.</summary>
    public required SyscallChoice Choice { get; init; }

    /// <summary>System calls to try, in this order: <see cref="LoadSyscall.Load"/> and <see cref="LoadSyscall.FileLoad"/>.</summary>
    public IReadOnlyList<LoadSyscall> Order => Choice.Order;

    /// <summary>For kexec_load; null if only kexec_file_load is to be tried.</summary>
    public LoadLayout? Layout { get; init; }

    /// <summary>Command line for kexec_file_load, whose kernel puts elfcorehdr= in front; null if only kexec_load is to be tried.</summary>
    public CaptureCommandLine? FileCommandLine { get; init; }

    /// <summary>What the operator should know, whichever call does it.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>What the operator should know if kexec_file_load does it.</summary>
    public IReadOnlyList<string> FileWarnings => SyscallChoice.Warnings(Choice.LostByFileLoad);

    /// <summary>What the operator should know if kexec_load does it.</summary>
    public IReadOnlyList<string> LoadWarnings => SyscallChoice.Warnings(Choice.LostByLoad);

    /// <summary>Memory that the capture kernel should have, and that it has.</summary>
    public required MemoryNeed Memory { get; init; }
}
