import type { RunView } from '../engine/run-view.js';

/** An entry of the Trace Event format, which ui.perfetto.dev opens. Times in us. */
type TraceEntry =
  | { ph: 'M'; name: 'process_name' | 'thread_name'; pid: number; tid: number; args: { name: string } }
  | {
      ph: 'X';
      name: string;
      cat: string;
      pid: number;
      tid: number;
      ts: number;
      dur: number;
      args: Record<string, number | string>;
    }
  | {
      ph: 'i';
      name: string;
      cat: string;
      pid: number;
      tid: number;
      ts: number;
      s: 't';
      args: Record<string, number | string>;
    }
  | { ph: 'C'; name: string; pid: number; tid: number; ts: number; args: Record<string, number> };

/** The runs as one file for Perfetto: a process for each pane, a thread for each lane, a counter for each counter. */
export function traceEvents(runs: readonly RunView[]): { displayTimeUnit: 'ns'; traceEvents: TraceEntry[] } {
  const entries: TraceEntry[] = [];
  for (const [i, run] of runs.entries()) {
    const pid = i + 1;
    entries.push({
      ph: 'M',
      name: 'process_name',
      pid,
      tid: 0,
      args: { name: `${run.title} on ${run.gpu}` },
    });
    for (const [tid, name] of run.lanes.entries()) {
      entries.push({ ph: 'M', name: 'thread_name', pid, tid: tid + 1, args: { name } });
    }
    addEvents(run, pid, entries);
    for (const { label, time, value } of run.counters) {
      for (let at = 0; at < time.length; at++) {
        if (at > 0 && value[at] === value[at - 1]) continue;
        entries.push({
          ph: 'C',
          name: label,
          pid,
          tid: 0,
          ts: (time[at] ?? 0) / 1000,
          args: { value: value[at] ?? 0 },
        });
      }
    }
  }
  return { displayTimeUnit: 'ns', traceEvents: entries };
}

function addEvents(run: RunView, pid: number, entries: TraceEntry[]): void {
  const { events, kinds, statements } = run;
  for (let i = 0; i < events.length; i++) {
    const kind = kinds[events.kind[i] ?? 0] ?? '';
    const name = kind === 'program:statement' ? (statements[events.value[i] ?? 0]?.text ?? kind) : kind;
    const cat = kind.replace(/:.*/, '');
    const ts = (events.time[i] ?? 0) / 1000;
    const dur = ((events.end[i] ?? 0) - (events.time[i] ?? 0)) / 1000;
    const tid = (events.lane[i] ?? 0) + 1;
    const args = { page: events.page[i] ?? 0, pages: events.pages[i] ?? 0, value: events.value[i] ?? 0 };
    if (dur > 0) entries.push({ ph: 'X', name, cat, pid, tid, ts, dur, args });
    else entries.push({ ph: 'i', name, cat, pid, tid, ts, s: 't', args });
  }
}
