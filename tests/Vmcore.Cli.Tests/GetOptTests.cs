namespace Vmcore.Cli.Tests;

/// <summary>Command lines as getopt_long(3) reads them.</summary>
public sealed class GetOptTests
{
    private static readonly GetOpt s_parser = new("b:cDd:Ff", [
        new("message-level", "message-level", true), new("num-threads", "num-threads", true), new("non-mmap", "non-mmap"),
        new("help", "h"), new("show-stats", "show-stats"), new("split", "split"), new("splitblock-size", "splitblock-size", true), new("stat", "show-stats")]);

    [Theory]
    [InlineData("-c -d 31 in out", "c|d=31", "in|out")]
    [InlineData("-cd31 in", "c|d=31", "in")]
    [InlineData("-cFd 31", "c|F|d=31", "")]
    [InlineData("in -c out -D", "c|D", "in|out")]
    [InlineData("-d -1", "d=-1", "")]
    [InlineData("-c -- -d --help -", "c", "-d|--help|-")]
    [InlineData("- -c", "c", "-")]
    [InlineData("-b -- x", "b=--", "x")]
    [InlineData("--message-level 31", "message-level=31", "")]
    [InlineData("--message-level=31", "message-level=31", "")]
    [InlineData("--message-level=", "message-level=", "")]
    [InlineData("--message-level=a=b", "message-level=a=b", "")]
    [InlineData("--mess 7 --non", "message-level=7|non-mmap", "")]
    [InlineData("--split", "split", "")]
    [InlineData("--splitb 4", "splitblock-size=4", "")]
    [InlineData("--num-threads -1", "num-threads=-1", "")]
    [InlineData("--sta", "show-stats", "")]
    [InlineData("-cc -c", "c|c|c", "")]
    [InlineData("", "", "")]
    public void OptionsAndOperandsAreTold(string line, string options, string operands)
    {
        (string? error, List<ParsedOption> found, List<string> rest) = Parse(line);
        Assert.Null(error);
        Assert.Equal(options, string.Join('|', found.Select(o => o.Value is null ? o.Key : $"{o.Key}={o.Value}")));
        Assert.Equal(operands, string.Join('|', rest));
    }

    [Theory]
    [InlineData("-x", "invalid option -- 'x'")]
    [InlineData("-cx", "invalid option -- 'x'")]
    [InlineData("-:", "invalid option -- ':'")]
    [InlineData("-d", "option requires an argument -- 'd'")]
    [InlineData("-cd", "option requires an argument -- 'd'")]
    [InlineData("--message-level", "option '--message-level' requires an argument")]
    [InlineData("--help=5", "option '--help' doesn't allow an argument")]
    [InlineData("--nothing", "unrecognized option '--nothing'")]
    [InlineData("--n", "option '--n' is ambiguous; possibilities: '--num-threads' '--non-mmap'")]
    [InlineData("--s", "option '--s' is ambiguous; possibilities: '--show-stats' '--split' '--splitblock-size' '--stat'")]
    public void MistakesAreNamed(string line, string expected) => Assert.Equal(expected, Parse(line).Error);

    private static (string? Error, List<ParsedOption> Options, List<string> Operands) Parse(string line)
    {
        List<ParsedOption> options = [];
        List<string> operands = [];
        string? error = s_parser.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), options, operands);
        return (error, options, operands);
    }
}
