using System.Diagnostics.CodeAnalysis;
using Vmcore.Cli.Reader;

namespace Vmcore.Cli.Code;

/// <summary>
/// Whether this executable is <c>vmcore-reader</c>, which has what is for the desk of whoever looks into a crash: instructions and source lines, what an
/// address is, slabs, files, mappings and core files of processes, many commands on one opened dump. The small one leaves that out: it goes into a capture
/// kernel.
/// </summary>
internal static class CodeFeature
{
    private const string Name = "Vmcore.Code";

    /// <summary>The executable that has it.</summary>
    internal const string Program = "vmcore-reader";

    /// <summary>Exit status where this executable does not have what was asked for.</summary>
    internal const int NotIncluded = 4;

    /// <summary>True if it is in here; the compiler knows it, and leaves out what is asked for only if it is.</summary>
    [FeatureSwitchDefinition(Name)]
    internal static bool IsIncluded => !AppContext.TryGetSwitch(Name, out bool isOn) || isOn;

    /// <summary>Says that a command is in the other executable.</summary>
    /// <param name="command">Its name.</param>
    /// <returns>The exit status.</returns>
    internal static int Refuse(string command)
    {
        ReaderContext.Warn($"{command}: this executable leaves it out; {Program} has it, and is not beside this one");
        return NotIncluded;
    }
}
