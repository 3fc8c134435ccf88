using System.Collections.Concurrent;
using Vmcore.Compression;

namespace Vmcore.Dumping;

/// <summary>
/// Takes kept pages through reading and compression to a consumer, in ascending order. Workers take whole batches; nobody waits by spinning, and
/// the output does not depend on their number.
/// </summary>
internal sealed class PagePipeline
{
    private readonly DumpPlan _plan;
    private readonly PlanCache _cache;
    private readonly int _threads;

    internal PagePipeline(DumpPlan plan, PlanCache cache)
    {
        _plan = plan;
        _cache = cache;
        _threads = plan.Options.Threads > 0 ? plan.Options.Threads : Math.Min(Environment.ProcessorCount, 8);
    }

    /// <summary>Runs until all pages are consumed.</summary>
    /// <param name="consume">Gets each batch in order; returns false to stop.</param>
    /// <param name="cancel">Stops at the next batch.</param>
    internal void Run(Func<PageBatch, bool> consume, CancellationToken cancel)
    {
        int pageSize = _plan.Dump.Memory.PageSize;
        if (_threads == 1)
        {
            RunAlone(new(pageSize), consume, cancel);
            return;
        }

        var work = new BlockingCollection<PageBatch>();
        Thread[] workers = new Thread[_threads];
        for (int i = 0; i < workers.Length; i++)
        {
            workers[i] = new(() => Work(work)) { IsBackground = true };
            workers[i].Start();
        }

        try
        {
            Distribute(work, pageSize, consume, cancel);
        }
        finally
        {
            work.CompleteAdding();
            foreach (Thread worker in workers)
                worker.Join();
            work.Dispose();
        }
    }

    private void RunAlone(PageBatch batch, Func<PageBatch, bool> consume, CancellationToken cancel)
    {
        using IPageCompressor? compressor = CreateCompressor();
        IEnumerator<ulong> pages = KeptPages().GetEnumerator();
        while (!cancel.IsCancellationRequested && Fill(batch, pages))
        {
            batch.Process(_plan.Dump.SafeMemory, compressor, DropZero);
            if (!consume(batch))
                return;
        }
    }

    private bool DropZero => (_plan.Options.Level & Memmap.DumpLevel.Zero) != 0;

    private void Distribute(BlockingCollection<PageBatch> work, int pageSize, Func<PageBatch, bool> consume, CancellationToken cancel)
    {
        var free = new Stack<PageBatch>();
        for (int i = 0; i < (2 * _threads) + 1; i++)
            free.Push(new(pageSize));
        var order = new Queue<PageBatch>();
        IEnumerator<ulong> pages = KeptPages().GetEnumerator();
        bool more = true;
        while (more || order.Count > 0)
        {
            while (more && !cancel.IsCancellationRequested && free.TryPop(out PageBatch? batch))
            {
                more = Fill(batch, pages);
                if (!more)
                    break;
                batch.Done.Reset();
                order.Enqueue(batch);
                work.Add(batch);
            }

            if (cancel.IsCancellationRequested)
                return;
            if (!order.TryDequeue(out PageBatch? oldest))
                return;
            oldest.Done.Wait();
            if (oldest.Failure is { } failure)
                throw new InvalidOperationException(failure.Message, failure);
            if (!consume(oldest))
                return;
            free.Push(oldest);
        }
    }

    private void Work(BlockingCollection<PageBatch> work)
    {
        using IPageCompressor? compressor = CreateCompressor();
        foreach (PageBatch batch in work.GetConsumingEnumerable())
        {
            try
            {
                batch.Process(_plan.Dump.SafeMemory, compressor, DropZero);
            }
#pragma warning disable CA1031 // Whatever it is, the thread that waits for the batch must hear of it.
            catch (Exception e)
            {
                batch.Failure = e;
            }
#pragma warning restore CA1031
            batch.Done.Set();
        }
    }

    private IPageCompressor? CreateCompressor() =>
        _plan.Options.Output == DumpOutput.Elf || _plan.Options.Codec == PageCodec.None ? null : PageCodecs.CreateCompressor(_plan.Options.Codec);

    private static bool Fill(PageBatch batch, IEnumerator<ulong> pages)
    {
        int count = 0;
        while (count < batch.Capacity && pages.MoveNext())
            batch.Pfns[count++] = pages.Current;
        batch.Count = count;
        return count > 0;
    }

    private IEnumerable<ulong> KeptPages()
    {
        WindowClassifier classifier = _plan.CreateClassifier();
        var window = new PlanWindow();
        foreach (ulong number in _plan.Windows())
        {
            if (!_cache.TryGet(number, window.Kept))
                classifier.Classify(number, window);
            ulong first = number << PlanWindow.Shift;
            for (int word = 0; word < PlanWindow.Words; word++)
            {
                ulong bits = window.Kept[word];
                while (bits != 0)
                {
                    yield return first + (ulong)((word << 6) + System.Numerics.BitOperations.TrailingZeroCount(bits));
                    bits &= bits - 1;
                }
            }
        }
    }
}
