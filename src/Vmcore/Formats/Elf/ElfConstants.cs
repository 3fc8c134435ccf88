namespace Vmcore.Formats.Elf;

/// <summary>Numbers of the ELF-64 format that core files use (System V gABI, and what kdump adds).</summary>
internal static class ElfConstants
{
    internal const int HeaderSize = 64;
    internal const int ProgramHeaderSize = 56;
    internal const int SectionHeaderSize = 64;
    internal const ushort TypeCore = 4;
    internal const uint LoadSegment = 1;
    internal const uint NoteSegment = 4;

    /// <summary>e_phnum value that says: the real count is sh_info of section header 0.</summary>
    internal const ushort ExtendedNumbering = 0xffff;

    /// <summary>e_flags bit that makedumpfile sets on a dump that was cut short.</summary>
    internal const uint FlagIncomplete = 1;

    internal const uint NotePrStatus = 1;
}

/// <summary>The machine an ELF file is for (e_machine).</summary>
public enum ElfMachine
{
    /// <summary>Not given.</summary>
    None = 0,

    /// <summary>32-bit x86.</summary>
    I386 = 3,

    /// <summary>64-bit PowerPC.</summary>
    Ppc64 = 21,

    /// <summary>IBM S/390.</summary>
    S390 = 22,

    /// <summary>64-bit x86.</summary>
    X86_64 = 62,

    /// <summary>64-bit Arm.</summary>
    AArch64 = 183,

    /// <summary>RISC-V.</summary>
    RiscV = 243,

    /// <summary>LoongArch.</summary>
    LoongArch = 258,
}
