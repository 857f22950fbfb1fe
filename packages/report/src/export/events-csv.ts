import { type Trace, tracepoint } from '@hmm/kernel';

/** Every event as a line of CSV, under the tracepoints' own names, a piece at a time. Times in ns, addresses in bytes. */
export function* eventsCsv(trace: Trace, agents: readonly string[]): Generator<string> {
  yield 'time_ns,agent,event,address,pages,value\n';
  let piece = '';
  for (let i = 0; i < trace.length; i++) {
    const agent = trace.agent[i] ?? 0;
    const address = `0x${((trace.page[i] ?? 0) * 4096).toString(16)}`;
    const name = agents[agent] ?? `agent ${agent}`;
    piece += `${trace.time[i] ?? 0},${quoted(name)},${tracepoint(trace.kind[i] ?? 0).name},${address},${trace.pages[i] ?? 0},${trace.value[i] ?? 0}\n`;
    if (piece.length < 65536) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

/** The events as JSON, one object each, a piece at a time. */
export function* eventsJson(trace: Trace, agents: readonly string[]): Generator<string> {
  yield '{"version":1,"events":[';
  for (let i = 0; i < trace.length; i++) {
    const { time, agent, kind, page, length, value } = trace.at(i);
    const event = {
      time_ns: time,
      agent: agents[agent] ?? '',
      event: tracepoint(kind).name,
      page,
      pages: length,
      value,
    };
    yield `${i === 0 ? '' : ','}\n${JSON.stringify(event)}`;
  }
  yield '\n]}\n';
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
