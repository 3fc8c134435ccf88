namespace Vmcore.Kernel.Types;

/// <summary>Finds the bytes of a member among those of its struct.</summary>
internal static class MemberBytes
{
    /// <summary>Finds them.</summary>
    /// <param name="member">The member.</param>
    /// <param name="start">First bit of the struct that has it, counted from the first of <paramref name="bytes"/>: not 0 within anonymous structs.</param>
    /// <param name="bytes">The struct's bytes.</param>
    /// <param name="part">Receives the bytes from the one with the member's first bit to the one with its last.</param>
    /// <param name="bitOffset">Receives its first bit in these, 0 to 7.</param>
    /// <returns>False if it lies outside: the types are damaged.</returns>
    internal static bool TryFind(KernelTypeMember member, long start, ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> part, out int bitOffset)
    {
        part = default;
        bitOffset = 0;
        long offset = start + member.BitOffset;
        long need = member.BitWidth > 0 ? (offset % 8) + member.BitWidth + 7 : ((member.Type.Size ?? 0) * 8) + 7;
        if (offset < 0 || (offset / 8) + (need / 8) > bytes.Length)
            return false;
        part = bytes.Slice((int)(offset / 8), (int)(need / 8));
        bitOffset = (int)(offset % 8);
        return true;
    }
}
