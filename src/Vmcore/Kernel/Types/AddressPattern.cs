using System.Globalization;

namespace Vmcore.Kernel.Types;

/// <summary>Values of pointers that are no places.</summary>
/// <remarks>Source: include/linux/poison.h, include/linux/err.h.</remarks>
public static class AddressPattern
{
    private const ulong Illegal = 0xdead000000000000; // CONFIG_ILLEGAL_POINTER_VALUE of 64-bit machines.
    private const ulong Near = 4 << 10; // A member of a structure that is not there, or the structure around it.

    /// <summary>What a value means: NULL, an error, what the kernel puts into pointers and memory that must not be used any more; each also with the distance
    /// of a member, up to 4 KiB, added to it or taken from it.</summary>
    /// <param name="value">The value.</param>
    /// <returns>A clause; null if it is none of these.</returns>
    public static string? Of(ulong value)
    {
        const ulong First = 0x100, Second = 0x122, Largest = 4095;
        if (value < Near)
            return value == 0 ? "NULL" : string.Create(CultureInfo.InvariantCulture, $"NULL and 0x{value:x} bytes");
        if (value > ulong.MaxValue - Largest)
            return string.Create(CultureInfo.InvariantCulture, $"error {unchecked((long)value)} as a pointer (ERR_PTR)");
        if (unchecked(value - Illegal + Near) < 2 * Near)
        {
            return value switch
            {
                Illegal => "a pointer that was made invalid (POISON_POINTER_DELTA)",
                >= Illegal + Second => Text("LIST_POISON2, which an entry has behind it that was taken off its list", value, Illegal + Second),
                _ => Text("LIST_POISON1, which an entry has in front of it that was taken off its list", value, Illegal + First),
            };
        }

        foreach ((byte each, string what) in (ReadOnlySpan<(byte, string)>)
            [
                (0x6b, "POISON_FREE: content of a slab object that was freed"),
                (0x5a, "POISON_INUSE: content of a slab object that was not written yet"),
                (0xaa, "PAGE_POISON: content of a page that was freed"),
                (0xcc, "POISON_FREE_INITMEM: content of memory of the kernel's start"),
            ])
        {
            ulong all = each * 0x0101010101010101UL;

            // The last byte of a freed object is another one (POISON_END).
            bool isEnd = value == ((all & 0x00ffffffffffffff) | 0xa500000000000000);
            if (isEnd || unchecked(value - all + Near) < 2 * Near)
                return Text(what, value, isEnd ? value : all);
        }

        return null;
    }

    /// <summary>True if no machine of 64 bits can map an address: bits 57 to 63 are neither all set nor all clear. Linux has no page tables for more.</summary>
    /// <param name="value">The address.</param>
    public static bool IsImpossible(ulong value) => value >> 57 is not (0 or 0x7f);

    /// <summary>What is to be said of an address that cannot be read, behind the reason: empty, or a clause that begins with a semicolon.</summary>
    internal static string Clause(ulong address) => Of(address) is { } pattern ? $"; the address is {pattern}"
        : IsImpossible(address) ? "; the address is none that can be mapped (not canonical)" : "";

    private static string Text(string what, ulong value, ulong pattern) => value == pattern ? what
        : value > pattern ? string.Create(CultureInfo.InvariantCulture, $"{what}, and 0x{value - pattern:x} bytes")
        : string.Create(CultureInfo.InvariantCulture, $"{what}, less 0x{pattern - value:x} bytes");
}
