import { ENOMEM, EOPNOTSUPP } from '@hmm/kernel';
import { fc } from '@hmm/config/property';
import { expect, test } from 'vitest';
import {
  DMA_MAPPING_ERROR,
  type DmaDevice,
  HMM_PFN_DMA_MAPPED,
  HMM_PFN_P2PDMA,
  HMM_PFN_P2PDMA_BUS,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  type HmmDmaMap,
  hmmDmaMapAlloc,
  hmmDmaMapPfn,
  hmmDmaUnmapPfn,
  I68,
  type P2pdmaMapType,
} from '@hmm/mirror';

class Iommu implements DmaDevice {
  needSync = false;
  readonly needUnmap = true;
  readonly live = new Map<number, number>();
  peer: P2pdmaMapType = 'none';
  full = false;
  private made = 0;
  p2pdma(): P2pdmaMapType {
    return this.peer;
  }
  mapPage(pfn: number): number {
    if (this.full) return DMA_MAPPING_ERROR;
    const dma = 0x1000 + this.made++;
    this.live.set(dma, pfn);
    return dma;
  }
  unmapPage(dma: number): void {
    this.live.delete(dma);
  }
}

const mapOf = (dev: DmaDevice): HmmDmaMap => {
  const map = hmmDmaMapAlloc(dev, 2);
  if (typeof map === 'number') throw new Error(String(map));
  map.pfnList.set([HMM_PFN_VALID, 42, HMM_PFN_VALID, 43]);
  return map;
};

test('a slot is mapped once: adding write access later reports the same address', () => {
  const dev = new Iommu();
  const map = mapOf(dev);
  const dma = hmmDmaMapPfn(dev, map, 0);
  expect(map.pfnList[0]).toBe(HMM_PFN_VALID | HMM_PFN_DMA_MAPPED);
  map.pfnList[0] = (map.pfnList[0] ?? 0) | HMM_PFN_WRITE;
  expect(hmmDmaMapPfn(dev, map, 0)).toBe(dma);
  expect(dev.live.size).toBe(1);
  expect(hmmDmaUnmapPfn(dev, map, 0)).toBe(true);
  expect(hmmDmaUnmapPfn(dev, map, 0)).toBe(false);
  expect(dev.live.size).toBe(0);
});

test('peer memory: a bus address has nothing to unmap, an unreachable peer cannot be mapped', () => {
  const dev = new Iommu();
  const map = mapOf(dev);
  dev.peer = 'bus-addr';
  hmmDmaMapPfn(dev, map, 0);
  expect((map.pfnList[0] ?? 0) & HMM_PFN_P2PDMA_BUS).not.toBe(0);
  const before = dev.live.size;
  expect(hmmDmaUnmapPfn(dev, map, 0)).toBe(true);
  expect(dev.live.size).toBe(before);
  dev.peer = 'thru-host-bridge';
  hmmDmaMapPfn(dev, map, 1);
  expect((map.pfnList[2] ?? 0) & HMM_PFN_P2PDMA).not.toBe(0);
  dev.peer = 'not-supported';
  expect(hmmDmaMapPfn(dev, map, 0)).toBe(DMA_MAPPING_ERROR);
});

test('a failed mapping leaves the slot unmapped', () => {
  const dev = new Iommu();
  const map = mapOf(dev);
  dev.full = true;
  expect(hmmDmaMapPfn(dev, map, 0)).toBe(DMA_MAPPING_ERROR);
  expect(map.pfnList[0]).toBe(HMM_PFN_VALID);
  expect(hmmDmaUnmapPfn(dev, map, 0)).toBe(false);
});

test('a device that must hand memory over cannot keep pages mapped; absurd sizes are refused', () => {
  const syncing = new Iommu();
  syncing.needSync = true;
  expect(hmmDmaMapAlloc(syncing, 1)).toBe(-EOPNOTSUPP);
  expect(hmmDmaMapAlloc(new Iommu(), 2 ** 40)).toBe(-ENOMEM);
  expect(hmmDmaMapAlloc(new Iommu(), 0)).toBe(-ENOMEM);
});

test('slots and mappings agree, whatever is mapped, unmapped and refilled in any order: I68', () => {
  const slot = fc.nat({ max: 1 });
  const op = fc.constantFrom<'map' | 'unmap' | 'refill' | 'full'>('map', 'unmap', 'refill', 'full');
  fc.assert(
    fc.property(fc.array(fc.tuple(op, slot, fc.nat({ max: 9 })), { maxLength: 30 }), (steps) => {
      const dev = new Iommu();
      const map = mapOf(dev);
      for (const [what, idx, pfn] of steps) {
        if (what === 'full') dev.full = !dev.full;
        else if (what === 'map') hmmDmaMapPfn(dev, map, idx);
        else hmmDmaUnmapPfn(dev, map, idx);
        if (what === 'refill') map.pfnList[2 * idx + 1] = 100 + pfn;
        expect(I68(map, dev.live)).toBeUndefined();
      }
    }),
    { numRuns: 300 },
  );
});

test('I68 names the slot that was refilled, or lost its mark, while it was mapped', () => {
  const dev = new Iommu();
  const map = mapOf(dev);
  hmmDmaMapPfn(dev, map, 0);
  map.pfnList[1] = 77;
  expect(I68(map, dev.live)).toMatch('not 77');
  map.pfnList[0] = HMM_PFN_VALID;
  expect(I68(map, dev.live)).toMatch('1 mappings are live, 0 are in slots');
});
