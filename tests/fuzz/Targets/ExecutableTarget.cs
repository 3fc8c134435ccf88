using System.Diagnostics;
using Vmcore.Testing;

namespace Vmcore.Fuzz.Targets;

/// <summary>The executable as a whole: a signal, a status that is not documented, an internal error, or too much memory is a fault.</summary>
internal sealed class ExecutableTarget(string? given) : FuzzTarget
{
    private const long MostMemory = 200L << 20;
    private const int MostMilliseconds = 120_000;

    private readonly List<(string Name, byte[] Bytes, int Head)> _seeds = [];

    /// <inheritdoc/>
    internal override string Name => "executable";

    /// <inheritdoc/>
    internal override int ShortInputs => 60;

    /// <inheritdoc/>
    internal override string? Missing => File.Exists(Program) ? null : $"{Program} is not there: ./build makes it";

    private string Program => given ?? Path.Combine(SourceTree.Root, "artifacts", "bin", "vmcore");

    /// <inheritdoc/>
    internal override void Prepare()
    {
        _seeds.Add(("core", Seeds.SmallCore(), 4096));
        _seeds.AddRange(Seeds.Kdumps().Select(static k => ("kdump", k, 8192)));
        _seeds.AddRange(Seeds.Flattened().Select(static f => ("flat", f, 8192)));
    }

    /// <inheritdoc/>
    internal override void Run(Mutator mutator)
    {
        (string name, byte[] bytes, int head) = _seeds[mutator.Random.Next(_seeds.Count)];
        string file = Scratch.File($"executable.{name}", mutator.Damage(bytes, head));
        string[] words = [.. Commands.Readers[mutator.Random.Next(Commands.Readers.Count)].Select(w => w == "{}" ? file : w)];
        using Process process = Process.Start(new ProcessStartInfo(Program, words)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        var output = Task.Run(() => process.StandardOutput.BaseStream.CopyTo(Stream.Null));
        long peak = 0;
        var clock = Stopwatch.StartNew();
        while (!process.WaitForExit(10))
        {
            try
            {
                process.Refresh();
                peak = Math.Max(peak, process.PeakWorkingSet64);
                if (clock.ElapsedMilliseconds <= MostMilliseconds && process.TotalProcessorTime.TotalSeconds <= Watchdog.MostSeconds)
                    continue;
            }
            catch (InvalidOperationException)
            {
                // It ended between the question and the answer.
                continue;
            }

            process.Kill();
            throw new FuzzException($"does not end: {string.Join(' ', words)}");
        }

        Task.WaitAll(error, output);
        // 50 and more: vmcore-dmesg's own, as its man page has them.
        if (process.ExitCode is not (0 or 1 or 2 or 3 or 50 or 65 or 69))
            throw new FuzzException($"exit status {process.ExitCode}: {string.Join(' ', words)}: {error.Result}");
        if (error.Result.Contains("internal error", StringComparison.Ordinal))
            throw new FuzzException($"{string.Join(' ', words)}: {error.Result}");
        if (peak > MostMemory)
            throw new FuzzException($"{peak >> 20} MB of memory: {string.Join(' ', words)}");
    }
}
