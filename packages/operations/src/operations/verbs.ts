import { errnoName, type Task } from '@hmm/kernel';
import type { DeviceOperationResult } from '@hmm/device';
import { wcStatusName } from '@hmm/device/internal';
import type { OperationContext } from '../context.js';
import { operation } from '../definition.js';
import type { PageRange } from '../memory-region.js';
import type { Outcome } from '../outcome.js';
import { onDevice } from '../parts/devices.js';
import { pages } from '../parts/ranges.js';
import { assigned } from '../parts/values.js';
import { adviceWord, ofRegion, piece, pieceOfOne, type Rights, rights, shifted } from '../parts/verbs.js';
import { line } from '../recorded/line.js';
import { SHOWS_COMPLETION, SHOWS_ERRNO } from '../recorded/shown.js';
import { onOpenDevice } from './driver-calls.js';

/** The device of recordings with one adapter. */
const ADAPTER = { device: '0' } as const;

/** Bits of `ib_access_flags`: local write 1, remote write 2, remote read 4, remote atomic 8, on demand 64. */
const RIGHT_BITS: Readonly<Record<string, number>> = { r: 4, w: 3, a: 9 };
const ON_DEMAND = 64;

function accessBits(letters: Rights): number {
  let bits = ON_DEMAND;
  for (const letter of letters) bits |= RIGHT_BITS[letter] ?? 0;
  return bits;
}

/** Numbers of `ib_uverbs_advise_mr_advice`. */
const ADVICE = { r: 0, w: 1, nofault: 2 } as const;

interface Verb {
  readonly name: string;
  readonly range: PageRange;
  readonly value?: number;
  readonly operands: readonly number[];
}

/** A verb on a device. What completes with an error fails, and says with which status. */
function call(
  context: OperationContext,
  device: string,
  { name, range, value = 0, operands }: Verb,
): Task<Outcome> {
  return onOpenDevice(context, device, function* (open): Task<Outcome> {
    const reply = yield* open.operation({ name, vpn: range.vpn, pages: range.pages, value, operands });
    return outcomeOf(name, reply);
  });
}

function outcomeOf(name: string, reply: DeviceOperationResult): Outcome {
  if (reply.rc < 0)
    return { ...reply, why: `${name} failed with -${errnoName(reply.rc)} (write 'rc e' to go on)` };
  const status = reply.completions?.[0] ?? 0;
  if (status === 0) return reply;
  const why = `${name} completed with IBV_WC_${wcStatusName(status)} (write 'rc e' to go on)`;
  return { ...reply, rc: -status, why };
}

const NOWHERE: PageRange = { vpn: 0, pages: 0, region: undefined };

const byAddress = (absolute: boolean): number => (absolute ? 1 : 0);

/** What a verb on a piece of a region is given. */
interface PieceArguments {
  readonly mr: number;
  readonly range: PageRange;
  readonly byAddress: boolean;
  readonly device: string;
  /** Bytes by which the piece begins later. */
  readonly shift?: number;
  readonly value?: number;
}

/** Runs the verb `name` on a piece of a region. */
function onPiece(name: string): (context: OperationContext, args: PieceArguments) => Task<Outcome> {
  return (context, { mr, range, byAddress: absolute, device, shift = 0, value = 0 }) =>
    call(context, device, { name, range, value, operands: [mr, shift, byAddress(absolute)] });
}

/** `ropen`: opens the adapter, with a connection to a peer. */
export const ropen = operation({
  kind: 'ropen',
  summary: 'Opens an RDMA adapter, with a connection to a peer.',
  parts: [onDevice],
  results: true,
  side: 'cpu',
  run: (context, { device }) => call(context, device, { name: 'ropen', range: NOWHERE, operands: [] }),
  returns: 'errno',
  recorded: [line('ropen', [], ADAPTER, SHOWS_ERRNO, 'scripts')],
});

/** `reg mr 0 a rw`: registers pages as a memory region on demand. */
export const reg = operation({
  kind: 'reg',
  summary: 'Registers pages as a memory region on demand.',
  parts: [ofRegion, pages, rights, onDevice],
  results: true,
  side: 'cpu',
  run: (context, { mr, range, rights: letters, device }) =>
    call(context, device, { name: 'reg', range, operands: [mr, accessBits(letters)] }),
  returns: 'errno',
  recorded: [line('reg', [ofRegion, pages, rights], ADAPTER, SHOWS_ERRNO, 'scripts')],
});

/** `reg_implicit mr 0 rw`: registers the whole address space. */
export const regImplicit = operation({
  kind: 'reg_implicit',
  summary: 'Registers the whole address space as a memory region on demand.',
  parts: [ofRegion, rights, onDevice],
  results: true,
  side: 'cpu',
  run: (context, { mr, rights: letters, device }) =>
    call(context, device, { name: 'reg', range: NOWHERE, operands: [mr, accessBits(letters)] }),
  returns: 'errno',
  recorded: [],
});

/** `dereg mr 0`: ends a memory region. */
export const dereg = operation({
  kind: 'dereg',
  summary: 'Deregisters a memory region.',
  parts: [ofRegion, onDevice],
  results: true,
  side: 'cpu',
  run: (context, { mr, device }) => call(context, device, { name: 'dereg', range: NOWHERE, operands: [mr] }),
  returns: 'errno',
  recorded: [line('dereg', [ofRegion], ADAPTER, SHOWS_ERRNO, 'scripts')],
});

/** `adv mr 0 a w`: advice to bring pages in for reading (`r`), for writing (`w`), or those that are present (`nofault`). */
export const adv = operation({
  kind: 'adv',
  summary: 'Advises an adapter to take pages of a memory region.',
  parts: [ofRegion, pages, adviceWord, onDevice],
  results: true,
  side: 'cpu',
  run: (context, { mr, range, advice, byAddress: absolute, device }) =>
    call(context, device, { name: 'adv', range, operands: [mr, ADVICE[advice], byAddress(absolute)] }),
  returns: 'errno',
  recorded: [line('adv', [ofRegion, piece, adviceWord], ADAPTER, SHOWS_ERRNO, 'scripts')],
});

/** `rread mr 0 a -> x`: a peer reads pages; a value each. */
export const rread = operation({
  kind: 'rread',
  summary: 'A peer reads pages of a memory region by RDMA.',
  parts: [ofRegion, pages, shifted, onDevice],
  results: true,
  side: 'gpu',
  run: onPiece('rread'),
  returns: 'values',
  recorded: [line('rread', [ofRegion, piece, shifted], ADAPTER, SHOWS_COMPLETION, 'scripts')],
});

/** `rwrite mr 0 a = 5`: a peer fills pages, page i with the value plus i. */
export const rwrite = operation({
  kind: 'rwrite',
  summary: 'A peer fills pages of a memory region by RDMA, page i with the value plus i.',
  parts: [ofRegion, pages, assigned, shifted, onDevice],
  results: true,
  side: 'gpu',
  run: onPiece('rwrite'),
  returns: 'errno',
  recorded: [line('rwrite', [ofRegion, piece, assigned, shifted], ADAPTER, SHOWS_COMPLETION, 'scripts')],
});

/** `radd mr 0 a[0] = 1 -> x`: a peer adds to the eight bytes at a page's start; their old value. */
export const radd = operation({
  kind: 'radd',
  summary: "A peer adds to the eight bytes at a page's start.",
  parts: [ofRegion, pages, assigned, onDevice],
  results: true,
  side: 'gpu',
  run: onPiece('radd'),
  returns: 'values',
  recorded: [line('radd', [ofRegion, pieceOfOne, assigned], ADAPTER, SHOWS_COMPLETION, 'scripts')],
});

/** `lsend mr 0 a -> x`: the process sends pages; what the peer received. */
export const lsend = operation({
  kind: 'lsend',
  summary: 'The process sends pages of a memory region; a peer receives them.',
  parts: [ofRegion, pages, shifted, onDevice],
  results: true,
  side: 'gpu',
  run: onPiece('lsend'),
  returns: 'values',
  recorded: [line('lsend', [ofRegion, piece, shifted], ADAPTER, SHOWS_COMPLETION, 'scripts')],
});

/** `lrecv mr 0 a = 5`: a peer sends; the process receives in pages of a region. */
export const lrecv = operation({
  kind: 'lrecv',
  summary: 'A peer sends, page i the value plus i; the process receives in pages of a memory region.',
  parts: [ofRegion, pages, assigned, shifted, onDevice],
  results: true,
  side: 'gpu',
  run: onPiece('lrecv'),
  returns: 'errno',
  recorded: [line('lrecv', [ofRegion, piece, assigned, shifted], ADAPTER, SHOWS_COMPLETION, 'scripts')],
});

/** The operations of this file. */
export const VERBS = [ropen, reg, regImplicit, dereg, adv, rread, rwrite, radd, lsend, lrecv] as const;
