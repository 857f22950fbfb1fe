import { defineTracepoint, Trace } from '@hmm/kernel';
import { EVENT_DEVICE_FAULT, EVENT_OTHER, EVENT_REPLAY, EVENT_TO_DEVICE } from '@hmm/kernel/internal';
import { chromeTrace, makeTimeline, perfettoTrace, type Timeline } from '@hmm/report';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';

/**
 * The part of Perfetto's public schema that traces of this kind use, read by a parser that knows nothing of the encoder. No npm
 * package carries the schema or the trace processor: by hand, a trace of 14,648 packets was read with `perfetto_trace.proto`
 * of google/perfetto at ec5d16b (2026-08-22) and came back to the byte's count, and these fields were compared with that file's.
 */
const SCHEMA = `
syntax = "proto2";
message Trace { repeated TracePacket packet = 1; }
message TracePacket {
  optional uint64 timestamp = 8; optional uint32 trusted_packet_sequence_id = 10;
  optional TrackEvent track_event = 11; optional uint32 sequence_flags = 13; optional TrackDescriptor track_descriptor = 60;
}
message TrackDescriptor {
  optional uint64 uuid = 1; optional string name = 2; optional ProcessDescriptor process = 3;
  optional ThreadDescriptor thread = 4; optional uint64 parent_uuid = 5; optional CounterDescriptor counter = 8;
}
message ProcessDescriptor { optional int32 pid = 1; optional string process_name = 6; }
message ThreadDescriptor { optional int32 pid = 1; optional int64 tid = 2; optional string thread_name = 5; }
message CounterDescriptor { optional string unit_name = 6; }
message TrackEvent {
  enum Type { TYPE_UNSPECIFIED = 0; TYPE_SLICE_BEGIN = 1; TYPE_SLICE_END = 2; TYPE_INSTANT = 3; TYPE_COUNTER = 4; }
  repeated DebugAnnotation debug_annotations = 4; optional Type type = 9; optional uint64 track_uuid = 11;
  optional string name = 23; optional int64 counter_value = 30;
  repeated fixed64 flow_ids = 47; repeated fixed64 terminating_flow_ids = 48;
}
message DebugAnnotation { optional uint64 uint_value = 3; optional string string_value = 6; optional string name = 10; }
`;

interface Packet {
  readonly timestamp?: number;
  readonly trackEvent?: {
    readonly type: string;
    readonly trackUuid: number;
    readonly name?: string;
    readonly counterValue?: number;
    readonly flowIds?: readonly number[];
    readonly terminatingFlowIds?: readonly number[];
  };
  readonly trackDescriptor?: {
    readonly uuid: number;
    readonly name?: string;
    readonly process?: { readonly processName: string };
    readonly thread?: { readonly threadName: string };
  };
}

const FAULT = defineTracepoint('test:fault', { value: '', means: EVENT_DEVICE_FAULT, says: 'a fault' });
const MIGRATION = defineTracepoint('test:move', { value: '', means: EVENT_TO_DEVICE, says: 'pages move' });
const REPLAY = defineTracepoint('test:replay', { value: '', means: EVENT_REPLAY, says: 'a replay' });
const OTHER = defineTracepoint('test:other', { value: '', means: EVENT_OTHER, says: 'something' });
const TO_DEVICE = 0;

/** Two faults, a transfer, a replay, and an event of a CPU thread before. */
function timeline(): Timeline {
  const trace = new Trace();
  trace.emit(OTHER, 50, 1, 7, 1, 0);
  trace.emit(FAULT, 100, 2, 16, 1, 1);
  trace.emit(FAULT, 100, 2, 17, 1, 1);
  trace.emit(MIGRATION, 200, 2, 16, 16, TO_DEVICE);
  trace.emit(REPLAY, 900, 2, 0, 0, 1);
  const way = { baseNs: 100, gbs: 64 };
  const locks = [{ lock: 'mmap_lock', agent: 'main', start: 10, end: 40 }];
  const agents = ['boot', 'main', 'kernel'];
  return makeTimeline({ title: 'test', trace, agents, link: { toDevice: way, toHost: way }, locks });
}

const TRACE_TYPE = protobuf.parse(SCHEMA).root.lookupType('Trace');

function decoded(pieces: Iterable<Uint8Array>): Packet[] {
  const type = TRACE_TYPE;
  const message = type.decode(Buffer.concat([...pieces]));
  const plain: { packet?: Packet[] } = type.toObject(message, { longs: Number, enums: String });
  return plain.packet ?? [];
}

describe('a Perfetto trace, as another parser reads it', () => {
  const packets = decoded(perfettoTrace(timeline()));
  const nameOf = new Map(
    packets.flatMap(({ trackDescriptor: d }) =>
      d?.thread === undefined ? [] : [[d.uuid, d.thread.threadName]],
    ),
  );
  const events = packets.flatMap(({ timestamp, trackEvent }) =>
    trackEvent === undefined ? [] : [{ ...trackEvent, timestamp, track: nameOf.get(trackEvent.trackUuid) }],
  );

  test('has nothing in it that the schema does not know', () => {
    const bytes = Buffer.concat([...perfettoTrace(timeline())]);
    expect(TRACE_TYPE.encode(TRACE_TYPE.decode(bytes)).finish()).toHaveLength(bytes.length);
  });

  test('has a track for each agent, engine and lock', () => {
    expect([...nameOf.values()].sort()).toEqual([
      'copy engine to device',
      'copy engine to host',
      'fault worker',
      'main',
      'mmap_lock',
      'warps',
    ]);
  });

  test('an arrow goes from the faults over the batch and the transfer to the replay', () => {
    const flow = events.filter(
      (e) => e.flowIds?.includes(1) === true || e.terminatingFlowIds?.includes(1) === true,
    );
    expect(flow.map((e) => [e.timestamp, e.track])).toEqual([
      [100, 'fault worker'],
      [100, 'warps'],
      [100, 'warps'],
      [200, 'copy engine to device'],
      [900, 'warps'],
    ]);
    expect(flow.at(-1)?.terminatingFlowIds).toEqual([1]);
  });

  test('the batch lasts to its replay, the transfer as long as the link takes', () => {
    const on = (track: string): (string | number | undefined)[][] =>
      events.filter((e) => e.track === track).map((e) => [e.type, e.timestamp]);
    expect(on('fault worker')).toEqual([
      ['TYPE_SLICE_BEGIN', 100],
      ['TYPE_SLICE_END', 900],
    ]);
    expect(on('copy engine to device')).toEqual([
      ['TYPE_SLICE_BEGIN', 200],
      ['TYPE_SLICE_END', 200 + 100 + (16 * 4096) / 64],
    ]);
  });

  test('counters have their values', () => {
    const values = events.flatMap(({ type, counterValue }) =>
      type === 'TYPE_COUNTER' ? [counterValue] : [],
    );
    expect(values).toEqual([16, 2, 16 * 4096]);
  });
});

test('Chrome trace events are JSON with the same slices and flows', () => {
  const parsed: unknown = JSON.parse([...chromeTrace(timeline())].join(''));
  expect(parsed).toMatchObject({
    traceEvents: expect.arrayContaining([
      expect.objectContaining({ name: 'batch 1', ph: 'X', ts: 0.1, dur: 0.8 }),
      expect.objectContaining({ name: 'fault', ph: 's', id: 1 }),
      expect.objectContaining({ name: 'fault', ph: 'f', id: 1, ts: 0.9 }),
    ]) as unknown,
  });
});
