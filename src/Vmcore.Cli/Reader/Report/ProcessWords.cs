namespace Vmcore.Cli.Reader.Report;

/// <summary>
/// Takes out of messages what they have of a process: the kernel writes registers and code of user mode into its log, below those of its own
/// (arch/x86/kernel/dumpstack.c, arch/arm64/kernel/process.c). What the kernel itself was doing stays.
/// </summary>
internal sealed class ProcessWords
{
    private const string LeftOut = "[registers and code of a process]";

    // Beginnings of the lines that follow, on whatever machine.
    private static readonly string[] s_registers =
    [
        "Code: ", "RSP: ", "RAX: ", "RDX: ", "RBP: ", "R10: ", "R13: ", "ORIG_RAX: ", "FS: ", "CS: ",
        "pstate: ", "pc : ", "lr : ", "sp : ", "x2", "x1", "x9", "x8", "x6", "x5", "x3",
    ];

    private static readonly string[] s_code = ["Code: "];

    private string[] _following = [];

    /// <summary>A message without it. To be asked for each message of the log, in its order.</summary>
    internal LogLine Without(LogLine line)
    {
        string text = line.Text;
        if (text.StartsWith("RIP: 0033:", StringComparison.Ordinal) || text.StartsWith("RIP: 0023:", StringComparison.Ordinal))
        {
            _following = s_registers;
            return line with { Text = LeftOut };
        }

        // Above the kernel's half no address begins with 0.
        if (text.StartsWith("pc : 0000", StringComparison.Ordinal))
        {
            _following = s_registers;
            return line with { Text = LeftOut };
        }

        if (text.Contains("]: segfault at ", StringComparison.Ordinal) || text.Contains("] trap ", StringComparison.Ordinal)
            || text.Contains("]: unhandled ", StringComparison.Ordinal))
        {
            _following = s_code;
            return line;
        }

        if (_following.Length == 0)
            return line;
        if (Array.Exists(_following, w => text.StartsWith(w, StringComparison.Ordinal)))
            return line with { Text = LeftOut };
        _following = [];
        return line;
    }
}
