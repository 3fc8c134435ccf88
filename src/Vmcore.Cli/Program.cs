namespace Vmcore.Cli;

/// <summary>The entry point: what the executable does follows the name it was called by.</summary>
internal static class Program
{
    private static int Main() => 0;
}
