namespace Vmcore.Opening;

/// <summary>What kind of file a dump is.</summary>
public enum DumpFormat
{
    /// <summary>ELF core file: raw, or filtered with makedumpfile -E.</summary>
    Elf,

    /// <summary>kdump-compressed (diskdump).</summary>
    Kdump,

    /// <summary>Images of RAM without a header: the operator says where each lies.</summary>
    Raw,

    /// <summary>What LiME writes, and AVML without compression: RAM with its addresses.</summary>
    Lime,
}
