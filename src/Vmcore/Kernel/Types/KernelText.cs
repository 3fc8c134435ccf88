using Vmcore.Memory;

namespace Vmcore.Kernel.Types;

/// <summary>Strings of C in the kernel's memory.</summary>
internal static class KernelText
{
    private const int MaxLength = 1 << 16;

    /// <summary>True for the types that arrays and pointers of text are made of.</summary>
    internal static bool IsText(KernelType type) => type.Unqualified().Kind == KernelTypeKind.Character;

    /// <summary>Reads a string up to its NUL; null if it cannot be read or is longer than 64 KiB.</summary>
    internal static byte[]? TryRead(IVirtualMemory memory, ulong address)
    {
        foreach (int length in (ReadOnlySpan<int>)[256, MaxLength])
        {
            byte[] buffer = new byte[length];
            int have = memory.ReadPrefix(address, buffer);
            int nul = buffer.AsSpan(0, have).IndexOf((byte)0);
            if (nul >= 0)
                return buffer[..nul];
            if (have < length)
                return null;
        }

        return null;
    }
}
