namespace Vmcore.Kernel.Btf;

/// <summary>Where a member of a structure lies.</summary>
/// <param name="BitOffset">Offset from the start of the outermost structure in bits.</param>
/// <param name="BitWidth">Width of a bit-field in bits; 0 if the member is none.</param>
internal readonly record struct BtfMember(long BitOffset, int BitWidth)
{
    /// <summary>True if the member is a bit-field.</summary>
    public bool IsBitField => BitWidth != 0;

    /// <summary>Offset in bytes; null for a bit-field, and for a member that does not start on a byte.</summary>
    public int? ByteOffset => !IsBitField && BitOffset % 8 == 0 ? (int)(BitOffset / 8) : null;
}
