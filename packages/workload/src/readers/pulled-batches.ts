import { HmmError } from '@hmm/kernel';
import { AccessBatch } from './access-batch.js';
import { faultsAsAccesses } from './faults-as-accesses.js';
import { TraceReader, type TraceReadOptions } from './read-trace.js';
import { traceErrorText } from './trace-error.js';

/**
 * The accesses of a trace (and faults, where only those were recorded), read as they are asked for: each call returns the next batch, for
 * the caller to keep, and undefined at the end. `nextBytes` gives the next piece of the trace, undefined at its end.
 * @throws HmmError `TRACE_CHANGED`, at a call, for a trace that cannot be read: whoever asks has read it once to see.
 */
export function pulledBatches(
  nextBytes: () => Uint8Array | undefined,
  options: TraceReadOptions,
): () => AccessBatch | undefined {
  const ready: AccessBatch[] = [];
  const reader = new TraceReader(
    faultsAsAccesses((batch) => ready.push(copyOf(batch))),
    options,
  );
  let ended = false;
  return () => {
    while (ready.length === 0 && !ended) {
      const bytes = nextBytes();
      if (bytes !== undefined && reader.push(bytes)) continue;
      ended = true;
      const result = reader.end();
      if (!result.ok) throw new HmmError('TRACE_CHANGED', traceErrorText(result.error));
    }
    return ready.shift();
  };
}

/** A batch for longer than a reader keeps it. */
function copyOf(batch: AccessBatch): AccessBatch {
  const { length } = batch;
  const copy = new AccessBatch(length);
  copy.page.set(batch.page.subarray(0, length));
  copy.offset.set(batch.offset.subarray(0, length));
  copy.size.set(batch.size.subarray(0, length));
  copy.kind.set(batch.kind.subarray(0, length));
  copy.agent.set(batch.agent.subarray(0, length));
  copy.thread.set(batch.thread.subarray(0, length));
  copy.time.set(batch.time.subarray(0, length));
  copy.length = length;
  return copy;
}
