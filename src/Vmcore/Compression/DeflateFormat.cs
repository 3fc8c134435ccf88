namespace Vmcore.Compression;

/// <summary>The numbers of the DEFLATE format (RFC 1951) that an encoder needs.</summary>
internal static class DeflateFormat
{
    /// <summary>Symbols for literals, the end of a block and lengths.</summary>
    public const int LiteralSymbols = 286;

    /// <summary>Symbols for distances.</summary>
    public const int DistanceSymbols = 30;

    /// <summary>Symbols for the lengths of the codes of the other two.</summary>
    public const int LengthSymbols = 19;

    public const int EndOfBlock = 256;
    public const int FirstLength = 257;
    public const int MaxMatch = 258;

    /// <summary>Longest code of <see cref="LengthSymbols"/> in bits.</summary>
    public const int MaxPreCode = 7;

    /// <summary>The length symbols in the order in which a block gives their codes' lengths.</summary>
    public static ReadOnlySpan<byte> PreCodeOrder => [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

    /// <summary>Extra bits of each length symbol.</summary>
    public static ReadOnlySpan<byte> LengthExtra => [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];

    /// <summary>Shortest length of each length symbol.</summary>
    public static ReadOnlySpan<ushort> LengthBase =>
        [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];

    /// <summary>The length symbol, less <see cref="FirstLength"/>, of each match length.</summary>
    public static byte[] LengthSlots { get; } = MakeLengthSlots();

    /// <summary>Extra bits of a distance symbol.</summary>
    public static int DistanceExtra(int symbol) => symbol < 4 ? 0 : (symbol >> 1) - 1;

    private static byte[] MakeLengthSlots()
    {
        byte[] slots = new byte[MaxMatch + 1];
        for (int symbol = 0; symbol < LengthBase.Length; symbol++)
        {
            for (int i = 0; i < 1 << LengthExtra[symbol] && LengthBase[symbol] + i <= MaxMatch; i++)
                slots[LengthBase[symbol] + i] = (byte)symbol;
        }

        return slots;
    }
}
