using System.Runtime.ExceptionServices;

namespace Vmcore.Dumping;

/// <summary>A piece of work for one thread.</summary>
internal abstract class WorkerJob
{
    private readonly ManualResetEventSlim _done = new(initialState: true, spinCount: 0);
    private ExceptionDispatchInfo? _failure;

    /// <summary>Does the work.</summary>
    /// <param name="tools">What belongs to the thread.</param>
    protected abstract void Run(WorkerTools tools);

    /// <summary>Marks the job as not done.</summary>
    internal void Reset()
    {
        _failure = null;
        _done.Reset();
    }

    /// <summary>Waits until it is done, without spinning; throws what it failed with.</summary>
    internal void Wait()
    {
        _done.Wait();
        _failure?.Throw();
    }

    internal void Execute(WorkerTools tools)
    {
        try
        {
            Run(tools);
        }
#pragma warning disable CA1031 // Whatever it is, the thread that waits for the job must hear of it.
        catch (Exception e)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
        }
#pragma warning restore CA1031
        _done.Set();
    }
}
