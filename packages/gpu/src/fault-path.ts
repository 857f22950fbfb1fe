import { type Figure, figure, type Source } from './cost.js';

/**
 * How a card raises replayable faults: its clusters of SMs, its uTLBs, the order and the pace in which faults reach the buffer.
 * What is `measured` was read off recordings of H100s by `tools/uvm-capture/uvm_faults.cu`.
 */
export interface FaultPath {
  /** ns from one fault to the next that the MMU writes, whoever asks. */
  readonly faultNs: Figure;
  /** Threads that one SM holds. */
  readonly smThreads: Figure;
  /** Graphics processing clusters. */
  readonly clusters: Figure;
  /** Texture processing clusters, of two SMs, that each cluster has at least. */
  readonly tpcs: Figure;
  /** SMs that one cluster has more of than the others; they get thread blocks first. */
  readonly firstSms: Figure;
  /** TPCs of a cluster up to which each has a compute cluster to itself and waits less for the others. */
  readonly computeClusters: Figure;
  readonly begin: BeginWindow;
  /** By how much the rank of a TPC in its cluster, 0 to 1 at first, may change from one replay to the next. */
  readonly rankDrift: Figure;
  /** Reads, and writes, that fault anew after a replay which has let all before them pass. */
  readonly readsAgain: Figure;
  readonly writesAgain: Figure;
  /** Sectors that a uTLB asks for less where the accesses are writes. */
  readonly fewerSectorsToWrite: Figure;
  /** What each bit of a sector's number, from the lowest, does to the slice of the uTLB that looks its pages up. */
  readonly sliceHash: readonly Figure[];
  /** What the bits above those of a kernel's pages come to in that hash; it differs from process to process. */
  readonly sliceHashBase: Figure;
  /** Orders in which the four warps of a thread block reach the uTLB, by block: each figure's digits name the warps. */
  readonly warpOrders: readonly Figure[];
  readonly grid: GridPass;
  readonly bulk: BulkPass;
}

/** Faults of a cluster within which its TPCs begin to deliver theirs. */
export interface BeginWindow {
  /** When a kernel starts, for each TPC that has some. */
  readonly startPerTpc: Figure;
  /** The same where each TPC has a compute cluster to itself. */
  readonly apartPerTpc: Figure;
  /** After a replay: so many, … */
  readonly replay: Figure;
  /** … and for each SM so many more. */
  readonly replayPerSm: Figure;
}

/** What a grid-stride pass over every byte asks for. Which waiting pages come into a batch is chance in hardware. */
export interface GridPass {
  /** Threads of a thread block of such a kernel; the grid has as many blocks as the card holds. */
  readonly blockThreads: Figure;
  /** Pages of the first batch, out of how many, in runs of up to how many. */
  readonly firstPages: Figure;
  readonly firstWindow: Figure;
  readonly firstRun: Figure;
  /** Pages of a later batch, and how many of those come from anywhere in the grid. */
  readonly pages: Figure;
  readonly stray: Figure;
  /** Of the waiting pages, the lowest so many are asked for: in the first batches, how many those are, and later. */
  readonly earlyWindow: Figure;
  readonly earlyRounds: Figure;
  readonly window: Figure;
  /** Warps that want one page, through different uTLBs. */
  readonly warps: Figure;
  /** Accesses to a page that access counters see. */
  readonly lines: Figure;
}

/** What copies and fills of the runtime ask for. Which waiting pages come into a batch is chance in hardware. */
export interface BulkPass {
  /** Pages of the pieces in which a range is copied from or to pageable host memory. */
  readonly pieces: Figure;
  /** Faults of one batch. */
  readonly batch: Figure;
  /** Faults of one page where no more than a batch is asked for: of copies from it, copies to it, fills. */
  readonly readRequests: Figure;
  readonly writeRequests: Figure;
  readonly fillRequests: Figure;
  /** Waiting pages up to which all are in one batch, and of more so large a share, … */
  readonly few: Figure;
  readonly share: Figure;
  /** … but no more than this: of copies from a range, to it; the first so many of them are the lowest that wait. */
  readonly readPages: Figure;
  readonly writePages: Figure;
  readonly head: Figure;
  /** Waiting pages from which on a copy is a large one, and the pages of its first batch and of others. */
  readonly large: Figure;
  readonly largePages: Figure;
  readonly largePagesLater: Figure;
  /** Pages of a batch of a fill, at first and later. */
  readonly fillPages: Figure;
  readonly fillPagesLater: Figure;
  /** They come in runs of up to so many. */
  readonly run: Figure;
}

const WARP_ORDERS = [
  ...[2301, 2301, 2301, 213, 132, 132, 132, 132],
  ...[3201, 2301, 231, 231, 123, 123, 2301, 123],
];
const SLICE_HASH = [3, 2, 1, 2, 1, 3, 1, 3, 2, 1, 3];

/** Read off recordings of copies on an H200; other cards are taken to be alike. */
function bulkPass(say: (value: number, note: string) => Figure): BulkPass {
  return {
    pieces: say(256, 'pages from one batch of a copy to the next'),
    batch: say(256, 'the driver fetches no more'),
    readRequests: say(16, 'faults of a page of the only batch: 256 bytes each'),
    writeRequests: say(32, 'the same: 128 bytes each'),
    fillRequests: say(26, 'the same'),
    few: say(36, 'pages of batches'),
    share: say(0.87, 'pages of batches'),
    readPages: say(34, 'pages of batches'),
    writePages: say(48, 'pages of batches'),
    head: say(28, 'which pages come into a batch'),
    large: say(240, 'pages of the first batch, by size'),
    largePages: say(124, 'pages of batches'),
    largePagesLater: say(80, 'pages of batches'),
    fillPages: say(66, 'pages of batches'),
    fillPagesLater: say(48, 'pages of batches'),
    run: say(8, 'runs of pages that fault'),
  };
}

/** Makes the recorded numbers figures of `say`'s origin. */
function recorded(say: (value: number, note?: string) => Figure): Omit<FaultPath, keyof Shape> {
  return {
    faultNs: say(20.8, '256 faults take 5.2 to 5.3 us'),
    computeClusters: say(3),
    begin: {
      startPerTpc: say(6),
      apartPerTpc: say(5),
      replay: say(25),
      replayPerSm: say(5),
    },
    rankDrift: say(0.25),
    readsAgain: say(7),
    writesAgain: say(4),
    fewerSectorsToWrite: say(1),
    sliceHash: SLICE_HASH.map((value) => say(value)),
    sliceHashBase: say(3),
    warpOrders: WARP_ORDERS.map((value) => say(value)),
    grid: {
      blockThreads: say(256, 'threads a block of the recorded kernels'),
      firstPages: say(120),
      firstWindow: say(256),
      firstRun: say(8),
      pages: say(46),
      stray: say(2),
      earlyWindow: say(120),
      earlyRounds: say(10),
      window: say(240),
      warps: say(5),
      lines: figure(32, 'estimate', 'lines of 128 bytes; no recording counts them'),
    },
    bulk: bulkPass((value) => figure(value, 'estimate', 'as on an H200')),
  };
}

/** What differs from chip to chip and is published. */
type Shape = Pick<FaultPath, 'smThreads' | 'clusters' | 'tpcs' | 'firstSms'>;

/** Of the recorded H100s. */
export const H100_FAULTS: FaultPath = {
  smThreads: figure(2048, 'vendor'),
  clusters: figure(8, 'measured', 'GPC ids of recorded faults'),
  tpcs: figure(8, 'measured', 'GPC ids of recorded faults'),
  firstSms: figure(8, 'measured', 'which SMs get the first thread blocks'),
  ...recorded((value, note = 'fault order and counts') => figure(value, 'measured', note)),
};

/** Of a card with `clusters` clusters of at least `tpcs` TPCs, `from` its data sheet or not; the rest is taken to be an H100's. */
export function faultPathOf(
  clusters: number,
  tpcs: number,
  smThreads: number,
  from: Source = 'vendor',
): FaultPath {
  return {
    smThreads: figure(smThreads, 'vendor'),
    clusters: figure(clusters, from),
    tpcs: figure(tpcs, from),
    firstSms: figure(0, 'estimate', 'no cluster has more SMs than the others'),
    ...recorded((value) => figure(value, 'estimate', 'as on an H100')),
  };
}

/** Of a GH100 on another board. */
export const GH100_FAULTS: FaultPath = {
  ...faultPathOf(8, 8, 2048, 'estimate'),
  firstSms: figure(8, 'estimate', 'as on an H100'),
};

/** Of the recorded H200: its copies are its own, the rest is taken to be an H100's. */
export const H200_FAULTS: FaultPath = {
  ...GH100_FAULTS,
  bulk: bulkPass((value, note) => figure(value, 'measured', `on an H200: ${note}`)),
};

/** Of cards that cannot replay faults: nothing of it is used. */
export const NO_FAULTS: FaultPath = faultPathOf(1, 1, 2048, 'estimate');
