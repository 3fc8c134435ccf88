using System.Runtime.InteropServices;

namespace Vmcore.Architectures;

/// <summary>What the bytes of an instruction, and of those before it, say of where it leads.</summary>
/// <param name="Flow">Where control goes.</param>
/// <param name="Target">Virtual address that a jump or a call names; null if none.</param>
/// <param name="Operand">Virtual address that it reads, writes or computes; null if it is not known.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct InstructionReference(InstructionFlow Flow, ulong? Target, ulong? Operand);

/// <summary>
/// Follows what instructions refer to, on machines where that takes more than one of them: an address is put together from two. Asked for one
/// instruction after the other.
/// </summary>
internal interface IInstructionReferences
{
    /// <summary>Forgets what the instructions before said: control may come from elsewhere here.</summary>
    void Forget();

    /// <summary>Says what an instruction refers to.</summary>
    /// <param name="code">Its bytes.</param>
    /// <param name="address">Its virtual address.</param>
    InstructionReference Next(ReadOnlySpan<byte> code, ulong address);
}
