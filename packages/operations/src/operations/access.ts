import { ACCESS_ATOMIC, ACCESS_READ, ACCESS_WRITE, type AccessKind, type AccessStream } from '@hmm/device';
import { ENODEV, PAGE_SIZE, type Task } from '@hmm/kernel';
import { gpuNumbered, inProcess, noGpu, type OperationContext } from '../context.js';
import { cpuAccesses } from '../cpu-access.js';
import { type Args, operation } from '../definition.js';
import { orderPages } from '../language/order.js';
import { DONE, impossible, type Outcome } from '../outcome.js';
import { counting, order, shapeWord, stored, verb, type AccessWord } from '../parts/access.js';
import { onDevice } from '../parts/devices.js';
import { pages } from '../parts/ranges.js';
import { assigned } from '../parts/values.js';
import { exitProcess, forkProcess } from '../process.js';
import { line } from '../recorded/line.js';
import { SHOWS_READ, SHOWS_SIGNALS } from '../recorded/shown.js';

const KIND: Readonly<Record<AccessWord, AccessKind>> = {
  read: ACCESS_READ,
  write: ACCESS_WRITE,
  atomic: ACCESS_ATOMIC,
};

const PARTS = [
  verb,
  pages,
  order,
  shapeWord,
  stored,
  counting('byte', 0),
  counting('width', 1),
  onDevice,
] as const;

export type AccessArgs = Args<typeof PARTS>;

/** A recorded access: by a CPU, of byte 0 of each page, in order. */
const PLAIN = {
  agent: 'cpu',
  gpu: 0,
  shape: 'serial',
  order: { kind: 'seq', argument: 0 },
  byte: 0,
  width: 1,
  device: '',
} as const;

/** `cpu write a rev = 5`, `gpu read a stride:16 parallel -> x`: accesses of one to four bytes of every page of a range. */
export const access = operation({
  kind: 'access',
  summary: 'Reads, writes or adds to one to four bytes of every page of a range, on a CPU or on a device.',
  word: false,
  parts: PARTS,
  results: true,
  side: 'agent',
  check(s, { fail }) {
    if (s.agent === 'cpu' && s.shape !== 'serial')
      fail(s.span, 'a CPU thread goes page by page: no parallel');
    if (s.agent === 'cpu' && s.device !== undefined) fail(s.device.span, 'a CPU access is on no device');
    if (s.access === 'read' && s.value !== undefined) {
      fail(s.value.span, `a read stores nothing; to check what it read, write '-> x' and 'assert x == …'`);
    }
  },
  refuse({ byte, width, order: { kind, argument }, range }) {
    if (widthOf(width) === undefined) return `a width is 1, 2 or 4 bytes, not ${width}`;
    if (byte < 0 || byte + width > PAGE_SIZE) return `byte ${byte} and ${width} bytes leave the page`;
    const outside = kind === 'page' && (argument < 0 || argument >= range.pages);
    return outside ? `page ${argument} is not in a range of ${range.pages}` : undefined;
  },
  *run(context, args) {
    const stream = streamOf(args);
    if (args.agent === 'gpu') return yield* onDeviceOf(context, args, stream);
    const { signal, bad } = yield* cpuAccesses(context, args.range, stream);
    return new AccessOutcome(stream, signal, (i) => bad[i] === 1, undefined);
  },
  returns: 'values',
  recorded: [
    line('cr', [pages], { ...PLAIN, access: 'read', value: 0, step: 0 }, SHOWS_READ),
    line('cw', [pages, assigned], { ...PLAIN, access: 'write', step: 1 }, SHOWS_SIGNALS),
  ],
});

/** A child is forked, the access is done in it, and its end is waited for. Only recordings have it. */
export const accessInChild = operation({
  kind: 'access_in_child',
  summary: 'Forks, accesses pages in the child, and waits for its end.',
  word: false,
  parts: PARTS,
  results: true,
  side: 'cpu',
  *run(context, args) {
    const mm = yield* forkProcess(context.process);
    if (typeof mm === 'number') return DONE;
    const child = { name: 'child', mm, pins: [], alive: true, openedDevices: () => [] };
    const outcome = yield* access.run(inProcess(context, child), args);
    yield* exitProcess(child);
    return outcome;
  },
  returns: 'values',
  recorded: [
    line('forkcr', [pages], { ...PLAIN, access: 'read', value: 0, step: 0 }, SHOWS_READ, 'races'),
    line('forkcw', [pages, assigned], { ...PLAIN, access: 'write', step: 1 }, SHOWS_SIGNALS, 'races'),
  ],
});

function* onDeviceOf(
  context: OperationContext,
  { device: name, gpu }: AccessArgs,
  stream: AccessStream,
): Task<Outcome> {
  const at = gpuNumbered(context, name, gpu);
  if (at === undefined) return impossible(-ENODEV, noGpu(gpu));
  const device = yield* context.device(at.device);
  if (!device.ok) return impossible(device.errno, device.reason);
  const { errno, done, reason } = yield* device.process.launch(
    at.gpu === 0 ? stream : { ...stream, gpu: at.gpu },
  );
  const bad = (i: number): boolean => errno !== 0 && i >= done;
  const why = `the GPU's access failed after ${done} of ${stream.pages.length}: ${reason}`;
  return new AccessOutcome(stream, errno, bad, errno === 0 ? undefined : why);
}

function streamOf(args: AccessArgs): AccessStream {
  const { range, value, step } = args;
  const order = orderPages(args.order.kind, args.order.argument, range.pages);
  const values = new Uint32Array(order.length);
  if (args.access !== 'read') for (const [i, page] of order.entries()) values[i] = value + step * page;
  return {
    access: KIND[args.access],
    shape: args.shape,
    base: range.vpn,
    pages: order,
    offset: args.byte,
    width: widthOf(args.width) ?? 1,
    values,
  };
}

/** A width that an access can have. */
function widthOf(bytes: number): 1 | 2 | 4 | undefined {
  return bytes === 1 || bytes === 2 || bytes === 4 ? bytes : undefined;
}

/** How an access ended. Its values are put together when somebody asks for them. */
class AccessOutcome implements Outcome {
  readonly rc: number;
  readonly cpages = 0;
  readonly faults = 0;
  readonly why?: string;
  private readonly stream: AccessStream;
  private readonly bad: (i: number) => boolean;

  constructor(stream: AccessStream, rc: number, bad: (i: number) => boolean, why: string | undefined) {
    this.stream = stream;
    this.rc = rc;
    this.bad = bad;
    if (why !== undefined) this.why = why;
  }

  /** What was loaded or stored, by ascending page, -1 where the access failed. */
  get values(): readonly number[] {
    const { pages, values } = this.stream;
    const ascending = Array.from(pages.keys());
    if (ascending.some((i) => i > 0 && (pages[i] ?? 0) < (pages[i - 1] ?? 0)))
      ascending.sort((a, b) => (pages[a] ?? 0) - (pages[b] ?? 0));
    return ascending.map((i) => (this.bad(i) ? -1 : (values?.[i] ?? 0)));
  }
}

/** The operations of this file. */
export const ACCESS_OPERATIONS = [access] as const;
/** Those that only recordings have. */
export const RECORDED_ACCESSES = [accessInChild] as const;
