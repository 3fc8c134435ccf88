namespace Vmcore.Cli.Makedumpfile;

/// <summary>What <c>makedumpfile -h</c> and <c>-v</c> print.</summary>
internal static class HelpText
{
    internal static string Version =>
        $"makedumpfile: version 1.7.9 (Vmcore {typeof(HelpText).Assembly.GetName().Version?.ToString(3)})\nlzo\tenabled\nsnappy\tenabled\nzstd\tenabled\n\n";

    internal const string Usage = """

        Usage:
          makedumpfile [-c|-l|-p|-z|-E] [-d DL] [OPTION]... VMCORE DUMPFILE
          makedumpfile -F [-c|-l|-p|-z|-E] [-d DL] [OPTION]... VMCORE > FLATTENED

        Writes a small dump of VMCORE: every page that an analysis needs, and no user data of persistent memory (pmem).

        What is left out:
          -d DL            Dump level, the sum of:
                             1  pages filled with zero
                             2  page cache without private data
                             4  page cache, all of it
                             8  user process data
                            16  free pages
                            32  pmem metadata (the memmap and info blocks on pmem)
                           A list (-d 16,31) gives levels to go to where the target is too small.
          --pmem-range START-END
                           Physical addresses that are pmem whatever the dump says (hexadecimal, END exclusive). May be given again.
          --include-pmem-userdata
                           Put pmem user data into the dump. It never is otherwise, at no level and in no format.

        How it is written:
          -c | -l | -p | -z  Compress each page with zlib, LZO, snappy or zstd.
          -E               Write an ELF core file.
          -F               Write the flattened format to standard output; messages go to standard error.
          -f               Overwrite DUMPFILE.
          -L SIZE          Stop at SIZE bytes (K, M, G, T); the dump is marked incomplete.
          --num-threads N  Threads that read and compress; 0 chooses by the number of cores (the default).
          --dry-run        Do everything but write.

        Where the kernel's description comes from:
          -i VMCOREINFO    A file with the vmcoreinfo text, for a VMCORE that has none.

        Messages:
          --message-level N  The sum of 1 progress, 2 common, 4 errors, 8 debug, 16 report; 7 if not given.
          --show-stats     The report too.
          -D               Debug messages too.
          --check-params   Only check the command line: exit status 0 or 1.
          -h, --help       This text.
          -v               Version and codecs.

        Accepted and without effect: -b ORDER, --cyclic-buffer KB (memory is bounded in any case), --non-mmap (nothing is mapped).

        Exit status: 0 the dump is complete; 1 it is not; 2 the -i file is of another kernel.

        """;
}
