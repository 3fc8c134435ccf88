using Vmcore.Cli.Json;
using Vmcore.Kdump.Estimating;
using Vmcore.Kdump.Loading;

namespace Vmcore.Cli.Kdump;

/// <summary>What <c>vmcore kdump status</c> answers, as JSON.</summary>
internal sealed class StatusAnswer(KdumpState status) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(1L, "schema");
        json.Put("kdump status", "command");
        json.Put(status.IsLoaded, "loaded");
        json.Put(status.IsOurs, "ours");
        json.Put(status.IsCurrent, "current");
        json.Put(status.Reserved, "reserved_bytes");
        json.Put(status.Release, "release");
        json.Put(status.Targets, "targets");
        json.Put(status.Problem, "problem");
    }
}

/// <summary>What <c>vmcore kdump estimate</c> answers, as JSON.</summary>
internal sealed class ForecastAnswer(KdumpForecast forecast) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(1L, "schema");
        json.Put("kdump estimate", "command");
        json.Put(forecast.MemoryNeeded, "needed_bytes");
        json.Put(forecast.MemoryReserved, "reserved_bytes");
        json.Put(forecast.Initramfs, "initramfs_bytes");
        json.Put(forecast.Dump.Bytes, "dump_bytes");
        json.Put(forecast.Dump.Pages, "dump_pages");
        json.Put(forecast.Dump.Memory, "memory_pages");
        json.Put(forecast.Dump.Time.TotalSeconds, "cpu_seconds");
        json.Put(
            forecast.Rooms,
            static (json, room) =>
            {
                json.Put(room.Target, "target");
                json.Put(room.Room, "free_bytes");
            },
            "rooms");
    }
}

/// <summary>What <c>vmcore kdump test</c> answers, as JSON.</summary>
internal sealed class ChecksAnswer(IReadOnlyList<KdumpCheck> checks) : IJsonItem
{
    /// <inheritdoc/>
    public void Write(JsonText json)
    {
        json.Put(1L, "schema");
        json.Put("kdump test", "command");
        json.Put(checks.All(static c => c.IsRight), "right");
        json.Put(
            checks,
            static (json, check) =>
            {
                json.Put(check.Name, "name");
                json.Put(check.IsRight, "right");
                json.Put(check.Text, "text");
            },
            "checks");
    }
}
