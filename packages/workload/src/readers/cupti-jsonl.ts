import {
  ACCESS_ATOMIC,
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  AGENT_CPU,
  AGENT_GPU,
  NO_TIME,
} from './access-batch.js';
import type { TraceEventName } from './event-batch.js';
import { forEachLine, type LineDecoder } from './line-splitter.js';
import { textOf } from './text-of.js';
import type { TraceOutput } from './trace-output.js';
import { lineStage, type StreamFormat } from './stream-format.js';

/** Which agent a step's accesses come from, the first GPU for any, and their kind. */
const STEP_OPS: ReadonlyMap<string, readonly [agent: number, kind: number]> = new Map([
  ['cpu_write', [AGENT_CPU, ACCESS_WRITE]],
  ['cpu_read', [AGENT_CPU, ACCESS_READ]],
  ['gpu_chain_read', [AGENT_GPU, ACCESS_READ]],
  ['gpu_chain_write', [AGENT_GPU, ACCESS_WRITE]],
  ['gpu_chain_atomic', [AGENT_GPU, ACCESS_ATOMIC]],
  ['gpu_par_read', [AGENT_GPU, ACCESS_READ]],
  ['gpu_par_write', [AGENT_GPU, ACCESS_WRITE]],
  ['gpu_stream_read', [AGENT_GPU, ACCESS_READ]],
]);

const EVENTS: readonly TraceEventName[] = [
  'cpu_fault',
  'gpu_fault',
  'htod',
  'dtoh',
  'dtod',
  'thrash',
  'throttle',
  'remote_map',
];

/** A step on a GPU by number: `gpu1_chain_read`. */
const NUMBERED = /^gpu(\d{1,2})_/;
/** Who does a request, at its end: `prefetch_gpu`, `prefetch_gpu1`. */
const REQUESTED_OF = /_gpu(\d{0,2})$/;
/** Events whose processor is where data goes to; of others it is the source. */
const TO_DESTINATION: readonly TraceEventName[] = ['htod', 'dtod'];

const SHAPE = 'a JSON object with e, op, run or end';

type Fields = Record<string, unknown>;

/** GPUs that an event can name. */
const MOST_GPUS = 31;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const num = (fields: Fields, key: string, otherwise = 0): number => {
  const value = fields[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
};

/** CUPTI numbers accesses as `ACCESS_*` does, with 0 for unknown: then a read. */
const accessOf = (type: number): number =>
  type >= ACCESS_READ && type <= ACCESS_PREFETCH ? type : ACCESS_READ;

const str = (fields: Fields, key: string): string => {
  const value = fields[key];
  return typeof value === 'string' ? value : '';
};

/** Whose an event is: GPU faults and copies name theirs by number; -1 is the CPU, and of a set of processors it is the first GPU. */
function agentOf(name: TraceEventName, fields: Fields): number {
  if (name === 'cpu_fault') return AGENT_CPU;
  if (name === 'thrash') return AGENT_GPU;
  const gpu = num(fields, TO_DESTINATION.includes(name) ? 'dst' : 'src');
  return gpu < 0 ? AGENT_CPU : AGENT_GPU + Math.min(gpu, MOST_GPUS - 1);
}

/**
 * JSON lines of CUPTI unified-memory records: a head (`run`, `scenario`, `bytes`) per managed allocation, a line per step
 * with the pages touched in order, and a line per event. Page numbers are relative to the allocation, which an `alloc`
 * observation announces (`label` the scenario, `value` the run). A fault's `flags` is an `ACCESS_*`, a migration's its cause.
 */
export class CuptiJsonlDecoder implements LineDecoder {
  private readonly out: TraceOutput;
  private blocks = 0;

  constructor(out: TraceOutput) {
    this.out = out;
  }

  lines(bytes: Uint8Array, start: number, end: number): void {
    forEachLine(this.out, bytes, start, end, (line, from, to) => {
      if (from === to) {
        this.out.skip('comment');
        return;
      }
      let value: unknown;
      try {
        value = JSON.parse(textOf(line, from, to));
      } catch {
        value = undefined;
      }
      if (!isObject(value) || !this.object(value)) this.out.malformedLine(SHAPE, line, from, to);
    });
  }

  private object(fields: Fields): boolean {
    if ('e' in fields) return this.observation(fields);
    if ('op' in fields) return this.step(fields);
    if ('scenario' in fields) {
      const bytes = num(fields, 'bytes', -1);
      if (bytes < 0) return false;
      const place = { time: 0, page: 0, bytes, thread: this.blocks++ };
      this.out.event({ name: 'alloc', ...place, value: num(fields, 'run'), label: str(fields, 'scenario') });
      return true;
    }
    this.out.skip('other-event');
    return 'end' in fields || 'hist' in fields;
  }

  private observation(fields: Fields): boolean {
    const name = EVENTS.find((known) => known === fields['e']);
    if (name === undefined) {
      this.out.skip('other-event');
      return typeof fields['e'] === 'string';
    }
    const at = num(fields, 'at', -1);
    const time = num(fields, 't', -1);
    if (at < 0 || time < 0) return false;
    const fault = name === 'cpu_fault' || name === 'gpu_fault';
    const moves = !fault && name !== 'throttle';
    const flags = num(fields, 'f');
    this.out.event({
      name,
      time,
      duration: num(fields, 'dt', -1),
      page: Math.floor(at / 4096),
      offset: at % 4096,
      bytes: moves ? num(fields, 'v') : 0,
      value: num(fields, 'v'),
      flags: fault ? accessOf(flags) : flags,
      agent: agentOf(name, fields),
    });
    return true;
  }

  private step(fields: Fields): boolean {
    const op = str(fields, 'op');
    const shape = STEP_OPS.get(op.replace(NUMBERED, 'gpu_'));
    const time = num(fields, 't0', NO_TIME);
    if (shape === undefined) return this.request(op, fields, time);
    const pages: unknown = fields['pages'];
    if (!Array.isArray(pages) || (pages.length === 0 && num(fields, 'count') > 0)) {
      this.out.skip('no-pages');
      return true;
    }
    const [any, kind] = shape;
    const agent = any + Number(NUMBERED.exec(op)?.[1] ?? 0);
    for (const page of pages) {
      if (!Number.isSafeInteger(page) || page < 0) return false;
      this.out.access(Number(page), 0, 1, kind, agent, 0, time);
    }
    return true;
  }

  /** Advice, prefetch and duels: requests of the program that are no accesses. */
  private request(op: string, fields: Fields, time: number): boolean {
    const name = op === 'duel' ? 'duel' : op.startsWith('prefetch_') ? 'prefetch' : 'advise';
    const duration = num(fields, 't1', time) - time;
    const label = op === 'duel' ? str(fields, 'order') : op;
    const gpu = REQUESTED_OF.exec(op);
    const agent = gpu === null ? AGENT_CPU : AGENT_GPU + Number(gpu[1]);
    this.out.event({ name, time, duration, agent, label });
    return op !== '';
  }
}

/** The format for the list of formats. */
export const CUPTI_JSONL: StreamFormat<'cupti-jsonl'> = {
  name: 'cupti-jsonl',
  title: 'CUPTI JSON lines',
  line: /^\{"(?:run|e|t0|end|hist)":/,
  open: (out, options) => lineStage(out, new CuptiJsonlDecoder(out), options),
};
