using Vmcore.Memory;

namespace Vmcore.Kernel.Types;

/// <summary>Strings of C in the kernel's memory.</summary>
internal static class KernelText
{
    /// <summary>True for the types that arrays and pointers of text are made of.</summary>
    internal static bool IsText(KernelType type) => type.Unqualified().Kind == KernelTypeKind.Character;

    /// <summary>Reads a string up to its NUL; null if it cannot be read, or is longer than it may be.</summary>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="address">Virtual address of the first byte.</param>
    /// <param name="budget">Charged for what is looked at.</param>
    /// <param name="most">Most bytes.</param>
    internal static byte[]? TryRead(IVirtualMemory memory, ulong address, AnswerBudget budget, int most)
    {
        foreach (int length in (ReadOnlySpan<int>)[Math.Min(256, most), most])
        {
            if (!budget.Visit(length))
                return null;
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
