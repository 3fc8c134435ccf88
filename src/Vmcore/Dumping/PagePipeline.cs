namespace Vmcore.Dumping;

/// <summary>
/// Takes kept pages through reading and compression to a consumer, in ascending order. Workers take whole batches, and the output does not depend
/// on their number.
/// </summary>
internal sealed class PagePipeline
{
    private readonly DumpPlan _plan;
    private readonly PlanCache _cache;
    private readonly Workers _workers;

    internal PagePipeline(DumpPlan plan, PlanCache cache, Workers workers)
    {
        _plan = plan;
        _cache = cache;
        _workers = workers;
    }

    /// <summary>Runs until all pages are consumed.</summary>
    /// <param name="consume">Gets each batch in order; returns false to stop.</param>
    /// <param name="cancel">Stops at the next batch.</param>
    internal void Run(Func<PageBatch, bool> consume, CancellationToken cancel)
    {
        var pages = new KeptPages(_plan, _cache, _workers);
        Memory.CrashMemory memory = _plan.CopySource;
        bool dropZero = (_plan.Options.Level & Memmap.DumpLevel.Zero) != 0;
        _workers.RunInOrder<PageBatch>(
            () => new(memory, _plan.Options.IsCompressing ? PageBatch.CompressedBytes : PageBatch.MovedBytes, dropZero, _plan.Options.ShareEqualPages),
            batch => !cancel.IsCancellationRequested && (batch.Count = pages.Take(batch.Pfns)) > 0,
            batch => !cancel.IsCancellationRequested && consume(batch));
    }
}
