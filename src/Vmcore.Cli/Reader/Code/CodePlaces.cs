using Vmcore.Architectures;
using Vmcore.Kernel.Crash;
using Vmcore.Kernel.Stacks;

namespace Vmcore.Cli.Reader.Code;

/// <summary>Where the kernel was when it died.</summary>
internal static class CodePlaces
{
    /// <summary>The places on the stack on which it happened of which all registers are known; of a task that slept there are none, then of the CPU that
    /// panicked.</summary>
    /// <param name="cause">What it died of; null if that cannot be told.</param>
    /// <param name="stacks">The stacks.</param>
    /// <returns>Registers, innermost first, each with whether an exception or interrupt saved them; empty if the kernel did not panic.</returns>
    /// <exception cref="MissingInformationException">Where it was is not known.</exception>
    internal static List<(CpuRegisters Registers, bool IsInterrupted)> Of(CrashCause? cause, KernelStacks stacks)
    {
        TaskStack? stack = cause?.Stack is { } own && own.Frames.Any(static f => f.Registers is { IsUser: false }) ? own
            : stacks.Crashing is { } cpu ? stacks.Trace(cpu) : null;
        if (stack is null)
        {
            return stacks.DidPanic == false ? [] : throw new MissingInformationException(stacks.DidPanic == true
                ? "the kernel panicked on a CPU that is not known" : "which CPU panicked is not in the dump");
        }

        List<(CpuRegisters, bool)> list = [];
        for (int i = 0; i < stack.Frames.Count; i++)
        {
            if (stack.Frames[i].Registers is { IsUser: false } registers)
                list.Add((registers, i > 0));
        }

        return list;
    }
}
