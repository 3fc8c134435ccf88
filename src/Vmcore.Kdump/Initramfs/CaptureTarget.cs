using System.Text;
using Vmcore.Kdump.Configuration;

namespace Vmcore.Kdump.Initramfs;

/// <summary>A target as the capture kernel takes it: found out when the initramfs is made, where there is a mounted system to ask.</summary>
/// <param name="Kind"><see cref="TargetKind.FileSystem"/>, <see cref="TargetKind.Raw"/> or <see cref="TargetKind.Console"/>.</param>
/// <param name="Type">Type of the file system for mount(2); empty for the others.</param>
/// <param name="Device"><c>UUID=…</c>, <c>LABEL=…</c> or <c>/dev/NAME</c>; empty for the console.</param>
/// <param name="Options">Options for mount(2); mostly none.</param>
/// <param name="Folder">The folder from the top of that file system.</param>
/// <param name="Title">What the configuration calls it, for messages.</param>
internal sealed record CaptureTarget(TargetKind Kind, string Type, string Device, string Options, string Folder, string Title)
{
    /// <summary>Where they lie in the initramfs.</summary>
    internal const string Path = "/etc/vmcore/targets";

    /// <summary>Writes them, a line each.</summary>
    internal static string Write(IEnumerable<CaptureTarget> targets)
    {
        var text = new StringBuilder();
        foreach (CaptureTarget t in targets)
        {
            string[] fields = [NameOf(t.Kind), t.Type, t.Device, t.Options, t.Folder, t.Title];
            if (fields.Any(static f => f.AsSpan().ContainsAnyInRange('\0', '\u001f')))
                throw new KdumpException($"The target {t.Title} has a control character in its name, which no file of ours can hold: choose another folder.");
            text.AppendJoin('\t', fields).Append('\n');
        }

        return text.ToString();
    }

    private static string NameOf(TargetKind kind) => kind switch
    {
        TargetKind.Raw => nameof(TargetKind.Raw),
        TargetKind.Console => nameof(TargetKind.Console),
        _ => nameof(TargetKind.FileSystem),
    };

    /// <summary>Reads what <see cref="Write"/> wrote; what is no target is left out.</summary>
    internal static IReadOnlyList<CaptureTarget> Parse(string text)
    {
        List<CaptureTarget> targets = [];
        foreach (string line in text.Split('\n'))
        {
            string[] f = line.Split('\t');
            TargetKind? kind = f[0] switch
            {
                nameof(TargetKind.FileSystem) => TargetKind.FileSystem,
                nameof(TargetKind.Raw) => TargetKind.Raw,
                nameof(TargetKind.Console) => TargetKind.Console,
                _ => null,
            };
            if (kind is { } known && f.Length == 6)
                targets.Add(new(known, f[1], f[2], f[3], f[4], f[5]));
        }

        return targets;
    }
}
