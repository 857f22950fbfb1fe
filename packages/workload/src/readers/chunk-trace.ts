import { ACCESS_READ, AGENT_GPU } from './access-batch.js';
import { forEachLine, type LineDecoder } from './line-splitter.js';
import { lineStage, type StreamFormat } from './stream-format.js';
import { textOf } from './text-of.js';
import type { TraceOutput } from './trace-output.js';

/** Columns of today's tool; older ones had no processes. A header in the file says otherwise. */
const COLUMNS =
  'time_ms,hook_type,pid,owner_pid,va_space,cpu,chunk_addr,list_addr,va_block,va_start,va_end,va_page_index';
const SHAPE = `a line such as '${COLUMNS}'`;
const MS = 1e6;

/** Hooks at which a chunk of device memory serves a page: it was given out, or used again. */
const USES: readonly string[] = ['ACTIVATE', 'POPULATE'];

/**
 * The CSV of gpu_ext's `chunk_trace`: what NVIDIA's driver did with chunks of device memory, by the page that it did it for. A chunk that is
 * given out or used again was faulted on by the GPU: an access of that page, in the name of the process that owns it. What leaves again
 * (`DEPOPULATE`, `EVICTION_PREPARE`) is counted as `other-event`. Reads and writes are not told apart.
 */
export class ChunkTraceDecoder implements LineDecoder {
  private readonly out: TraceOutput;
  private columns: readonly string[] = COLUMNS.split(',');

  constructor(out: TraceOutput) {
    this.out = out;
  }

  lines(bytes: Uint8Array, start: number, end: number): void {
    forEachLine(this.out, bytes, start, end, (line, from, to) => {
      const text = textOf(line, from, to);
      if (text.startsWith('time_ms,')) this.columns = text.split(',');
      if (text === '' || text.startsWith('#') || text.startsWith('time_ms,')) this.out.skip('comment');
      else if (!this.row(text.split(','))) this.out.malformedLine(SHAPE, line, from, to);
    });
  }

  private row(cells: readonly string[]): boolean {
    const cell = (name: string): string => cells[this.columns.indexOf(name)] ?? '';
    const hook = cell('hook_type');
    const time = Number(cell('time_ms'));
    if (hook === '' || !Number.isFinite(time)) return false;
    const first = Number(cell('va_start'));
    if (!USES.includes(hook) || first === 0) {
      this.out.skip(USES.includes(hook) ? 'no-address' : 'other-event');
      return true;
    }
    const page = Number(cell('va_page_index'));
    if (!Number.isInteger(first) || !Number.isInteger(page)) return false;
    const owner = Number(cell('owner_pid'));
    this.out.access(Math.floor(first / 4096) + page, 0, 1, ACCESS_READ, AGENT_GPU, owner, time * MS);
    return true;
  }
}

/** The format for the list of formats. */
export const CHUNK_TRACE: StreamFormat<'chunk-trace'> = {
  name: 'chunk-trace',
  title: 'chunk_trace of gpu_ext',
  line: /^(?:time_ms,hook_type,|\d+,(?:ACTIVATE|POPULATE|DEPOPULATE|EVICTION_PREPARE),)/,
  open: (out, options) => lineStage(out, new ChunkTraceDecoder(out), options),
};
