namespace Vmcore.Kernel.Processes;

/// <summary>A range of a process's virtual memory (<c>struct vm_area_struct</c>).</summary>
/// <param name="Address">Virtual address of the structure.</param>
/// <param name="Start">First virtual address.</param>
/// <param name="End">One past the last.</param>
/// <param name="Flags">VM_* flags.</param>
/// <param name="File">Virtual address of the struct file that is mapped; 0 if none is.</param>
/// <param name="Offset">Where in the file it begins, in bytes; 0 without a file.</param>
public sealed record MemoryArea(ulong Address, ulong Start, ulong End, ulong Flags, ulong File, ulong Offset)
{
    /// <summary>Permissions as /proc/PID/maps shows them, for example <c>rw-s</c>.</summary>
    public string Permissions => new FileMapping(Start, End, Flags, File, 0).Permissions;

    /// <summary>What the kernel calls an area without a file: <c>[heap]</c>, <c>[stack]</c>, <c>[vdso]</c> …; null if it has no name.</summary>
    public string? Name { get; init; }
}
