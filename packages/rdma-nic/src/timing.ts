/** Where a figure is from. */
export type FigureOrigin = 'published' | 'specification' | 'estimate';

/** A figure with its origin. */
export interface NicFigure {
  readonly value: number;
  readonly origin: FigureOrigin;
  readonly source: string;
}

/** What an adapter's work costs, in virtual time (ns). */
export interface NicTiming {
  /** A message, from the request to its completion, besides its packets. */
  readonly messageNs: NicFigure;
  /** A full packet on the wire. */
  readonly packetNs: NicFigure;
  /** From a page fault of the adapter until it has been told to go on, with the page present. */
  readonly faultNs: NicFigure;
  /** A round trip of a request by which the driver rewrites the adapter's table. */
  readonly updateNs: NicFigure;
}

const figure = (value: number, origin: FigureOrigin, source: string): NicFigure => ({
  value,
  origin,
  source,
});

/** 100 Gbit/s, 4096 bytes of payload. */
const PACKET_100G = figure(340, 'estimate', '4,096 bytes and headers at 100 Gbit/s');

/** ConnectX-class hardware. */
export const CONNECTX_TIMING: NicTiming = {
  messageNs: figure(1_500, 'estimate', 'a one-sided operation between two hosts on one switch'),
  packetNs: PACKET_100G,
  faultNs: figure(
    220_000,
    'published',
    'a minor fault of a 4 KiB message, ConnectX-class adapter: Lesokhin et al., ASPLOS 2017, as quoted',
  ),
  updateNs: figure(2_000, 'estimate', 'nobody has published one'),
};

/** Soft-RoCE: CPU work all of it. */
export const RXE_TIMING: NicTiming = {
  messageNs: figure(6_000, 'estimate', 'two work items and two packets through the network stack'),
  packetNs: figure(2_000, 'estimate', 'a packet through the network stack, checksum and copy'),
  faultNs: figure(1_000, 'estimate', 'a call of the fault path: what a CPU fault costs'),
  updateNs: figure(0, 'estimate', 'the list of frames is the table'),
};

const nothing = figure(0, 'estimate', 'where all orders of steps are explored time is nothing');

/** No time at all. */
export const NO_TIMING: NicTiming = {
  messageNs: nothing,
  packetNs: nothing,
  faultNs: nothing,
  updateNs: nothing,
};

/** Codes of the "not ready" timer in units of 10 us. @kernel include/rdma/ib_verbs.h ib_rnr_timeout */
const RNR_TIMER_10US = [
  65_536, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072,
  4096, 6144, 8192, 12_288, 16_384, 24_576, 32_768, 49_152,
];

/** How long a peer waits for timer `code` (0 … 31), ns: 0 means 655.36 ms, 12 means 0.64 ms. */
export function rnrTimerNs(code: number): number {
  return (RNR_TIMER_10US[code & 31] ?? 0) * 10_000;
}
