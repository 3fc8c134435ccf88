using System.Runtime.InteropServices;

namespace Vmcore.Cli.Code;

/// <summary>
/// The other executable, where it lies beside this one. Commands that it has, or has more of, are handed to it: nobody has to know which of the two has what.
/// </summary>
internal static partial class ReaderProgram
{
    // What the small one leaves out, and what it does without instructions and lines of the source.
    private static readonly string[] s_commands =
        ["dis", "whatis", "slab", "files", "maps", "gcore", "exec", "print", "read", "vtop", "map", "triage", "type", "verify",
        "runq", "report", "bt"];

    /// <summary>Becomes the other executable, if that is there and the command line is for it; else returns.</summary>
    /// <param name="args">The command line.</param>
    internal static void TakeOver(string[] args)
    {
        bool isMeant = args.Length > 0 && (Array.IndexOf(s_commands, args[0]) >= 0 || Array.IndexOf(args, "auto") >= 0);
        if (CodeFeature.IsIncluded || !isMeant || Path.GetDirectoryName(Environment.ProcessPath) is not { } folder)
            return;

        // What cannot be executed leaves everything as it was: the command says what is missing.
        string program = Path.Combine(folder, CodeFeature.Program);
        if (File.Exists(program))
            _ = Execute(program, [CodeFeature.Program, .. args, null]);
    }

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Execute(string path, string?[] arguments);
}
