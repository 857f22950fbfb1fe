import {
  ACCESS_PREFETCH,
  ACCESS_READ,
  ACCESS_WRITE,
  type AccessKind,
  type AccessSource,
  type AccessStream,
  type StreamResult,
} from '@hmm/device';
import {
  broken,
  type ClientMaker,
  type ContractCase,
  featuresOf,
  newMachine,
  NOT_OF_THIS_CLIENT,
  prepare,
  type Prepared,
} from './contract-machine.js';

/** The promises about streams that come in pieces, of accesses of several kinds, by several warps. */
export const STREAM_CASES: readonly ContractCase[] = [
  { name: 'each access of a stream is of its own kind', check: checkKinds },
  { name: 'a prefetch of an address that is not there harms nothing', check: checkLostPrefetch },
  { name: 'a stream that comes in pieces is done to its end', check: (make) => checkPieces(make, 1) },
  { name: 'warps share the pieces of a stream', check: (make) => checkPieces(make, 4) },
  { name: 'eight warps over mapped pages are done sooner than one', check: checkLanes },
];

/** The warps of a stream without contents. */
function warps(
  on: Prepared,
  access: AccessKind,
  kinds: readonly number[],
  more: Partial<AccessStream> = {},
): StreamResult {
  return on.machine.run(
    'warps',
    on.device.launch({
      access,
      shape: 'warps',
      base: on.vpn,
      pages: Int32Array.from(kinds, (_, i) => i),
      kinds: Uint8Array.from(kinds),
      offset: 0,
      width: 1,
      values: undefined,
      ...more,
    }),
  );
}

function checkKinds(make: ClientMaker): string | undefined {
  const on = newMachine(make);
  const features = featuresOf(on.client);
  if (typeof features === 'string') return features;
  if (features.readOnlyRefusal !== undefined) return `skip: ${features.readOnlyRefusal}`;
  if (!features.systemMemory) return NOT_OF_THIS_CLIENT;
  return broken(() => {
    const ready = prepare(on, 'malloc a 4pages cpu write a = 1 mprotect a r');
    if (typeof ready === 'string') return ready;
    const read = warps(ready, ACCESS_WRITE, [ACCESS_READ, ACCESS_READ, ACCESS_READ]);
    if (read.errno !== 0 || read.done !== 3)
      return `reads of memory that may be read: ${read.errno} after ${read.done}`;
    const written = warps(ready, ACCESS_READ, [ACCESS_READ, ACCESS_READ, ACCESS_WRITE]);
    return written.errno < 0 ? undefined : 'a write of memory that may only be read was done';
  });
}

function checkLostPrefetch(make: ClientMaker): string | undefined {
  const on = newMachine(make);
  const features = featuresOf(on.client);
  if (typeof features === 'string') return features;
  if (!features.systemMemory) return NOT_OF_THIS_CLIENT;
  return broken(() => {
    const ready = prepare(on, 'malloc a 3pages cpu write a = 1 munmap a[1]');
    if (typeof ready === 'string') return ready;
    const { errno, done } = warps(ready, ACCESS_READ, [ACCESS_READ, ACCESS_PREFETCH, ACCESS_READ]);
    return errno === 0 && done === 3 ? undefined : `${errno} after ${done} of 3 accesses`;
  });
}

/** Pages 0, 1, 2 … in pieces of 16, as writes. */
class Pieces implements AccessSource {
  readonly pages = new Int32Array(16);
  readonly kinds = new Uint8Array(16).fill(ACCESS_WRITE);
  private next = 0;
  private readonly total: number;

  constructor(total: number) {
    this.total = total;
  }

  fill(): number {
    const length = Math.min(this.pages.length, this.total - this.next);
    for (let i = 0; i < length; i++) this.pages[i] = this.next++;
    return length;
  }
}

function checkPieces(make: ClientMaker, lanes: number): string | undefined {
  const on = newMachine(make);
  const features = featuresOf(on.client);
  if (typeof features === 'string') return features;
  return broken(() => {
    const ready = prepare(on, `${features.systemMemory ? 'malloc' : 'managed'} a 64pages`);
    if (typeof ready === 'string') return ready;
    const source = new Pieces(53);
    const pages = source.pages.subarray(0, source.fill());
    const { errno, done } = warps(ready, ACCESS_READ, [], { pages, kinds: source.kinds, source, lanes });
    if (errno !== 0 || done !== 53) return `${errno} after ${done} of 53 accesses`;
    const bits = new Uint8Array(53);
    ready.device.residency(ready.vpn, 53, bits);
    const lost = bits.indexOf(0);
    return lost < 0 ? undefined : `page ${lost} was written and is nowhere`;
  });
}

function checkLanes(make: ClientMaker): string | undefined {
  const on = newMachine(make);
  const features = featuresOf(on.client);
  if (typeof features === 'string') return features;
  return broken(() => {
    const ready = prepare(on, `${features.systemMemory ? 'malloc' : 'managed'} a 64pages`);
    if (typeof ready === 'string') return ready;
    const kinds = new Array<number>(64).fill(ACCESS_WRITE);
    const pass = (lanes: number): number => {
      const { sched } = ready.machine.kernel;
      const before = sched.now;
      warps(ready, ACCESS_WRITE, kinds, { lanes });
      return sched.now - before;
    };
    pass(1);
    const alone = pass(1);
    const shared = pass(8);
    return shared < alone ? undefined : `eight warps took ${shared} ns, one took ${alone} ns`;
  });
}
