namespace Vmcore.IO;

/// <summary>Which files are mapped into memory instead of being read.</summary>
public enum MappingChoice
{
    /// <summary><c>/proc/vmcore</c> alone, in windows: its kernel code maps all pages at once, so that no later access can fail.</summary>
    ProcVmcore,

    /// <summary>None.</summary>
    None,

    /// <summary>
    /// All, regular files as a whole: two to four times as fast for a dump in the page cache. But a file that becomes shorter, or whose disk fails,
    /// while it is open ends the process with SIGBUS; where it is read, that is an error like any other.
    /// </summary>
    AllFiles,
}
