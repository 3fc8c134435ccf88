using System.CommandLine;

namespace Vmcore.Cli.Reader;

/// <summary>A command that answers from one dump, whoever opened it: those that <c>vmcore exec</c> runs.</summary>
internal interface IDumpReader
{
    /// <summary>Gives the answer.</summary>
    /// <param name="parsed">The command line, with one file that is not opened.</param>
    /// <param name="dump">The dump, which stays open.</param>
    /// <param name="isJson">True for JSON.</param>
    /// <param name="style">Colours of text.</param>
    /// <returns>The exit status.</returns>
    int Answer(ParseResult parsed, CrashDump dump, bool isJson, TextStyle style);
}
