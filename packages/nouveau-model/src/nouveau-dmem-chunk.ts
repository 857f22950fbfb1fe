import { HPAGE_PMD_NR } from '@hmm/kernel';
import type { DevPagemap } from '@hmm/mm';
import type { NouveauBehaviours } from './nouveau-behaviours.js';

/** Huge pages of a chunk where it has room for folios. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c NR_CHUNKS */
const NR_CHUNKS = 128;

/** Pages of a chunk: 2 MiB, or 256 MiB where device memory comes in folios. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c DMEM_CHUNK_NPAGES */
export function dmemChunkNpages({ largeDeviceMemory }: NouveauBehaviours): number {
  return largeDeviceMemory ? NR_CHUNKS * HPAGE_PMD_NR : HPAGE_PMD_NR;
}

/**
 * Pages of a chunk of small ones that are ever handed out. In a large chunk as many are left at its end as one for each of its
 * 2 MiB: each of these was meant to go to whom the chunk is made for, as that of a small chunk does.
 */
export function dmemSmallPages({ largeDeviceMemory }: NouveauBehaviours): number {
  return largeDeviceMemory ? NR_CHUNKS * (HPAGE_PMD_NR - 1) : HPAGE_PMD_NR;
}

/** A pinned buffer of device memory with struct pages. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_chunk */
export interface NouveauDmemChunk {
  /** First frame. */
  readonly first: number;
  /** First page of its buffer in device memory. */
  readonly vram: number;
  readonly pagemap: DevPagemap;
  /** Pages in use. */
  callocated: number;
}
