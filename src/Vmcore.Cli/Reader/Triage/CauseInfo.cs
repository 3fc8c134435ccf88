using Vmcore.Cli.Json;
using Vmcore.Kernel.Crash;
using Vmcore.Kernel.Summary;

namespace Vmcore.Cli.Reader.Triage;

/// <summary>What a kernel died of, as it stands in JSON: of a line of <c>vmcore triage --json</c>, and wherever else it is told.</summary>
internal sealed class CauseInfo : IJsonItem
{
    private readonly CrashCause _cause;

    internal CauseInfo(CrashDump dump, CrashCause cause)
    {
        _cause = cause;
        Release = dump.VmcoreInfo?.OsRelease;
        Machine = dump.Kernel?.Utsname?.Machine;
        CrashTime = dump.VmcoreInfo?.CrashTime ?? KernelClock.TryRead(dump.KernelView)?.Now;
    }

    /// <summary>The kernel's release; null if it is not known.</summary>
    internal string? Release { get; }

    /// <summary>The machine, as uname(2) has it.</summary>
    internal string? Machine { get; }

    /// <summary>Seconds since 1970; null if it is not known.</summary>
    internal long? CrashTime { get; }

    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(_cause.Title);
        json.Put(CrashSignature.NameOf(_cause.Kind), "kind");
        CrashSignature signature = _cause.Signature;
        json.Put(signature.Text, "signature");
        json.Put(signature.IsPartial, "signaturePartial");
        json.Put(signature.Digest);
        json.Put(signature.Frames);
        json.Put(signature.Reason);
        json.Put(signature.CanonicalText);
        json.Put(_cause.Function?.Name, "function");
        json.Put(_cause.SuspectedModule);
        json.Put(_cause.Path, Write);
        json.Put(_cause.PanicLine);
        json.Put(_cause.ReportLine);
        json.Put(_cause.SourceLine);
        json.Put(_cause.Pid);
        json.Put(_cause.TaskName);
        json.Put(_cause.Cpu);
        json.Put(_cause.WaitsFor);
        json.Put(Letters(_cause.Taints), "taints");
        json.Put(Release);
        json.Put(Machine);
        json.Put(CrashTime);
        json.Put(_cause.Problems);
    }

    /// <summary>Taints as letters; null if they are not known.</summary>
    internal static string? Letters(IReadOnlyList<KernelTaint>? taints)
    {
        if (taints is null)
            return null;
        string letters = "";
        foreach (KernelTaint taint in taints)
            letters += taint.Letter;
        return letters;
    }

    private static void Write(JsonText json, CrashPlace place)
    {
        json.Put(place.Name, "function");
        json.Put(place.Module);
        json.Put(place.Function, "symbol");
        json.Put((long)place.Offset, "offset");
        json.PutAddress(place.Address);
        json.Put(place.Source switch { CrashSource.Registers => "registers", CrashSource.Stack => "stack", _ => "log" }, "source");
    }
}
