using System.Text;

namespace Vmcore.Cli.Makedumpfile;

/// <summary>What <c>makedumpfile -h</c> and <c>-v</c> print. The options are those of <see cref="OptionTable"/>.</summary>
internal static class HelpText
{
    private const int Column = 27;

    private const string Head = """

        Usage:
          makedumpfile [-c|-l|-p|-z|-E] [-d DL] [OPTION]... VMCORE DUMPFILE
          makedumpfile -F [-c|-l|-p|-z|-E] [-d DL] [OPTION]... VMCORE > FLATTENED
          makedumpfile --split [-c|-l|-p|-z] [-d DL] [OPTION]... VMCORE DUMPFILE DUMPFILE...
          makedumpfile --reassemble DUMPFILE... DUMPFILE
          makedumpfile -R DUMPFILE < FLATTENED
          makedumpfile --dump-dmesg [--partial-dmesg] [OPTION]... VMCORE LOGFILE
          makedumpfile --mem-usage [OPTION]... /proc/kcore

        Writes a small dump of VMCORE: every page that an analysis needs, and no user data of persistent memory (pmem).

        """;

    private const string Foot = """

        Exit status: 0 the dump is complete; 1 it is not; 2 the -i file is of another kernel.

        """;

    internal static string Version =>
        $"makedumpfile: version 1.7.9 (Vmcore {typeof(HelpText).Assembly.GetName().Version?.ToString(3)})\nlzo\tenabled\nsnappy\tenabled\nzstd\tenabled\n\n";

    internal static string Usage()
    {
        var text = new StringBuilder(Head);
        foreach (OptionGroup group in OptionTable.Groups)
        {
            if (group.Heading.Length == 0)
                continue;
            text.Append('\n').Append(group.Heading).Append(":\n");
            foreach (CommandOption option in group.Options)
                Append(text, option);
        }

        return text.Append(Foot).ToString();
    }

    private static void Append(StringBuilder text, CommandOption option)
    {
        string head = "  " + option.Syntax;
        text.Append(head.Length < Column - 1 ? head.PadRight(Column) : head + "\n" + new string(' ', Column));
        text.Append(option.Help.ReplaceLineEndings("\n" + new string(' ', Column))).Append('\n');
    }
}
