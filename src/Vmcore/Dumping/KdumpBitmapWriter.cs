using System.Runtime.InteropServices;
using Vmcore.Formats.Kdump;

namespace Vmcore.Dumping;

/// <summary>Writes the two bitmaps of each file of a dump, window by window as they are decided.</summary>
internal sealed class KdumpBitmapWriter
{
    private const int FlushBytes = 256 * 1024;

    private readonly DumpTargets _targets;
    private readonly KdumpLayout _layout;
    private readonly bool _isStream;
    private readonly BufferedRegion[] _exists;
    private readonly BufferedRegion[] _kept;
    private readonly byte[] _zeroes = new byte[FlushBytes];
    private byte[] _ones = [];

    /// <summary>Creates a writer.</summary>
    /// <param name="targets">The files.</param>
    /// <param name="layout">Where the bitmaps lie.</param>
    /// <param name="isStream">True if what is not written does not read as zero.</param>
    internal KdumpBitmapWriter(DumpTargets targets, KdumpLayout layout, bool isStream)
    {
        _targets = targets;
        _layout = layout;
        _isStream = isStream;
        _exists = new BufferedRegion[targets.Count];
        _kept = new BufferedRegion[targets.Count];
        for (int i = 0; i < targets.Count; i++)
        {
            _exists[i] = new(targets[i].Sink, layout.Bitmap1Offset, FlushBytes);
            _kept[i] = new(targets[i].Sink, layout.Bitmap2Offset, FlushBytes);
        }
    }

    /// <summary>Writes the bits of some windows.</summary>
    internal void Write(WindowRun run, PlanWindow window)
    {
        if (!run.IsMixed)
        {
            if (_isStream || run.Kind != WindowKind.Claimed)
                _targets.ForEach((_, i) => WriteRun(run, i));
            return;
        }

        long offset = (long)(window.FirstPfn / 8);
        if (offset >= _layout.BitmapLength)
            return;
        int length = (int)Math.Min(PlanWindow.Pages / 8, _layout.BitmapLength - offset);
        _targets.ForEach((_, i) =>
        {
            _exists[i].Write(offset, MemoryMarshal.AsBytes(window.Exists.AsSpan())[..length]);
            // What is not written is zero: a machine of terabytes of which little is kept costs little.
            if (_isStream || window.Kept.AsSpan().ContainsAnyExcept(0UL))
                _kept[i].Write(offset, MemoryMarshal.AsBytes(window.Kept.AsSpan())[..length]);
        });
    }

    /// <summary>Writes what is held back.</summary>
    internal void Flush() => _targets.ForEach((_, i) =>
    {
        _exists[i].Flush();
        _kept[i].Flush();
    });

    /// <summary>None of the pages is kept. All exist, but for those of which only a header says so.</summary>
    private void WriteRun(WindowRun run, int index)
    {
        if (_ones.Length == 0)
        {
            _ones = new byte[FlushBytes];
            _ones.AsSpan().Fill(0xff);
        }

        for (long at = (long)(run.FirstPfn / 8), end = Math.Min((long)(run.EndPfn / 8), (long)(_layout.MaxMapNr + 7) / 8); at < end;)
        {
            int step = (int)Math.Min(end - at, _ones.Length);
            _exists[index].Write(at, (run.Kind == WindowKind.Claimed ? _zeroes : _ones).AsSpan(0, step));
            if (_isStream)
                _kept[index].Write(at, _zeroes.AsSpan(0, step));
            at += step;
        }
    }
}
