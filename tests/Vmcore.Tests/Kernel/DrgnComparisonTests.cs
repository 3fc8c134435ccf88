using System.Diagnostics;
using System.Globalization;
using Vmcore.Kernel.Types;

namespace Vmcore.Tests.Kernel;

/// <summary>
/// Types and values as drgn prints them, which has them from the debug information of a vmlinux; we have them from the dump alone. Run where
/// VMCORE_FIXTURES has the dump and VMCORE_VMLINUX is a folder with <c>vmlinux-RELEASE</c>.
/// </summary>
public sealed class DrgnComparisonTests
{
    [Theory]
    [InlineData("stock-6.1-nopmem", "6.1.0-56-amd64", 120)]
    [InlineData("stock-6.12", "6.12.117+deb12-amd64", 120)]
    public void ValuesAndTypesArePrintedAsDrgnPrintsThem(string name, string release, int least)
    {
        string dumpFile = Path.Combine(Environment.GetEnvironmentVariable("VMCORE_FIXTURES") ?? "", name + ".vmcore");
        string vmlinux = Path.Combine(Environment.GetEnvironmentVariable("VMCORE_VMLINUX") ?? "", "vmlinux-" + release);
        Assert.SkipUnless(File.Exists(dumpFile), $"{dumpFile} does not exist");
        Assert.SkipUnless(File.Exists(vmlinux), $"{vmlinux} does not exist");

        string requests = Drgn("", dumpFile, vmlinux, "sample");
        string[] asked = requests.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] answers = Drgn(requests, dumpFile, vmlinux).Split("\n\f\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(asked.Length, answers.Length);
        Assert.True(asked.Length >= least, $"only {asked.Length} requests");

        using CrashDump dump = CrashDump.Open(dumpFile);
        var formatter = new ValueFormatter(dump.VirtualMemory!, _ => null);
        for (int i = 0; i < asked.Length; i++)
        {
            string[] words = asked[i].Split(' ', 3);
            bool isType = words[0] == "type";
            string typeName = isType ? asked[i][5..] : words[2];
            KernelType? type = dump.NamedTypes!.Find(typeName, out string? problem);
            Assert.True(type is not null, $"{typeName}: {problem}");
            string ours = isType ? TypeDeclaration.Write(type!, withOffsets: false)
                : formatter.Format(KernelObject.At(dump.VirtualMemory!, type!, ulong.Parse(words[1].AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)));

            // BTF does not say whether an array without elements was declared as [0] or [].
            Assert.Equal(answers[i].Replace("[0]", "[]", StringComparison.Ordinal), ours.Replace("[0]", "[]", StringComparison.Ordinal));
        }
    }

    private static string Drgn(string input, params string[] arguments)
    {
        string script = Path.Combine(RepositoryRoot(), "tests", "readers", "print-drgn");
        using Process process = Process.Start(new ProcessStartInfo(script, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false })!;
        Task feed = Task.Run(() =>
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        });
        string text = process.StandardOutput.ReadToEnd();
        feed.Wait();
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return text;
    }

    private static string RepositoryRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Vmcore.slnx")))
            folder = folder.Parent;
        return folder!.FullName;
    }
}
