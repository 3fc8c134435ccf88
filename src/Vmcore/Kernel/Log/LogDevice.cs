using System.Text;
using Vmcore.Kernel.Types;
using Vmcore.Memory;

namespace Vmcore.Kernel.Log;

/// <summary>The device that a message is about, as its driver named it (dev_printk).</summary>
/// <param name="Subsystem">Its subsystem, for example <c>pci</c>; empty if there is none.</param>
/// <param name="Name">Its name, as the kernel notes it: <c>+pci:0000:00:02.0</c> by its bus, <c>b259:0</c> and <c>c1:3</c> by numbers,
/// <c>n2</c> of a network.</param>
public sealed record LogDevice(string Subsystem, string Name)
{
    /// <summary>Reads the device of a message.</summary>
    /// <param name="types">The kernel's types: vmcoreinfo does not say where it is.</param>
    /// <param name="memory">The kernel's memory.</param>
    /// <param name="record">The message.</param>
    /// <returns>Null if it is of no device, or that cannot be read; also in kernels before 5.10.</returns>
    /// <remarks>Source: include/linux/dev_printk.h (struct dev_printk_info), drivers/base/core.c (set_dev_info).</remarks>
    public static LogDevice? TryRead(KernelTypes types, IVirtualMemory memory, LogRecord record)
    {
        ArgumentNullException.ThrowIfNull(types);
        if (record.FactsAddress == 0 || types.Find("struct printk_info") is not { } type || type.FindMember("dev_info") is null)
            return null;
        try
        {
            KernelObject device = KernelObject.At(memory, type, record.FactsAddress)["dev_info"];
            string subsystem = Text(device["subsystem"].ReadBytes()), name = Text(device["device"].ReadBytes());
            return subsystem.Length > 0 || name.Length > 0 ? new(subsystem, name) : null;
        }
        catch (KernelObjectException)
        {
            return null;
        }
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        foreach (byte b in bytes)
        {
            if (b == 0)
                break;
            text.Append(b is >= 0x20 and < 0x7f ? (char)b : '?');
        }

        return text.ToString();
    }
}
