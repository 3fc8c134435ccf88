using System.Diagnostics.CodeAnalysis;

namespace Vmcore.Cli.Code;

/// <summary>Whether this executable reads instructions and source lines: <c>vmcore-reader</c> does, the small one leaves that out.</summary>
internal static class CodeFeature
{
    private const string Name = "Vmcore.Code";

    /// <summary>The executable that does.</summary>
    internal const string Program = "vmcore-reader";

    /// <summary>What is said where it is not in here.</summary>
    internal const string WhyNot = $"this executable does not decode instructions: {Program} does";

    /// <summary>True if it is in here; the compiler knows it, and leaves out what is asked for only if it is.</summary>
    [FeatureSwitchDefinition(Name)]
    internal static bool IsIncluded => !AppContext.TryGetSwitch(Name, out bool isOn) || isOn;
}
