namespace Vmcore.Memory;

/// <summary>Says in words what a read met.</summary>
public static class MemoryStatusText
{
    /// <summary>A clause for the operator.</summary>
    /// <param name="status">What the read met.</param>
    public static string Of(MemoryStatus status) => status switch
    {
        MemoryStatus.Ok => "readable",
        MemoryStatus.Excluded => "left out of this dump",
        MemoryStatus.Hole => "no memory there that the dump knows of",
        MemoryStatus.Unreadable => "the file is damaged or truncated there",
        MemoryStatus.PartMissing => "in a part of the split dump that was not given",
        MemoryStatus.NotMapped => "not mapped",
        MemoryStatus.UserData => "user data on pmem, which is never shown",
        MemoryStatus.Freed => "memory of the kernel's start (init), which was freed when it had started: what is there now is not its value",
        _ => "a page table on the way is not in the dump",
    };
}
