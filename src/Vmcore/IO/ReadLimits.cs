using System.Runtime.CompilerServices;

namespace Vmcore.IO;

/// <summary>
/// The bounds on what an input may ask for. Nothing that a dump, a vmlinux, a file of BTF or a manifest says is trusted: a count, a size or a chain that goes
/// beyond its bound is damage, and ends what would follow it, with a word on it. The defaults are above anything that real kernels have, and low enough
/// that a damaged or hostile file costs seconds and some ten megabytes, on a capture kernel's small machine too.
/// </summary>
/// <remarks>Immutable: one object may be given to any number of dumps, and to several threads at once. Properties count in the unit that they name.</remarks>
public sealed partial class ReadLimits
{
    /// <summary>The bounds that are used where none are given.</summary>
    public static ReadLimits Default { get; } = new();

    /// <summary>Members, elements and parameters that one answer about types or values looks at, over all its parts. A type that holds itself has any
    /// number of them; the largest variables of real kernels have some hundred thousand.</summary>
    public int AnswerVisits { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Characters of one answer about types or values.</summary>
    public int AnswerCharacters { get; init => field = Positive(value); } = 16 << 20;

    /// <summary>Structs, unions, arrays and declarators inside each other.</summary>
    public int TypeDepth { get; init => field = Positive(value); } = 32;

    /// <summary>Bytes that a struct, a union or a number may say to have.</summary>
    public int TypeBytes { get; init => field = Positive(value); } = 1 << 26;

    /// <summary>Bytes of one variable that is read.</summary>
    public int ObjectBytes { get; init => field = Positive(value); } = 16 << 20;

    /// <summary>Bytes of a string that a pointer leads to.</summary>
    public int StringBytes { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Bytes of BTF, of the kernel or of a module.</summary>
    public int BtfBytes { get; init => field = Positive(value); } = 32 << 20;

    /// <summary>Bytes of memory for the types that were looked at of one BTF: each is made when it is first asked for.</summary>
    public int TypeMemory { get; init => field = Positive(value); } = 96 << 20;

    /// <summary>Bytes of one line of a file of commands (vmcore exec); a longer one is no command.</summary>
    public int CommandBytes { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Notes (registers of each CPU, vmcoreinfo, device dumps): two for each of 100,000 CPUs, and room.</summary>
    public int Notes { get; init => field = Positive(value); } = 1 << 18;

    /// <summary>Bytes of a note's name; a note with a longer one is stepped over.</summary>
    public int NoteNameBytes { get; init => field = Positive(value); } = 256;

    /// <summary>Bytes of a note that is held; a larger one is stepped over.</summary>
    public int HeldNoteBytes { get; init => field = Positive(value); } = 16 << 20;

    /// <summary>Bytes of all notes that are held: enough for 100,000 CPUs. Those of more than 1 MiB get half of it.</summary>
    public int HeldNotesBytes { get; init => field = Positive(value); } = 40 << 20;

    /// <summary>Program headers of a core file; no machine has a hundredth of that.</summary>
    public int Segments { get; init => field = Positive(value); } = 1 << 19;

    /// <summary>Bytes of memory without content, over all PT_LOADs: 32 TiB, whose bitmap takes 1 GiB. More would fill a disk out of an empty file.</summary>
    public ulong AbsentBytes { get; init => field = Positive(value); } = 1UL << 45;

    /// <summary>Bytes of all note sections of a vmlinux or module that are looked through for its build id.</summary>
    public int ObjectNoteBytes { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Sections of a vmlinux or module; a module built with a section a function has some thousands.</summary>
    public int Sections { get; init => field = Positive(value); } = 1 << 18;

    /// <summary>Bytes that compressed debug sections of one file may have when unpacked, besides <see cref="UnpackedRatio"/>
    /// times what they take packed.</summary>
    public int UnpackedBytes { get; init => field = Positive(value); } = 64 << 20;

    /// <summary>What compressed debug sections may grow by, over all of them: debug information of kernels does by 3 to 6.</summary>
    public int UnpackedRatio { get; init => field = Positive(value); } = 16;

    /// <summary>Bytes of abbreviations (.debug_abbrev) that are parsed, besides 16 times the section: each unit may name a table of its own.</summary>
    public int AbbreviationBytes { get; init => field = Positive(value); } = 64 << 20;

    private static int Positive(int value, [CallerMemberName] string name = "")
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value, name);
        return value;
    }

    private static uint Positive(uint value, [CallerMemberName] string name = "")
    {
        ArgumentOutOfRangeException.ThrowIfZero(value, name);
        return value;
    }

    private static long Positive(long value, [CallerMemberName] string name = "")
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value, name);
        return value;
    }

    private static ulong Positive(ulong value, [CallerMemberName] string name = "")
    {
        ArgumentOutOfRangeException.ThrowIfZero(value, name);
        return value;
    }
}
