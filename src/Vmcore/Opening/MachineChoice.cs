using Vmcore.Architectures;
using Vmcore.Formats.Elf;
using Vmcore.Kernel.Identity;
using Vmcore.Memory;

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
        Architecture chosen = said ?? proven ?? throw NotRead(file, offset, field, name);
        RequireLittleEndian(file, offset, field, chosen.Name, chosen.ByteOrder);
        return chosen;
    }

    /// <summary>
    /// The one place that decides which byte orders are read. Every architecture that Vmcore knows is little-endian, and headers, notes, struct pages and
    /// values are read so without asking again; whoever adds one that is not has to go through them (docs/design.md, Byte order).
    /// </summary>
    /// <param name="file">Name of the file.</param>
    /// <param name="offset">Where it names its machine.</param>
    /// <param name="field">What does.</param>
    /// <param name="name">The machine.</param>
    /// <param name="order">Its byte order.</param>
    /// <exception cref="DumpFormatException">It is not little-endian.</exception>
    internal static void RequireLittleEndian(string file, long offset, string field, string name, ByteOrder order)
    {
        if (order != ByteOrder.LittleEndian)
            throw new DumpFormatException(file, offset, field, $"{name}, a big-endian machine", "a little-endian one");
    }

    private static DumpFormatException NotRead(string file, long offset, string field, string name) =>
        new(file, offset, field, $"{name}, an architecture that is not read", $"one of {string.Join(", ", Architecture.All.Select(a => a.Name))}");
}
