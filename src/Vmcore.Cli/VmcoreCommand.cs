using System.CommandLine;

namespace Vmcore.Cli;

/// <summary>The command <c>vmcore</c>: reads dumps.</summary>
internal static class VmcoreCommand
{
    internal static int Run(string[] args)
    {
        var root = new RootCommand("Reads Linux crash dumps, with what they say of persistent memory. Also: makedumpfile, kexec, vmcore-dmesg.");
        return root.Parse(args).Invoke();
    }
}
