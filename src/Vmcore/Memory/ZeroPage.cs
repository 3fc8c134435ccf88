using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Vmcore.Memory;

/// <summary>The test for pages that hold nothing but zeros.</summary>
internal static class ZeroPage
{
    /// <summary>Tells whether all bytes are zero. Most pages that are not give themselves away in the first bytes.</summary>
    /// <param name="page">The bytes; an empty span counts as zero.</param>
    /// <returns>True if no byte differs from zero.</returns>
    public static bool IsZero(ReadOnlySpan<byte> page)
    {
        // Half a cache line decides most cases before the loop is set up.
        if (page.Length >= 32)
        {
            ref byte first = ref MemoryMarshal.GetReference(page);
            Vector128<byte> start = Vector128.LoadUnsafe(ref first) | Vector128.LoadUnsafe(ref first, 16);
            if (start != Vector128<byte>.Zero)
                return false;
        }

        if (Vector512.IsHardwareAccelerated)
            return IsZero512(page);
        return Vector256.IsHardwareAccelerated ? IsZero256(page) : IsZero128(page);
    }

    // In the loops i + 4 vectors <= length, so each load lies in the span; what is left is less than that and tested by word and byte.
    private static bool IsZero512(ReadOnlySpan<byte> page)
    {
        ref byte p = ref MemoryMarshal.GetReference(page);
        nuint i = 0;
        for (nuint step = 4 * 64; i + step <= (nuint)page.Length; i += step)
        {
            Vector512<byte> any = Vector512.LoadUnsafe(ref p, i) | Vector512.LoadUnsafe(ref p, i + 64)
                | Vector512.LoadUnsafe(ref p, i + 128) | Vector512.LoadUnsafe(ref p, i + 192);
            if (any != Vector512<byte>.Zero)
                return false;
        }

        return IsZeroTail(page[(int)i..]);
    }

    private static bool IsZero256(ReadOnlySpan<byte> page)
    {
        ref byte p = ref MemoryMarshal.GetReference(page);
        nuint i = 0;
        for (nuint step = 4 * 32; i + step <= (nuint)page.Length; i += step)
        {
            Vector256<byte> any = Vector256.LoadUnsafe(ref p, i) | Vector256.LoadUnsafe(ref p, i + 32)
                | Vector256.LoadUnsafe(ref p, i + 64) | Vector256.LoadUnsafe(ref p, i + 96);
            if (any != Vector256<byte>.Zero)
                return false;
        }

        return IsZeroTail(page[(int)i..]);
    }

    private static bool IsZero128(ReadOnlySpan<byte> page)
    {
        ref byte p = ref MemoryMarshal.GetReference(page);
        nuint i = 0;
        for (nuint step = 4 * 16; i + step <= (nuint)page.Length; i += step)
        {
            Vector128<byte> any = Vector128.LoadUnsafe(ref p, i) | Vector128.LoadUnsafe(ref p, i + 16)
                | Vector128.LoadUnsafe(ref p, i + 32) | Vector128.LoadUnsafe(ref p, i + 48);
            if (any != Vector128<byte>.Zero)
                return false;
        }

        return IsZeroTail(page[(int)i..]);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool IsZeroTail(ReadOnlySpan<byte> rest) => !rest.ContainsAnyExcept((byte)0);
}
