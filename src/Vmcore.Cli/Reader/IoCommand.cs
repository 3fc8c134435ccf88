using System.CommandLine;
using System.Globalization;
using System.Text;
using Vmcore.Cli.Json;
using Vmcore.Kernel.Block;

namespace Vmcore.Cli.Reader;

/// <summary><c>vmcore io FILE</c></summary>
internal static class IoCommand
{
    private const int Shown = 1000;

    internal static Command Create() => new ReaderCommand("io",
        "Show the I/O that disks had to do: requests with their age, and what the driver had of them.", Run);

    private static int Run(ReaderContext context)
    {
        _ = context.Symbols;
        _ = context.NamedTypes;
        var disks = BlockDisks.Load(context.Dump.KernelView);
        context.Gap(disks.Problems);
        if (context.IsJson)
            context.WriteJson(new IoAnswer { Disks = [.. disks.Disks.Select(d => new BlockDiskInfo(context, d))] });
        else
            ReaderContext.Write(TextOf(context, disks, Shown) is { Length: > 0 } text ? text : context.NothingFound("no disk had I/O to do"));
        return 0;
    }

    /// <summary>The disks that have something to do, for people; empty if none has.</summary>
    /// <param name="context">The dump.</param>
    /// <param name="disks">The disks.</param>
    /// <param name="most">Requests of one disk that are shown.</param>
    internal static string TextOf(ReaderContext context, BlockDisks disks, int most)
    {
        var text = new StringBuilder();
        foreach (BlockDisk disk in disks.Disks.Where(static d => d.IsBusy))
        {
            string what = disk.Operations == 0 ? $"{disk.Reads} reads and {disk.Writes} writes not done"
                : Sizes.Count((ulong)disk.Requests.Count, "request") + (context.SymbolAt(disk.Operations) is { } driver ? $" of {driver.Split('+')[0]}" : "");
            text.Append(context.Style.Bold(disk.Name)).Append(CultureInfo.InvariantCulture, $"  {disk.Device}  {what}\n");
            foreach (BlockRequest request in disk.Requests.Take(most))
                text.Append("   ").Append(LineOf(context, request)).Append('\n');
            if (disk.Requests.Count > most)
                text.Append(CultureInfo.InvariantCulture, $"   and {disk.Requests.Count - most} more (--json has them)\n");
        }

        return text.ToString();
    }

    private static string LineOf(ReaderContext context, BlockRequest request)
    {
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"{request.Address:x16}  {WordOf(request.State).Replace('_', ' ')}  {request.Operation}");
        if (request.Sector is { } sector)
            line.Append(CultureInfo.InvariantCulture, $"  sector {sector}");
        line.Append(CultureInfo.InvariantCulture, $"  {Sizes.Text(request.Length)}");
        if (request.Age is { } age)
            line.Append("  for ").Append(Durations.Text(age));
        if (request.DriverAge is { } since)
            line.Append(", in the driver for ").Append(Durations.Text(since));
        if (request.EndFunction != 0 && context.SymbolAt(request.EndFunction) is { } name)
            line.Append("  then ").Append(name.EndsWith("+0x0", StringComparison.Ordinal) ? name[..^4] : name);
        return line.ToString();
    }

    /// <summary>The state of a request, as JSON has it.</summary>
    internal static string WordOf(BlockRequestState state) => state switch
    {
        BlockRequestState.InFlight => "in_flight",
        BlockRequestState.Complete => "complete",
        _ => "waiting",
    };
}

/// <summary>The answer of <c>vmcore io --json</c>.</summary>
internal sealed record IoAnswer : ReaderAnswer
{
    public IReadOnlyList<BlockDiskInfo> Disks { get; init; } = [];

    /// <inheritdoc/>
    protected override void WriteMembers(JsonText json) => json.Put(Disks);
}

/// <summary>A disk and its requests.</summary>
internal sealed class BlockDiskInfo(ReaderContext context, BlockDisk disk) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(disk.Name);
        json.Put(disk.Device.ToString(), "Device");
        json.PutAddress(disk.Address);
        json.PutAddress(disk.Queue);
        json.Put(disk.Operations == 0 ? null : context.SymbolAt(disk.Operations)?.Split('+')[0], "Driver");
        json.Put(disk.Reads);
        json.Put(disk.Writes);
        json.Put(disk.Requests, Write);
    }

    private void Write(JsonText json, BlockRequest request)
    {
        json.PutAddress(request.Address);
        json.Put(IoCommand.WordOf(request.State), "State");
        json.Put(request.Operation);
        json.Put(request.Sector);
        json.Put(request.Length);
        json.Put(request.Tag);
        json.Put(request.Age, "AgeNs");
        json.Put(request.DriverAge, "DriverAgeNs");
        json.Put(request.EndFunction == 0 ? null : context.SymbolAt(request.EndFunction), "EndFunction");
    }
}
