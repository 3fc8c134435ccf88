namespace Vmcore.Memory;

/// <summary>Order of the bytes of a word in the memory of the crashed machine.</summary>
public enum ByteOrder
{
    /// <summary>The lowest byte comes first.</summary>
    LittleEndian,

    /// <summary>The highest byte comes first.</summary>
    BigEndian,
}
