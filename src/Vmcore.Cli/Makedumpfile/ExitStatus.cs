namespace Vmcore.Cli.Makedumpfile;

/// <summary>Exit statuses that kdump services know.</summary>
internal static class ExitStatus
{
    internal const int Success = 0;
    internal const int Failure = 1;

    /// <summary>The vmcoreinfo file is of another kernel than the dump.</summary>
    internal const int WrongRelease = 2;
}
