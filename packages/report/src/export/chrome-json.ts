import type { Timeline } from './timeline.js';

/** A timeline as Chrome trace events (chrome://tracing, Perfetto, Firefox Profiler), a piece at a time. */
export function* chromeTrace(timeline: Timeline): Generator<string> {
  const groups = [...new Set(timeline.tracks.map(({ group }) => group))];
  const pidOf = (group: string): number => groups.indexOf(group) + 1;
  const line = (event: object): string => `,\n${JSON.stringify(event)}`;
  yield '{"displayTimeUnit":"ns","traceEvents":[';
  yield JSON.stringify({ ph: 'M', name: 'trace', args: { name: timeline.title } });
  for (const group of groups)
    yield line({ ph: 'M', name: 'process_name', pid: pidOf(group), args: { name: group } });
  for (const { id, name, group } of timeline.tracks)
    yield line({ ph: 'M', name: 'thread_name', pid: pidOf(group), tid: id, args: { name } });
  const begun = new Set<number>();
  for (const slice of timeline.slices) {
    const track = timeline.tracks[slice.track];
    const place = { pid: pidOf(track?.group ?? ''), tid: slice.track, ts: slice.start / 1000 };
    const shape = slice.ns > 0 ? { ph: 'X', dur: slice.ns / 1000 } : { ph: 'i', s: 't' };
    yield line({ name: slice.name, cat: track?.group ?? '', ...shape, ...place, args: slice.details });
    if (slice.flow === 0) continue;
    const ph = slice.ends ? 'f' : begun.has(slice.flow) ? 't' : 's';
    begun.add(slice.flow);
    yield line({ name: 'fault', cat: 'flow', ph, id: slice.flow, bp: 'e', ...place });
  }
  for (const { name, times, values } of timeline.counters) {
    for (const [i, time] of times.entries())
      yield line({ name, ph: 'C', pid: 1, ts: time / 1000, args: { value: values[i] ?? 0 } });
  }
  yield '\n]}\n';
}
