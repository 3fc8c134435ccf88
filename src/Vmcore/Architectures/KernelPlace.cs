using Vmcore.Ranges;

namespace Vmcore.Architectures;

/// <summary>Where an architecture finds the crashed kernel.</summary>
/// <param name="Memory">Its address space.</param>
/// <param name="PhysicalBase">What the header of a kdump-compressed file calls phys_base: of x86_64 the physical address of
/// the image minus where it is linked, of arm64 PHYS_OFFSET.</param>
/// <param name="Image">Virtual addresses at which the image can be.</param>
internal sealed record KernelPlace(KernelAddressSpace Memory, ulong PhysicalBase, VirtualRange Image);
