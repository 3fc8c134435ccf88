using Vmcore.Kdump.Capture;

namespace Vmcore.Cli.Kdump;

/// <summary>The executable as the init of a capture kernel.</summary>
internal static class Init
{
    /// <summary>Called before anything else: see <see cref="LinuxMachine.RestartWithProc"/>.</summary>
    internal static void RestartIfFirst()
    {
        if (CaptureInit.IsMe)
            LinuxMachine.RestartWithProc();
    }

    /// <summary>Becomes it, if this process is init of an initramfs of ours; else returns at once. It never comes back from being init.</summary>
    internal static void BecomeIfFirst()
    {
        if (!CaptureInit.IsMe)
            return;
        LinuxMachine.Prepare();
        new CaptureInit(new LinuxMachine()).Run();
    }
}
