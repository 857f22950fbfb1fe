import { HPAGE_PMD_NR } from '@hmm/kernel';
import type { DevPagemap } from '@hmm/mm';
import type { NouveauDrm } from './nouveau-drv.js';

/** Huge pages of a chunk where it has room for folios. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c NR_CHUNKS */
const NR_CHUNKS = 128;

/** What the size of a chunk depends on. */
type ChunkRules = Pick<NouveauDrm, 'does' | 'exploration'>;

/** Pages of a chunk: 2 MiB, or 256 MiB where device memory comes in folios. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c DMEM_CHUNK_NPAGES */
export function dmemChunkNpages({ does, exploration }: ChunkRules): number {
  return does.largeDeviceMemory ? nrChunks(exploration) * HPAGE_PMD_NR : HPAGE_PMD_NR;
}

/**
 * Pages of a chunk of small ones that are ever handed out. In a large chunk as many are left at its end as one for each of its
 * 2 MiB: each of these was meant to go to whom the chunk is made for, as that of a small chunk does.
 */
export function dmemSmallPages({ does, exploration }: ChunkRules): number {
  return does.largeDeviceMemory ? nrChunks(exploration) * (HPAGE_PMD_NR - 1) : HPAGE_PMD_NR;
}

/** Where interleavings are explored a chunk has one folio, so that the machine is small. */
function nrChunks(exploration: ChunkRules['exploration']): number {
  return exploration === undefined ? NR_CHUNKS : 1;
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
