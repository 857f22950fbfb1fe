import { bytesMoved } from './counters-by-name.js';
import type { CauseBytes, DeviceCounters, PairBytes, TimeByPart, TransferCause } from './device-counters.js';
import { placeOfGpu } from './device-features.js';

/**
 * The totals of cards that each have an instance of the driver, together, with bytes by pair: card `i` is GPU `i`, and all that moves
 * goes between it and the host. Of one card they are its own.
 */
export function countersOfCards(first: DeviceCounters, further: readonly DeviceCounters[]): DeviceCounters {
  if (further.length === 0) return first;
  const cards = [first, ...further];
  const sum = (of: (card: DeviceCounters) => number): number =>
    cards.reduce((all, card) => all + of(card), 0);
  const time = (part: keyof TimeByPart): number => sum(({ timeNs }) => timeNs[part]);
  const resident = cards.some(({ residentNs }) => residentNs !== undefined);
  return {
    faults: sum((card) => card.faults),
    batches: sum((card) => card.batches),
    cpuFaults: sum((card) => card.cpuFaults),
    byCause: causesOfCards(cards),
    byPair: cards.flatMap(pairsOfCard),
    remoteAccesses: sum((card) => card.remoteAccesses),
    remoteMaps: sum((card) => card.remoteMaps),
    invalidations: sum((card) => card.invalidations),
    retries: sum((card) => card.retries),
    replays: sum((card) => card.replays),
    throttled: sum((card) => card.throttled),
    pinned: sum((card) => card.pinned),
    evictedPages: sum((card) => card.evictedPages),
    timeNs: {
      running: time('running'),
      faultWait: time('faultWait'),
      copying: time('copying'),
      invalidating: time('invalidating'),
    },
    ...(resident ? { residentNs: sum((card) => card.residentNs ?? 0) } : {}),
  };
}

function causesOfCards(cards: readonly DeviceCounters[]): Partial<Record<TransferCause, CauseBytes>> {
  const all = new Map<string, CauseBytes>();
  for (const { byCause } of cards) {
    for (const [cause, { toDevice, toHost }] of Object.entries(byCause)) {
      const bytes = all.get(cause) ?? { toDevice: 0, toHost: 0 };
      all.set(cause, { toDevice: bytes.toDevice + toDevice, toHost: bytes.toHost + toHost });
    }
  }
  return Object.fromEntries(all);
}

function pairsOfCard(card: DeviceCounters, number: number): PairBytes[] {
  const gpu = placeOfGpu(number);
  return [
    { from: 'cpu' as const, to: gpu, bytes: bytesMoved(card, 'toDevice') },
    { from: gpu, to: 'cpu' as const, bytes: bytesMoved(card, 'toHost') },
  ].filter(({ bytes }) => bytes > 0);
}
