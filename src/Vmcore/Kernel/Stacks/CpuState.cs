using Vmcore.Architectures;
using Vmcore.Findings;
using Vmcore.Kernel.Tasks;

namespace Vmcore.Kernel.Stacks;

/// <summary>A CPU that was up at the crash.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Registers">Its registers; null if the dump has none of it (see <see cref="Problem"/>).</param>
/// <param name="Task">The task that ran; null if it is not known.</param>
/// <param name="IsCrashing">True if it is the one that panicked.</param>
public sealed record CpuState(int Number, CpuRegisters? Registers, KernelTask? Task, bool IsCrashing)
{
    /// <summary>Why there are no <see cref="Registers"/>, as one clause; null if there are.</summary>
    public Finding? Problem { get; init; }
}
