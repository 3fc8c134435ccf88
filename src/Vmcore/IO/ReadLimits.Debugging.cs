namespace Vmcore.IO;

// Debug information, types and what is asked of them. (Bytes of BTF and of types stand with the first properties.)
public sealed partial class ReadLimits
{
    /// <summary>Compilation units of a file; with more its debug information is damaged.</summary>
    public int DwarfUnits { get; init => field = Positive(value); } = 4 << 20;

    /// <summary>Names of types and variables of all units; a distribution's kernel has about 400,000. With more the debug information is damaged.</summary>
    public int DwarfItems { get; init => field = Positive(value); } = 8 << 20;

    /// <summary>Types or variables of one name that are remembered; others are as if they were not there.</summary>
    public int DwarfNamesakes { get; init => field = Positive(value); } = 16;

    /// <summary>Attributes of one abbreviation; one with more is damaged.</summary>
    public int DwarfAttributes { get; init => field = Positive(value); } = 256;

    /// <summary>Bytes of a name in debug information; a longer one is not found.</summary>
    public int DwarfNameBytes { get; init => field = Positive(value); } = 4096;

    /// <summary>Steps from a declaration or a signature to its definition: one, but damage could lead in a circle.</summary>
    public int DwarfReferences { get; init => field = Positive(value); } = 8;

    /// <summary>Members of a struct, enumerators of an enum, dimensions of an array that are looked at.</summary>
    public int DwarfChildren { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Types of debug information that are kept; with more the cache is emptied, or the next are made anew.</summary>
    public int CachedTypes { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Elements of an array, over all dimensions; the length of one with more is unknown.</summary>
    public long ArrayElements { get; init => field = Positive(value); } = 1L << 40;

    /// <summary>Dimensions of an array; inner ones beyond are left out.</summary>
    public int ArrayDimensions { get; init => field = Positive(value); } = 16;

    /// <summary>Bytes of the head of a line table, where the names of source files are.</summary>
    public int LineHeaderBytes { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Folders, and source files, of one line table.</summary>
    public int LineFileNames { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Typedefs and qualifiers in a row, arrays in arrays, that are followed to the type that they stand for.</summary>
    public int TypeAliases { get; init => field = Positive(value); } = 32;

    /// <summary>Nameless structs in structs in which a member is looked for.</summary>
    public int MemberDepth { get; init => field = Positive(value); } = 16;

    /// <summary>Byte offset of a member of a kernel structure that is believed; one further in counts as missing.</summary>
    public int MemberOffset { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Types of one name that are looked at; real kernels have a handful at most.</summary>
    public int Namesakes { get; init => field = Positive(value); } = 64;

    /// <summary>Parts of the C name of one type. A pointer to a function of many parameters, which are such pointers again, still has some ten. The rest
    /// is <c>…</c>.</summary>
    public int NameParts { get; init => field = Positive(value); } = 4000;

    /// <summary>Stars, words, qualifiers and bounds in the name of a type that is asked for; with more the name is refused.</summary>
    public int TypeNameParts { get; init => field = Positive(value); } = 32;

    /// <summary>Nameless structs in structs that are declared where they stand; those within are <c>{ … }</c>.</summary>
    public int DeclarationDepth { get; init => field = Positive(value); } = 12;

    /// <summary>Characters of an expression; a longer one is refused.</summary>
    public int ExpressionCharacters { get; init => field = Positive(value); } = 4096;

    /// <summary>Parentheses, casts and operators inside each other in an expression; a deeper one is refused.</summary>
    public int ExpressionDepth { get; init => field = Positive(value); } = 64;

    /// <summary>Elements of an array in the kernel's memory that are gone through one by one; an array with more is an error.</summary>
    public int ObjectElements { get; init => field = Positive(value); } = 16 << 20;

    /// <summary>Bytes of addresses that are looked through for BTF where no symbol says where it is; a longer range is no kernel's image.</summary>
    public ulong BtfScanBytes { get; init => field = Positive(value); } = 2UL << 30;

    /// <summary>Places in them that look as if BTF began there: each costs a read, and a kernel has a handful.</summary>
    public int BtfCandidates { get; init => field = Positive(value); } = 1 << 16;

    /// <summary>Bytes of one module's BTF; a module with more has none.</summary>
    public int ModuleBtfBytes { get; init => field = Positive(value); } = 16 << 20;

    /// <summary>Bytes of one line table; a unit with a larger one has no lines.</summary>
    public int LineTableBytes { get; init => field = Positive(value); } = 64 << 20;

    /// <summary>Rows of one line table; the same.</summary>
    public int LineRows { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Ranges of addresses: of all units, of the functions of one, and of one entry. What is beyond has no lines.</summary>
    public int DwarfRanges { get; init => field = Positive(value); } = 1 << 20;

    /// <summary>Functions that are inlined into each other at one address; those beyond are left out.</summary>
    public int InlinedCalls { get; init => field = Positive(value); } = 64;
}
