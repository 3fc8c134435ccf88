using System.Diagnostics;
using Vmcore.Debugging;
using Vmcore.Formats.Elf;
using Vmcore.Tests.Robustness;

namespace Vmcore.Tests.Debugging;

/// <summary>A C file, compiled in several ways: what a compiler of today writes is the measure.</summary>
internal static class CompiledC
{
    internal const string Source = """
        enum color { RED = -1, GREEN = 5, BLUE = 200 };
        enum { ANON_A = 7, ANON_B = 0x7fffffff };
        enum big { BIG = 0x1122334455667788ULL };
        typedef unsigned int u32;
        typedef struct { u32 x, y; } point_t;
        struct list_head { struct list_head *next, *prev; };
        struct only_declared;
        struct inner { char name[16]; int value; };
        struct outer {
            u32 flags : 3, mode : 5;
            long pad;
            union { struct { int a, b; }; unsigned long word; };
            struct inner in;
            struct list_head list;
            const volatile char *text;
            void *data;
            unsigned long data_size;
            point_t points[3][4];
            struct only_declared *far;
            int (*callback)(int);
            enum color c;
            char tail[];
        };
        struct outer an_outer = { .flags = 3 };
        struct outer *outer_pointer = &an_outer;
        extern struct inner table[];
        struct inner table[9];
        static char secret[100] __attribute__((used)) = "secret";
        static struct list_head head __attribute__((used)) = { &head, &head };
        struct nothing_in_it { };
        struct ends_flexible { short n; struct inner all[]; };
        struct empties {
            int n;
            char text[0];
            struct inner none[0];
            int grid[0][3];
            union { long cmd[0]; struct { struct nothing_in_it before; const char *flexible[]; }; };
            struct ends_flexible both[2];
            unsigned char tail[];
        };
        struct empties some_empties;
        enum big biggest = BIG; int anon = ANON_A; point_t origin;
        static long twin __attribute__((used)) = 1;
        extern long twin_of_a __attribute__((alias("twin")));
        """;

    internal const string Other = """
        struct only_declared { long x; char y[3]; };
        struct only_declared here;
        struct only_declared *there(void) { return &here; }
        static char twin[24] __attribute__((used)) = "2";
        extern char twin_of_b[24] __attribute__((alias("twin")));
        """;

    /// <summary>Compiles, and runs more commands on what comes of it.</summary>
    /// <param name="command">The compiler and its options.</param>
    /// <param name="after">Further commands; <c>IN</c> and <c>OUT</c> in them are files.</param>
    internal static byte[] Compile(string command, params ReadOnlySpan<string> after)
    {
        string folder = Directory.CreateTempSubdirectory("vmcore-dwarf-").FullName;
        try
        {
            string file = Path.Combine(folder, "0");
            File.WriteAllText(Path.Combine(folder, "a.c"), Source);
            File.WriteAllText(Path.Combine(folder, "b.c"), Other);
            bool links = command.Contains("-shared", StringComparison.Ordinal);
            Run(folder, $"{command} {(links ? "-nostdlib -fPIC a.c b.c" : "-c a.c")} -o 0");
            for (int i = 0; i < after.Length; i++)
            {
                Run(folder, after[i].Replace("IN", $"{i}", StringComparison.Ordinal).Replace("OUT", $"{i + 1}", StringComparison.Ordinal));
                file = Path.Combine(folder, $"{i + 1}");
            }

            return File.ReadAllBytes(file);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    internal static DwarfTypes Load(byte[] file, out string? problem) =>
        DwarfTypes.TryLoad(ElfObjectFile.Open(new HostileSource(file)), out problem)!;

    private static void Run(string folder, string command)
    {
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        using Process process = Process.Start(new ProcessStartInfo(words[0], words[1..])
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardError = true,
        })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{command}: {errors}");
    }
}
