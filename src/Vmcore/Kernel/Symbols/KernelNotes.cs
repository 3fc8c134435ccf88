using Vmcore.Formats.Elf;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;

namespace Vmcore.Kernel.Symbols;

/// <summary>The notes of the kernel's image, which lie in its memory too (<c>/sys/kernel/notes</c>, kernel/ksysfs.c).</summary>
internal static class KernelNotes
{
    /// <summary>Reads the build id (note NT_GNU_BUILD_ID).</summary>
    /// <param name="kernel">The kernel.</param>
    /// <returns>Lower-case hexadecimal digits; null if the kernel does not say where its notes are, or they cannot be read.</returns>
    internal static string? TryReadBuildId(CrashedKernel kernel)
    {
        IVirtualMemory memory = kernel.Memory;
        if (KernelSymbols.TryFindSome(kernel.VmcoreInfo, memory, ["__start_notes", "__stop_notes"]) is not [{ } start, { } stop]
            || stop <= start || stop - start > (ulong)memory.Limits.ObjectNoteBytes)
            return null;
        byte[] area = new byte[stop - start];
        return memory.Read(start, area) == MemoryStatus.Ok ? ElfNotes.FindBuildId(area) : null;
    }
}
