using System.Runtime.InteropServices;

namespace Vmcore.Tests.Compression;

/// <summary>The reference implementation, as the distribution ships it.</summary>
internal static unsafe partial class LzoReference
{
    private const string Library = "liblzo2.so.2";
    private const int WorkMemory = 1 << 20;

    static LzoReference()
    {
        // A size of -1 says not to check it.
        if (Init(1, -1, -1, -1, -1, -1, -1, -1, -1, -1) != 0)
            throw new InvalidOperationException("liblzo2 does not start.");
    }

    public static byte[] Compress(ReadOnlySpan<byte> data, bool best)
    {
        var output = new byte[data.Length + (data.Length / 16) + 67];
        var work = new byte[WorkMemory];
        nuint length = (nuint)output.Length;
        fixed (byte* input = &MemoryMarshal.GetReference(data), target = output, memory = work)
        {
            int result = best
                ? Compress999(input, (nuint)data.Length, target, &length, memory)
                : Compress1(input, (nuint)data.Length, target, &length, memory);
            Assert.Equal(0, result);
        }

        return output[..(int)length];
    }

    /// <summary>Decompresses; true if the block gives exactly the page's length.</summary>
    public static bool TryDecompress(ReadOnlySpan<byte> block, Span<byte> page)
    {
        nuint length = (nuint)page.Length;
        fixed (byte* input = &MemoryMarshal.GetReference(block), output = &MemoryMarshal.GetReference(page))
            return DecompressSafe(input, (nuint)block.Length, output, &length, null) == 0 && length == (nuint)page.Length;
    }

    [LibraryImport(Library, EntryPoint = "__lzo_init_v2")]
    private static partial int Init(uint version, int a, int b, int c, int d, int e, int f, int g, int h, int i);

    [LibraryImport(Library, EntryPoint = "lzo1x_1_compress")]
    private static partial int Compress1(byte* input, nuint inputLength, byte* output, nuint* outputLength, byte* work);

    [LibraryImport(Library, EntryPoint = "lzo1x_999_compress")]
    private static partial int Compress999(byte* input, nuint inputLength, byte* output, nuint* outputLength, byte* work);

    [LibraryImport(Library, EntryPoint = "lzo1x_decompress_safe")]
    private static partial int DecompressSafe(byte* input, nuint inputLength, byte* output, nuint* outputLength, byte* work);
}
