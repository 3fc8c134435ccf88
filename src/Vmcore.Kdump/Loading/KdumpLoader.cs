using Vmcore.Kdump.Initramfs;
using Vmcore.Kexec;

namespace Vmcore.Kdump.Loading;

/// <summary>What was loaded, or would be.</summary>
internal sealed class LoadResult(KdumpPlan plan, LoadPlan load, string initramfsFile, long initramfsSize, bool isNew, IReadOnlyList<string> warnings)
{
    /// <summary>What was decided.</summary>
    public KdumpPlan Plan => plan;

    /// <summary>What the loader decided.</summary>
    public LoadPlan Load => load;

    /// <summary>The initramfs.</summary>
    public string InitramfsFile => initramfsFile;

    /// <summary>Its size, packed, in bytes.</summary>
    public long InitramfsSize => initramfsSize;

    /// <summary>True if it was made now, false if the one of before still holds.</summary>
    public bool IsNew => isNew;

    /// <summary>What the operator should know.</summary>
    public IReadOnlyList<string> Warnings => warnings;
}

/// <summary>Makes the initramfs if need be, and loads it with a capture kernel by the crash loader's own path.</summary>
/// <param name="calls">The system calls.</param>
internal sealed class KdumpLoader(IKexecSyscalls calls)
{
    /// <summary>Where it stands what was loaded, until the machine is started again.</summary>
    internal const string Record = "/run/vmcore/kdump.loaded";

    /// <summary>Loads.</summary>
    /// <param name="sysroot">The folder that stands for <c>/</c>; empty for the running system. With one, nothing is loaded and nothing written.</param>
    /// <param name="executable">The executable that becomes init.</param>
    /// <param name="isDryRun">True to load nothing and write nothing.</param>
    /// <exception cref="KdumpException">The configuration is wrong, no target can be reached, or another service loads crash kernels.</exception>
    /// <exception cref="KexecException">The kernel cannot be loaded.</exception>
    internal LoadResult Load(string sysroot, string executable, bool isDryRun)
    {
        var root = new SystemRoot(sysroot);
        if (RivalServices.Find(root) is { } rival)
            throw new KdumpException(rival);
        KdumpPlan plan = KdumpPlanner.Plan(sysroot, executable);
        var cache = new InitramfsCache(root, plan.Release);
        bool isNew = !cache.IsCurrent(plan.Key);
        byte[]? built = isNew ? plan.BuildInitramfs() : null;
        if (built is not null && !isDryRun)
            cache.Store(plan.Key, built);
        ReadOnlyMemory<byte> initramfs = built ?? KernelFile.ReadInitramfs(cache.File);
        LoadPlan load = LoadPlanner.Plan(
            RunningSystemReader.Read(sysroot, plan.Kernel), plan.Kernel, initramfs, Options(plan, isDryRun ? null : cache.File, isDryRun));
        if (isDryRun)
            return new(plan, load, cache.File, initramfs.Length, isNew, [.. plan.Warnings, .. load.Warnings]);
        // Between the two nobody must take an old record for the new kernel's.
        Forget(root);
        LoadOutcome outcome = new CrashLoader(calls).Load(load);
        SaveRecord(root, plan);
        return new(plan, load, cache.File, initramfs.Length, isNew, [.. plan.Warnings, .. outcome.Warnings]);
    }

    /// <summary>Removes the crash kernel.</summary>
    /// <exception cref="KdumpException">Another service loads crash kernels: its own is not for us to take away.</exception>
    /// <exception cref="KexecException">The kernel refuses.</exception>
    internal void Unload()
    {
        if (RivalServices.Find(new("")) is { } rival)
            throw new KdumpException(rival);
        new CrashLoader(calls).Unload(LoadSyscall.Best, null);
        Forget(new(""));
    }

    private static void Forget(SystemRoot root)
    {
        if (root.Exists(Record))
            File.Delete(root.Map(Record));
    }

    private static LoadOptions Options(KdumpPlan plan, string? initramfs, bool isDryRun) => new()
    {
        CommandLine = plan.CommandLine,
        DumpTargets = plan.Devices,
        InitrdFile = initramfs,
        // A dry run shows the same each time.
        RandomSeed = isDryRun ? new byte[32] : KexecSyscalls.Random(32),
    };

    private static void SaveRecord(SystemRoot root, KdumpPlan plan)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(root.Map(Record))!);
            File.WriteAllText(root.Map(Record), $"{plan.Key}\n{plan.Kernel.File}\n");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KdumpException($"The crash kernel is loaded, and {root.Map(Record)} cannot be written: 'status' will not know it: {e.Message}", e);
        }
    }
}
