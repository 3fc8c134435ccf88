using System.Globalization;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Erasing;

/// <summary>How many bytes a rule erases where it gives no number: the size of a type, the length of a text, or what a variable of the kernel says.</summary>
/// <param name="places">Follows the expression that names the variable.</param>
internal sealed class EraseSizes(ErasePlaces places)
{
    /// <summary>The size of what a pointer points to: of a text its length.</summary>
    /// <param name="target">What it points to.</param>
    /// <param name="address">Where that is.</param>
    /// <param name="name">The expression, for messages.</param>
    internal long OfTarget(KernelType target, ulong address, string name)
    {
        KernelType type = target.Underlying();

        // Not every text of the kernel is declared as char: u8 is as common, and which of them is meant no type says.
        if (type is { Kind: KernelTypeKind.Character or KernelTypeKind.Integer or KernelTypeKind.Boolean, Size: 1 })
            return StringLength(address, name);
        return type.KnownSize ?? throw new EraseException($"what the pointer '{name}' points to has no size: give size or nullify");
    }

    /// <summary>Reads a size out of the dump.</summary>
    /// <param name="source">Where it is.</param>
    /// <returns>Bytes; 0 behind a pointer that is NULL.</returns>
    internal long Read(EraseExpression source)
    {
        foreach (KernelObject place in places.Resolve(source))
        {
            KernelType type = place.Type.Underlying();
            bool isNumber = type.Kind is KernelTypeKind.Integer or KernelTypeKind.Character or KernelTypeKind.Boolean or KernelTypeKind.Enum;
            if (!isNumber || type.Size is not (1 or 2 or 4 or 8) || place.BitWidth > 0)
                throw new EraseException($"'{source.Text}' is no integer, so it is no size");
            long size;
            try
            {
                size = unchecked((long)place.AsUInt64());
            }
            catch (KernelObjectException)
            {
                throw new EraseException($"'{source.Text}' cannot be read, so the size is not known");
            }

            return size >= 0 && size <= places.Memory.Limits.ErasedBytes
                ? size
                : throw new EraseException(string.Create(CultureInfo.InvariantCulture,
                    $"'{source.Text}' is {size}, expected a size of 0 to {places.Memory.Limits.ErasedBytes} bytes"));
        }

        return 0;
    }

    private long StringLength(ulong address, string name)
    {
        Span<byte> line = stackalloc byte[64];
        for (int done = 0; done < places.Memory.Limits.ErasedStringBytes;)
        {
            // Never across a line: the text may end just before a page that is not there.
            ulong at = unchecked(address + (ulong)done);
            Span<byte> part = line[..Math.Min(64 - (int)(at & 63), places.Memory.Limits.ErasedStringBytes - done)];
            MemoryStatus status = places.Memory.Read(at, part);
            if (status is MemoryStatus.NotMapped or MemoryStatus.Hole or MemoryStatus.Excluded or MemoryStatus.UserData)
                return done; // What follows is in no dump.
            if (status != MemoryStatus.Ok)
                throw new EraseException($"the text that '{name}' points to cannot be read ({MemoryStatusText.Of(status)})");
            int nul = part.IndexOf((byte)0);
            if (nul >= 0)
                return done + nul;
            done += part.Length;
        }

        return places.Memory.Limits.ErasedStringBytes;
    }
}
