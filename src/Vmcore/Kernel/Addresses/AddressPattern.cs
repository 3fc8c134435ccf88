using System.Globalization;

namespace Vmcore.Kernel.Addresses;

/// <summary>Values of pointers that are no places.</summary>
/// <remarks>Source: include/linux/poison.h, include/linux/err.h.</remarks>
internal static class AddressPattern
{
    private const ulong Illegal = 0xdead000000000000; // CONFIG_ILLEGAL_POINTER_VALUE of 64-bit machines.
    private const ulong Near = 4 << 10; // A member of a structure that is not there.

    /// <summary>What a value means; null if it is none of these.</summary>
    internal static string? Of(ulong value)
    {
        const ulong First = 0x100, Second = 0x122, Largest = 4095;
        if (value < Near)
            return value == 0 ? "NULL" : string.Create(CultureInfo.InvariantCulture, $"NULL and 0x{value:x} bytes");
        if (value > ulong.MaxValue - Largest)
            return string.Create(CultureInfo.InvariantCulture, $"error {unchecked((long)value)} as a pointer (ERR_PTR)");
        if (value - Illegal < Near)
        {
            ulong low = value - Illegal;
            return low switch
            {
                >= Second => Text("LIST_POISON2, which an entry has behind it that was taken off its list", low - Second),
                >= First => Text("LIST_POISON1, which an entry has in front of it that was taken off its list", low - First),
                _ => "a pointer that was made invalid (POISON_POINTER_DELTA)",
            };
        }

        ulong each = value & 0xff;
        return value != each * 0x0101010101010101 ? null : each switch
        {
            0x6b => "POISON_FREE: content of a slab object that was freed",
            0x5a => "POISON_INUSE: content of a slab object that was not written yet",
            0xaa => "PAGE_POISON: content of a page that was freed",
            0xcc => "POISON_FREE_INITMEM: content of memory of the kernel's start",
            _ => null,
        };
    }

    private static string Text(string what, ulong more) => more == 0 ? what : string.Create(CultureInfo.InvariantCulture, $"{what}, and 0x{more:x} bytes");
}
