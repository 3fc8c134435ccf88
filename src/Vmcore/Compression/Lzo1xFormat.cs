namespace Vmcore.Compression;

/// <summary>
/// The numbers of the LZO1X stream. A stream is a row of instructions, each a match (copy bytes from the output written so far)
/// or a run of literals. The two low bits of a match's offset field announce 0 to 3 literals that follow the match; what a first
/// byte below 16 means depends on how many literals came just before it (the state: 0, 1 to 3, or 4 for a longer run).
/// </summary>
/// <remarks>
/// First bytes: <c>1LLDDDSS</c> and <c>01LDDDSS</c> + 1 byte: length 3..8, distance 1..2048 (M2). <c>001LLLLL</c> + 2 bytes: distance
/// 1..16384 (M3). <c>0001HLLL</c> + 2 bytes: distance 16385..49151 (M4); distance 16384 is the end. <c>0000LLLL</c>: in state 0 a run
/// of 4 or more literals; in states 1..3 <c>0000DDSS</c> + 1 byte: length 2, distance 1..1024; in state 4 the same with length 3,
/// distance 2049..3072 (M1). A length field of 0 is continued: each zero byte adds 255, the first other byte its value.
/// The first byte of a stream, if above 17, is a run of (byte - 17) literals.
/// </remarks>
internal static class Lzo1xFormat
{
    public const int M2MaxLength = 8;
    public const int M2MaxDistance = 0x800;
    public const int M3Marker = 0x20;
    public const int M3MaxShortLength = 33;
    public const int M3MaxDistance = 0x4000;
    public const int M4Marker = 0x10;
    public const int M4MaxShortLength = 9;
    public const int M4MaxDistance = 0xbfff;

    /// <summary>Longest run that follows a match without an instruction of its own.</summary>
    public const int MaxTrailingLiterals = 3;

    /// <summary>Longest literal run whose instruction is one byte.</summary>
    public const int MaxShortRun = 18;

    /// <summary>What the first byte adds to the length of a literal run.</summary>
    public const int FirstRunBase = 17;

    /// <summary>Longest literal run that the first byte of a stream can hold.</summary>
    public const int MaxFirstRun = 255 - FirstRunBase;

    /// <summary>Length of the end marker 0x11 0x00 0x00.</summary>
    public const int EndMarkerLength = 3;
}
