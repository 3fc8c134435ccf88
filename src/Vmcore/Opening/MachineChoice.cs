using Vmcore.Architectures;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Identity;

namespace Vmcore.Opening;

/// <summary>Decides of which architecture a dump is. There is no default: a wrong one would give wrong answers, and show what must not be shown.</summary>
internal static class MachineChoice
{
    /// <summary>The architecture of an ELF core file.</summary>
    /// <param name="file">Name of the file.</param>
    /// <param name="machine">e_machine.</param>
    /// <param name="info">vmcoreinfo; null if there is none.</param>
    /// <exception cref="DumpFormatException">The architecture is not read, or vmcoreinfo is of another.</exception>
    internal static Architecture OfElf(string file, ElfMachine machine, VmcoreInfo? info)
    {
        const int Offset = 18;
        const string Field = "ELF header e_machine";
        string name = Enum.IsDefined(machine) ? $"{machine.ToString().ToLowerInvariant()} ({(int)machine})" : $"{(int)machine}";
        Architecture? said = Architecture.Of(machine, "");
        return said is null && machine != ElfMachine.None ? throw NotRead(file, Offset, Field, name) : Agree(file, Offset, Field, name, said, info);
    }

    /// <summary>The architecture of a kdump-compressed file.</summary>
    /// <param name="file">Name of the file.</param>
    /// <param name="name">The machine's name in the header.</param>
    /// <param name="info">vmcoreinfo; null if there is none.</param>
    /// <exception cref="DumpFormatException">The architecture is not read, or nothing says which it is.</exception>
    internal static Architecture OfKdump(string file, string name, VmcoreInfo? info)
    {
        const int Offset = 272;
        const string Field = "kdump utsname.machine";
        Architecture? said = Architecture.Of(ElfMachine.None, name);
        return said is null && Architecture.IsName(name) ? throw NotRead(file, Offset, Field, name)
            : Agree(file, Offset, Field, name.Length == 0 ? "no name" : $"'{name}'", said, info);
    }

    private static Architecture Agree(string file, long offset, string field, string name, Architecture? said, VmcoreInfo? info)
    {
        Architecture? proven = info is null ? null : Architecture.ProvenBy(info);
        if (said is not null && proven is not null && said != proven)
            throw new DumpFormatException(file, offset, field, name, $"{proven.Name}, of whose kernels vmcoreinfo is");
        return said ?? proven ?? throw NotRead(file, offset, field, name);
    }

    private static DumpFormatException NotRead(string file, long offset, string field, string name) =>
        new(file, offset, field, $"{name}, an architecture that is not read", $"one of {string.Join(", ", Architecture.All.Select(a => a.Name))}");
}
