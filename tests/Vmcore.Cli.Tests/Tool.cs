using System.Diagnostics;
using System.Text;

namespace Vmcore.Cli.Tests;

/// <summary>What a program did.</summary>
/// <param name="ExitCode">Its exit status.</param>
/// <param name="OutputBytes">What it wrote to standard output.</param>
/// <param name="Error">What it wrote to standard error.</param>
internal sealed record ToolResult(int ExitCode, byte[] OutputBytes, string Error)
{
    private string? _output;

    /// <summary>The same as text; of a dump on standard output nobody asks for it.</summary>
    internal string Output => _output ??= Encoding.Latin1.GetString(OutputBytes);
}

/// <summary>Runs programs as a user does.</summary>
internal static class Tool
{
    /// <summary>Debian's dumper, if it is installed.</summary>
    internal const string Debian = "/usr/bin/makedumpfile";

    internal static ToolResult Run(string program, params IEnumerable<string> arguments) => RunWithInput(program, null, arguments);

    internal static ToolResult RunWithInput(string program, string? inputFile, params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        Task feed = inputFile is null ? Task.CompletedTask : Feed(inputFile, process.StandardInput.BaseStream);
        if (inputFile is null)
            process.StandardInput.Close();
        using var output = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(output);
        feed.GetAwaiter().GetResult();
        process.WaitForExit();
        return new(process.ExitCode, output.ToArray(), error.GetAwaiter().GetResult());
    }

    /// <summary>Runs our dumper and expects success.</summary>
    internal static ToolResult Dump(params IEnumerable<string> arguments) => Succeed(Executable.Makedumpfile, arguments);

    internal static ToolResult Succeed(string program, params IEnumerable<string> arguments)
    {
        ToolResult result = Run(program, arguments);
        Assert.True(result.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: exit status {result.ExitCode}\n{Told(result)}\n{result.Error}");
        return result;
    }

    private static string Told(ToolResult result) => Encoding.Latin1.GetString(result.OutputBytes.AsSpan(0, Math.Min(result.OutputBytes.Length, 1 << 14)));

    private static async Task Feed(string file, Stream input)
    {
        await using FileStream source = File.OpenRead(file);
        await source.CopyToAsync(input);
        input.Close();
    }
}
