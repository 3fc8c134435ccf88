using System.Diagnostics;
using System.Globalization;
using Vmcore.Debugging;
using Vmcore.Formats.Elf;
using Vmcore.Tests.Robustness;

namespace Vmcore.Tests.Debugging;

/// <summary>Lines and inlined functions of a small program, beside what addr2line says of each of its instructions.</summary>
public sealed class DwarfCodeTests
{
    private const string Source = """
        volatile int sink;
        static inline __attribute__((always_inline)) int innermost(int x)
        {
            sink += x;
            return sink * 3;
        }
        static inline __attribute__((always_inline)) int middle(int x)
        {
            int y = innermost(x);
            sink = y;
            return innermost(y + 1);
        }
        __attribute__((noinline)) int outer(int x)
        {
            if (x > 5) {
                int z = middle(x);
                sink = z;
                return z;
            }
            return middle(x + 2) + innermost(7);
        }
        __attribute__((noinline)) static int unlikely(int x)
        {
            if (__builtin_expect(x == 12345, 0))
                __builtin_trap();
            return outer(x) + 1;
        }
        void _start(void)
        {
            sink = unlikely(sink);
        }
        """;

    public static TheoryData<string> Ways =>
    [
        "gcc -O2 -gdwarf-3 -gstrict-dwarf", "gcc -O2 -gdwarf-4", "gcc -O2 -gdwarf-5", "gcc -Og -g", "gcc -O2 -g -ffunction-sections",
        "gcc -O2 -g -gz=zlib", "clang -O2 -gdwarf-4", "clang -O2 -gdwarf-5",
    ];

    [Theory]
    [MemberData(nameof(Ways))]
    public void EveryInstructionIsWhereAddr2LineSays(string compiler)
    {
        using var folder = new Folder();
        string program = folder.Compile(compiler, Source);
        ulong[] addresses = folder.Instructions(program);
        Assert.True(addresses.Length > 20);
        using ElfObjectFile file = ElfObjectFile.Open(program);
        DwarfCode code = DwarfCode.TryOpen(file)!;
        List<string> ours = [], theirs = folder.Addr2Line(program, addresses);
        foreach (ulong address in addresses)
        {
            ours.Add($"0x{address:x16}");
            ours.AddRange(code.Find(address).SelectMany(static p => (string[])[p.Function ?? "??", $"a.c:{(p.Line > 0 ? p.Line : "?")}"]));
        }

        Assert.Null(code.Problem);
        Assert.Equal(theirs, ours);
        Assert.Contains("innermost", ours);
    }

    /// <summary>Offsets of 64 bits, which addr2line of binutils 2.40 does not read: what they say is what those of 32 bits say.</summary>
    [Fact]
    public void LongOffsetsSayTheSame()
    {
        using var folder = new Folder();
        List<string>[] found = [[], []];
        for (int i = 0; i < 2; i++)
        {
            string program = folder.Compile(i == 0 ? "gcc -O2 -gdwarf-5" : "gcc -O2 -gdwarf-5 -gdwarf64", Source);
            using ElfObjectFile file = ElfObjectFile.Open(program);
            DwarfCode code = DwarfCode.TryOpen(file)!;
            found[i].AddRange(folder.Instructions(program).SelectMany(code.Find).Select(static p => $"{p}"));
        }

        Assert.True(found[0].Count > 20);
        Assert.Equal(found[0], found[1]);
    }

    [Fact]
    public void WhatIsInlinedSaysSoAndInWhichFile()
    {
        using var folder = new Folder();
        string program = folder.Compile("gcc -O2 -g", Source);
        using ElfObjectFile file = ElfObjectFile.Open(program);
        DwarfCode code = DwarfCode.TryOpen(file)!;
        List<DwarfPlace> deepest = [];
        foreach (ulong address in folder.Instructions(program))
        {
            List<DwarfPlace> places = code.Find(address);
            deepest = places.Count > deepest.Count ? places : deepest;
        }

        Assert.Equal(["innermost", "middle", "outer"], deepest.Select(static p => p.Function!));
        Assert.Equal([true, true, false], deepest.Select(static p => p.IsInlined));
        Assert.All(deepest, static p => Assert.Equal("a.c", p.File));
        Assert.Empty(code.Find(0x10));
        Assert.Empty(code.Find(ulong.MaxValue));
    }

    /// <summary>Whatever byte is wrong: an answer or none, soon, and no other exception than those that a damaged file may have.</summary>
    [Fact]
    public void DamagedTablesCostTheirUnitAndNoMore()
    {
        using var folder = new Folder();
        foreach (string compiler in (string[])["gcc -O2 -gdwarf-4", "gcc -O2 -gdwarf-5"])
        {
            string program = folder.Compile(compiler, Source);
            byte[] good = File.ReadAllBytes(program);
            ulong[] addresses = folder.Instructions(program);
            List<ElfSection> sections;
            using (ElfObjectFile whole = ElfObjectFile.Open(program))
                sections = [.. whole.Sections.Where(static s => s.Name.StartsWith(".debug_", StringComparison.Ordinal))];
            var random = new Random(4711);
            for (int round = 0; round < 400; round++)
            {
                byte[] bad = [.. good];
                ElfSection section = sections[random.Next(sections.Count)];
                for (int i = random.Next(1, 4); i > 0; i--)
                    bad[section.Offset + random.Next((int)section.Size)] = (byte)random.Next(256);
                using ElfObjectFile file = ElfObjectFile.Open(new HostileSource(bad));
                try
                {
                    DwarfCode code = DwarfCode.TryOpen(file)!;
                    foreach (ulong address in addresses)
                        Assert.InRange(code.Find(address).Count, 0, 100);
                }
                catch (DumpFormatException)
                {
                    // A section as a whole.
                }
            }
        }
    }

    private sealed class Folder : IDisposable
    {
        private readonly string _path = Directory.CreateTempSubdirectory("vmcore-lines-").FullName;

        public void Dispose() => Directory.Delete(_path, recursive: true);

        internal string Compile(string compiler, string source)
        {
            File.WriteAllText(Path.Combine(_path, "a.c"), source);
            Run($"{compiler} -static -nostdlib -fno-asynchronous-unwind-tables -Wl,--build-id=none a.c -o a");
            return Path.Combine(_path, "a");
        }

        // Of functions, not of what lies between them; cold parts have another name in the symbols than in the debug information.
        internal ulong[] Instructions(string program)
        {
            (ulong Start, ulong End)[] functions =
            [
                .. Run($"nm -S {program}").Split('\n').Select(static l => l.Split(' '))
                    .Where(static w => w.Length == 4 && w[2] is "t" or "T" && !w[3].EndsWith(".cold", StringComparison.Ordinal))
                    .Select(static w => (Hex(w[0]), Hex(w[0]) + Hex(w[1]))),
            ];
            return
            [
                .. Run($"objdump -d {program}").Split('\n').Select(static l => l.Trim()).Where(static l => l.IndexOf(":\t", StringComparison.Ordinal) > 0)
                    .Select(static l => Hex(l[..l.IndexOf(':', StringComparison.Ordinal)]))
                    .Where(a => functions.Any(f => a >= f.Start && a < f.End)),
            ];
        }

        private static ulong Hex(string digits) => ulong.Parse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

        // Discriminators tell the blocks of one line apart, which nobody asks for.
        internal List<string> Addr2Line(string program, ulong[] addresses) =>
        [
            .. Run($"addr2line -a -f -i -s -e {program} {string.Join(' ', addresses.Select(static a => a.ToString("x", CultureInfo.InvariantCulture)))}")
                .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => l.Split(" (disc")[0].Replace(":0", ":?", StringComparison.Ordinal)),
        ];

        private string Run(string command)
        {
            string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            using Process process = Process.Start(new ProcessStartInfo(words[0], words[1..])
            {
                WorkingDirectory = _path,
                UseShellExecute = false,
                RedirectStandardOutput = true,
            })!;
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, command);
            return output;
        }
    }
}
