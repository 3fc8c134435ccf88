using Vmcore.Architectures;
using Vmcore.Formats.Elf;

namespace Vmcore.Cli.Code;

/// <summary>Which library reads the instructions of which machine.</summary>
internal static class Decoders
{
    /// <summary>The decoder for a machine; null if there is none.</summary>
    /// <param name="architecture">The machine.</param>
    internal static IInstructionDecoder? Of(Architecture architecture) => architecture.Machine switch
    {
        ElfMachine.X86_64 => new IcedDecoder(),
        ElfMachine.AArch64 => new CapstoneDecoder(),
        _ => null,
    };

    /// <summary>Why there is none.</summary>
    /// <param name="architecture">The machine.</param>
    internal static string WhyNone(Architecture architecture) => $"instructions of {architecture.Name} are not decoded";
}
