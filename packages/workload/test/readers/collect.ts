/// <reference types="node" />
import { readFileSync } from 'node:fs';
import {
  accessRows,
  TraceReader,
  type AccessRow,
  type EventBatch,
  type TraceObservation,
  type TraceReadOptions,
  type TraceResult,
  type TraceSink,
} from '../../src/readers/index.js';

/** What a reader handed on, as lists. */
export interface Collected {
  readonly result: TraceResult;
  readonly accesses: AccessRow[];
  readonly events: Required<TraceObservation>[];
}

/** The bytes of a file in `test/fixtures`. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../fixtures/${name}`, import.meta.url)));
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export function eventRows(batch: EventBatch): Required<TraceObservation>[] {
  return Array.from({ length: batch.length }, (_, i) => ({
    name: batch.nameAt(i) ?? 'alloc',
    time: batch.time[i] ?? 0,
    duration: batch.duration[i] ?? 0,
    page: batch.page[i] ?? 0,
    offset: batch.offset[i] ?? 0,
    bytes: batch.bytes[i] ?? 0,
    value: batch.value[i] ?? 0,
    flags: batch.flags[i] ?? 0,
    agent: batch.agent[i] ?? 0,
    thread: batch.thread[i] ?? 0,
    label: batch.label[i] ?? '',
  }));
}

/** A sink that keeps everything. */
export function collector(): {
  sink: TraceSink;
  accesses: AccessRow[];
  events: Required<TraceObservation>[];
} {
  const accesses: AccessRow[] = [];
  const events: Required<TraceObservation>[] = [];
  const sink: TraceSink = {
    accesses: (batch) => {
      accesses.push(...accessRows(batch));
    },
    events: (batch) => {
      events.push(...eventRows(batch));
    },
  };
  return { sink, accesses, events };
}

/** Reads `bytes`, cut into chunks of `chunk` bytes. */
export function collect(bytes: Uint8Array, options: TraceReadOptions = {}, chunk = 1 << 16): Collected {
  const { sink, accesses, events } = collector();
  const reader = new TraceReader(sink, options);
  for (let at = 0; at < bytes.length; at += chunk) {
    // A buffer that is overwritten after the call, as streams may do.
    const piece = bytes.slice(at, at + chunk);
    const more = reader.push(piece);
    piece.fill(0xff);
    if (!more) break;
  }
  return { result: reader.end(), accesses, events };
}
