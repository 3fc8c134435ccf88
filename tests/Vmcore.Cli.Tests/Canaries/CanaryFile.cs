using System.Globalization;
using System.Text;
using Vmcore.Cli.Tests.Conformance;

namespace Vmcore.Cli.Tests.Canaries;

/// <summary>A <see cref="CanaryMachine"/> as a file that commands can be given: 2 MiB of user data on its pmem are canaries, and pointers in it can be
/// turned. One for all tests of a class.</summary>
public sealed class CanaryFile : IDisposable
{
    private const int CanaryLength = 2 << 20;

    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, IReadOnlyList<long>> _followed = [];

    public CanaryFile()
    {
        string sample = RealCrash.Get("sample rfc-v2-6.1").Path;
        Machine = new(sample);
        Path = _folder.File("vmcore");
        Tool.Succeed("cp", "--sparse=always", "--", sample, Path);
        byte[] canaries = new byte[CanaryLength];
        Assert.Equal(canaries.Length, Machine.Source.Read(Machine.OffsetOf(Machine.Canary), canaries));
        Assert.Equal(CanarySource.Text, Encoding.ASCII.GetString(canaries, 0x48, CanarySource.Text.Length));
        Write(Machine.OffsetOf(Machine.Canary), canaries);

        // The second half is pointers to the first, so that pointers to pointers find their way too.
        byte[] pointers = new byte[CanaryLength / 2];
        for (int at = 0; at < pointers.Length; at += sizeof(ulong))
            BitConverter.TryWriteBytes(pointers.AsSpan(at), Machine.CanaryAddress + 0x1000);
        Write(Machine.OffsetOf(Machine.Canary) + pointers.Length, pointers);
        Batch = _folder.File("batch");
        File.WriteAllText(Batch, "ps -T\nmounts\nprint init_task\nreport\nread init_task.tasks.next 512\n");
    }

    /// <summary>What is known of the machine while it is whole.</summary>
    internal CanaryMachine Machine { get; }

    /// <summary>The vmcore.</summary>
    internal string Path { get; }

    /// <summary>A file of commands.</summary>
    internal string Batch { get; }

    /// <summary>Virtual address of text that nobody may see.</summary>
    internal ulong Text => Machine.CanaryAddress + 0x48;

    /// <summary>Virtual address of pointers to such text.</summary>
    internal ulong Pointers => Machine.CanaryAddress + (CanaryLength / 2) + 0x48;

    /// <summary>The offsets of pointers that a reader of the library follows, the first two and some at random, always the same.</summary>
    internal IReadOnlyList<long> Followed(string reader, int most)
    {
        if (_followed.TryGetValue(reader, out IReadOnlyList<long>? known))
            return known;
        List<(long, int)> reads = Machine.Source.Reads = [];
        using (CrashDump dump = CrashDump.Open(Machine.Source))
            Readers.All[reader](dump);
        Machine.Source.Reads = null;
        IReadOnlyList<long> followed = Machine.Pointers(reads);
        Assert.True(followed.Count > 0, $"{reader} follows no pointer");
        var random = new Random(20240611);
        return _followed[reader] = [.. followed.Take(2).Concat(followed.OrderBy(_ => random.Next())).Distinct().Take(most)];
    }

    /// <summary>Runs a command for the machine with a word of it replaced, and says what it told in whatever way: both streams, and a file whose name
    /// begins with OUT.</summary>
    internal string Run(string program, long offset, ulong word, params IEnumerable<string> arguments)
    {
        string? output = null;
        byte[] before = new byte[sizeof(ulong)];
        using (FileStream file = File.OpenRead(Path))
        {
            file.Position = offset;
            file.ReadExactly(before);
        }

        Write(offset, BitConverter.GetBytes(word));
        try
        {
            ToolResult result = Tool.Run(program, arguments.Select(a => a == "DUMP" ? Path
                : a == "BATCH" ? Batch : a.StartsWith("OUT", StringComparison.Ordinal) ? output = _folder.File(a) : a));
            Assert.True(result.ExitCode is >= 0 and < 128, $"{program}: exit status {result.ExitCode}: {result.Error}");
            byte[] written = output is not null && File.Exists(output) ? File.ReadAllBytes(output) : [];
            return result.Output + result.Error + Encoding.Latin1.GetString(written);
        }
        finally
        {
            Write(offset, before);
            if (output is not null)
                File.Delete(output);
        }
    }

    /// <summary>Fails if something that was told has a trace of a canary.</summary>
    internal static void AssertClean(string said, string command, long offset)
    {
        foreach (string trace in CanarySource.Traces)
        {
            Assert.False(said.Contains(trace, StringComparison.OrdinalIgnoreCase), string.Create(CultureInfo.InvariantCulture,
                $"'{command}' shows user data ({trace}) when the pointer at offset 0x{offset:x} is aimed at it"));
        }
    }

    public void Dispose()
    {
        Machine.Dispose();
        _folder.Dispose();
    }

    private void Write(long offset, byte[] bytes)
    {
        using FileStream file = File.OpenWrite(Path);
        file.Position = offset;
        file.Write(bytes);
    }
}
