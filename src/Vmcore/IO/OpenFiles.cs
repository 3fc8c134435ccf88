using Microsoft.Win32.SafeHandles;

namespace Vmcore.IO;

/// <summary>
/// One file, opened as often as it is read at the same time. Linux gives each open <c>/proc/kcore</c> one bounce page (fs/proc/kcore.c, read_kcore_iter, since
/// 6.5): two reads at once through one descriptor get each other's pages. Whoever has a descriptor of these has it for itself.
/// </summary>
internal sealed class OpenFiles : IDisposable
{
    /// <summary>Most descriptors of one file; who finds none free waits for one.</summary>
    private const int Most = 64;

    private readonly Lock _lock = new();
    private readonly Stack<SafeFileHandle> _free = new();
    private readonly List<SafeFileHandle> _all = [];
    private readonly Func<SafeFileHandle?> _open;
    private readonly SemaphoreSlim _available;
    private bool _canOpen = true;

    /// <summary>Takes an open file over.</summary>
    /// <param name="first">The open file.</param>
    /// <param name="open">Opens it once more, with an open file description of its own; null if it cannot be.</param>
    internal OpenFiles(SafeFileHandle first, Func<SafeFileHandle?> open)
    {
        _open = open;
        _all.Add(first);
        _free.Push(first);
        _available = new(1);
    }

    /// <summary>Takes a descriptor that nobody else has until it is given back.</summary>
    internal SafeFileHandle Take()
    {
        if (!_available.Wait(0) && !TryOpen())
            _available.Wait();
        lock (_lock)
            return _free.Pop();
    }

    /// <summary>Gives a descriptor back.</summary>
    internal void Return(SafeFileHandle file)
    {
        lock (_lock)
            _free.Push(file);
        _available.Release();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (SafeFileHandle file in _all)
            file.Dispose();
        _available.Dispose();
    }

    private bool TryOpen()
    {
        lock (_lock)
        {
            if (!_canOpen || _all.Count == Most || _open() is not { } file)
            {
                _canOpen = false;
                return false;
            }

            _all.Add(file);
            _free.Push(file);
            return true;
        }
    }
}
