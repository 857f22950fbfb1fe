import { ProtobufWriter } from './protobuf-writer.js';
import type { Timeline, TimelineSlice } from './timeline.js';

/** Field numbers of `perfetto/trace/trace.proto` and what it includes. */
const TRACE_PACKET = 1;
const PACKET = { timestamp: 8, sequenceId: 10, trackEvent: 11, sequenceFlags: 13, trackDescriptor: 60 };
const DESCRIPTOR = { uuid: 1, name: 2, process: 3, thread: 4, parentUuid: 5, counter: 8 };
const PROCESS = { pid: 1, name: 6 };
const THREAD = { pid: 1, tid: 2, name: 5 };
const COUNTER = { unitName: 6 };
const EVENT = {
  debugAnnotations: 4,
  type: 9,
  trackUuid: 11,
  name: 23,
  counterValue: 30,
  flowIds: 47,
  terminatingFlowIds: 48,
};
const ANNOTATION = { uint: 3, string: 6, name: 10 };
const TYPE_SLICE_BEGIN = 1;
const TYPE_SLICE_END = 2;
const TYPE_INSTANT = 3;
const TYPE_COUNTER = 4;
const INCREMENTAL_STATE_CLEARED = 1;

const SEQUENCE = 1;
const GROUP_UUID = 1000;
const TRACK_UUID = 2000;
const COUNTER_UUID = 1_000_000;

/**
 * A timeline in the protobuf format of Perfetto (ui.perfetto.dev), a piece at a time: a process for each group, a thread for each
 * track, arrows for flows, counters. Pieces put together are one trace.
 */
export function* perfettoTrace(timeline: Timeline): Generator<Uint8Array> {
  const encoder = new PerfettoEncoder();
  yield encoder.descriptors(timeline);
  yield* encoder.events(timeline);
  yield encoder.counters(timeline);
}

/** Packets that are handed on at a time. */
const PACKETS = 4096;

class PerfettoEncoder {
  private readonly out = new ProtobufWriter();
  private readonly packet = new ProtobufWriter();
  private readonly body = new ProtobufWriter();
  private readonly part = new ProtobufWriter();
  private packets = 0;

  descriptors({ title, tracks, counters }: Timeline): Uint8Array {
    const groups = [...new Set(tracks.map(({ group }) => group))];
    for (const [at, group] of groups.entries()) {
      this.part.clear();
      this.part.uint(PROCESS.pid, at + 1).string(PROCESS.name, `${title}: ${group}`);
      this.body.clear();
      this.body.uint(DESCRIPTOR.uuid, GROUP_UUID + at).message(DESCRIPTOR.process, this.part);
      this.descriptor(at === 0);
    }
    for (const { id, name, group } of tracks) {
      this.part.clear();
      const pid = groups.indexOf(group) + 1;
      this.part
        .uint(THREAD.pid, pid)
        .uint(THREAD.tid, TRACK_UUID + id)
        .string(THREAD.name, name);
      this.body.clear();
      this.body.uint(DESCRIPTOR.uuid, TRACK_UUID + id).message(DESCRIPTOR.thread, this.part);
      this.descriptor(false);
    }
    for (const [at, { name, unit }] of counters.entries()) {
      this.part.clear();
      this.part.string(COUNTER.unitName, unit);
      this.body.clear();
      this.body.uint(DESCRIPTOR.uuid, COUNTER_UUID + at).string(DESCRIPTOR.name, name);
      this.body.message(DESCRIPTOR.counter, this.part);
      this.descriptor(false);
    }
    return this.take();
  }

  /** Beginnings and ends in the order of time on each track; packets may be in any order between tracks. */
  *events({ slices }: Timeline): Generator<Uint8Array> {
    for (const slice of slices) {
      this.begin(slice);
      if (slice.ns > 0) this.event(slice.start + slice.ns, TYPE_SLICE_END, TRACK_UUID + slice.track);
      if (this.packets >= PACKETS) yield this.take();
    }
    yield this.take();
  }

  counters({ counters }: Timeline): Uint8Array {
    for (const [at, { times, values }] of counters.entries()) {
      for (const [i, time] of times.entries()) {
        this.body.clear();
        this.body.uint(EVENT.type, TYPE_COUNTER).uint(EVENT.trackUuid, COUNTER_UUID + at);
        this.body.uint(EVENT.counterValue, values[i] ?? 0);
        this.trackEvent(time);
      }
    }
    return this.take();
  }

  private begin(slice: TimelineSlice): void {
    const { body, part } = this;
    body.clear();
    body.uint(EVENT.type, slice.ns > 0 ? TYPE_SLICE_BEGIN : TYPE_INSTANT);
    body.uint(EVENT.trackUuid, TRACK_UUID + slice.track).string(EVENT.name, slice.name);
    for (const [name, value] of Object.entries(slice.details)) {
      part.clear();
      part.string(ANNOTATION.name, name);
      if (typeof value === 'string') part.string(ANNOTATION.string, value);
      else if (value >= 0) part.uint(ANNOTATION.uint, value);
      else part.string(ANNOTATION.string, String(value));
      body.message(EVENT.debugAnnotations, part);
    }
    if (slice.flow > 0) body.fixed64(slice.ends ? EVENT.terminatingFlowIds : EVENT.flowIds, slice.flow);
    this.trackEvent(slice.start);
  }

  private event(time: number, type: number, track: number): void {
    this.body.clear();
    this.body.uint(EVENT.type, type).uint(EVENT.trackUuid, track);
    this.trackEvent(time);
  }

  private trackEvent(time: number): void {
    this.packet.clear();
    this.packet.uint(PACKET.timestamp, Math.round(time)).uint(PACKET.sequenceId, SEQUENCE);
    this.packet.message(PACKET.trackEvent, this.body);
    this.out.message(TRACE_PACKET, this.packet);
    this.packets++;
  }

  private descriptor(first: boolean): void {
    this.packet.clear();
    this.packet.uint(PACKET.sequenceId, SEQUENCE);
    if (first) this.packet.uint(PACKET.sequenceFlags, INCREMENTAL_STATE_CLEARED);
    this.packet.message(PACKET.trackDescriptor, this.body);
    this.out.message(TRACE_PACKET, this.packet);
  }

  private take(): Uint8Array {
    const bytes = this.out.bytes();
    this.out.clear();
    this.packets = 0;
    return bytes;
  }
}
