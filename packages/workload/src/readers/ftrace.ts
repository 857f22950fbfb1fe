import { kernelEvent, kernelTimeNs } from './kernel-events.js';
import { forEachLine, type LineDecoder } from './line-splitter.js';
import { textOf } from './text-of.js';
import type { TraceOutput } from './trace-output.js';
import { lineStage, type StreamFormat } from './stream-format.js';

const SHAPE = 'COMM-TID [CPU] FLAGS SECONDS.USECS: EVENT: FIELDS';

/** Anchored on `[cpu] flags time: event:`; the comm in front may hold spaces, dashes and brackets. */
const BODY = /\[\d{1,5}\] +(?:[^\s\d]\S* +|\S{4,6} +)?(\d+)\.(\d{6,9}): (?:[\w-]+:)?([\w-]+): ?/;
/** Events that the ring has overwritten before they were read. */
const LOST = /^CPU:\d+ \[LOST (\d{1,15})? ?EVENTS\]/;
const TASK = /-(\d+) +(?:\([ \d-]+\) +)?$/;

/** The text of `/sys/kernel/tracing/trace` (or `trace_pipe`, or `trace-cmd report`), default format. */
export class FtraceDecoder implements LineDecoder {
  private readonly out: TraceOutput;

  constructor(out: TraceOutput) {
    this.out = out;
  }

  lines(bytes: Uint8Array, start: number, end: number): void {
    forEachLine(this.out, bytes, start, end, (line, from, to) => {
      this.line(line, from, to);
    });
  }

  private line(bytes: Uint8Array, from: number, to: number): void {
    const { out } = this;
    const text = textOf(bytes, from, Math.min(to, from + 1024));
    const body = BODY.exec(text);
    const task = body === null ? null : TASK.exec(text.slice(0, body.index));
    if (body === null || task === null) {
      const lost = LOST.exec(text);
      if (lost !== null) out.skip('lost', Number(lost[1] ?? 1));
      else if (/^\s*(?:#|$|cpus=|version =| => |<|CPU \d)/.test(text)) out.skip('comment');
      else out.malformedLine(SHAPE, bytes, from, to);
      return;
    }
    kernelEvent(out, {
      tid: Number(task[1]),
      time: kernelTimeNs(body[1] ?? '0', body[2] ?? '0'),
      event: body[3] ?? '',
      fields: text.slice(body.index + body[0].length).trimStart(),
    });
  }
}

/** The format for the list of formats. */
export const FTRACE: StreamFormat<'ftrace'> = {
  name: 'ftrace',
  title: 'ftrace',
  line: /^# tracer: |^\s*\S.*-\d+ +(?:\([ \d-]+\) )?\[\d+\] \S+ +\d+\.\d+: \w+: /,
  open: (out, options) => lineStage(out, new FtraceDecoder(out), options),
};
