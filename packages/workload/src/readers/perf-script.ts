import { kernelEvent, kernelTimeNs } from './kernel-events.js';
import { forEachLine, type LineDecoder } from './line-splitter.js';
import { textOf } from './text-of.js';
import type { TraceOutput } from './trace-output.js';
import { lineStage, type StreamFormat } from './stream-format.js';

const SHAPE = 'COMM PID/TID [CPU] SECONDS.USECS: EVENT: FIELDS';

/** `pid/tid`, `tid`, an optional `[cpu]`, the time, an optional period, the event. Anchored on the time. */
const TIME = /(?<=^|\s)(\d{1,12})\.(\d{6,9}): +(?:\d{1,20} +)?(?:([\w-]+):)?([\w-]+): */;
const HEAD = /(?:^|\s)(?:(\d+)\/)?(\d+) +(?:\[\d+\] +)?$/;

/** `subsystem:event` names the event last; `page-faults:u` has a modifier there. */
function eventName(first: string | undefined, last: string): string {
  return first?.endsWith('-faults') === true ? first : last;
}

/**
 * `perf script` text with page-fault and migrate events. Comms may hold spaces, so that a line is read outwards from
 * its time stamp. Call-chain lines (indented, without a time) are comments.
 */
export class PerfScriptDecoder implements LineDecoder {
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
    const time = TIME.exec(text);
    if (time === null) {
      if (text.trim() === '' || /^(?:#|\s)/.test(text)) out.skip('comment');
      else out.malformedLine(SHAPE, bytes, from, to);
      return;
    }
    const head = HEAD.exec(text.slice(0, time.index));
    if (head === null) {
      out.malformedLine(SHAPE, bytes, from, to);
      return;
    }
    kernelEvent(out, {
      tid: Number(head[2]),
      time: kernelTimeNs(time[1] ?? '0', time[2] ?? '0'),
      event: eventName(time[3], time[4] ?? ''),
      fields: text.slice(time.index + time[0].length),
    });
  }
}

/** The format for the list of formats. */
export const PERF_SCRIPT: StreamFormat<'perf-script'> = {
  name: 'perf-script',
  title: 'perf script',
  line: /^\s*\S.*\s\d+(?:\/\d+)?\s+(?:\[\d+\]\s+)?\d+\.\d+:\s+(?:\d+\s+)?[\w:-]+:/,
  open: (out, options) => lineStage(out, new PerfScriptDecoder(out), options),
};
