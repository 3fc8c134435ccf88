namespace Vmcore.Opening;

/// <summary>What kind of file a dump is.</summary>
public enum DumpFormat
{
    /// <summary>ELF core file: raw, or filtered with makedumpfile -E.</summary>
    Elf,

    /// <summary>kdump-compressed (diskdump).</summary>
    Kdump,
}
