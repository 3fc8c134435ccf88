using System.Text.RegularExpressions;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Readers;

/// <summary>What README shows of a console is what the tools say of the bundled crash: each line that it shows, in that order; it may leave some out.</summary>
public sealed partial class ReadmeTests
{
    [Fact]
    public void ConsoleExamplesAreWhatTheToolsSay()
    {
        using var folder = new TemporaryFolder();
        string vmcore = RealCrash.Get("sample rfc-v2-6.1").Path, dump = folder.File("dump");
        int shown = 0;
        foreach (Match block in ConsoleBlock().Matches(File.ReadAllText(Path.Combine(Repository.Root, "README.md"))))
        {
            foreach (string example in block.Groups["text"].Value.Split("$ ", StringSplitOptions.RemoveEmptyEntries))
            {
                string[] lines = example.Split('\n');
                string[] words = lines[0].Split(' ');
                ToolResult result = Tool.Succeed(words[0] switch
                {
                    "vmcore" => Executable.Vmcore,
                    "makedumpfile" => Executable.Makedumpfile,
                    _ => throw new InvalidOperationException($"README shows '{words[0]}': which program is that?"),
                }, words[1..].Select(w => w switch { "vmcore" => vmcore, "dump" => dump, _ => w }));
                AssertShown(lines[0], lines[1..], (result.Output + result.Error).Split('\n'));
                shown++;
            }
        }

        Assert.True(shown >= 4, "README shows hardly a command");
    }

    private static void AssertShown(string command, IEnumerable<string> wanted, string[] said)
    {
        int at = 0;
        foreach (string line in wanted.Where(static l => l.Length > 0))
        {
            int found = Array.IndexOf(said, line, at);
            Assert.True(found >= 0, $"README says that '{command}' shows, after what stands before it:\n{line}\nIt shows:\n{string.Join('\n', said)}");
            at = found + 1;
        }
    }

    [GeneratedRegex("^```console\n(?<text>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex ConsoleBlock();
}
