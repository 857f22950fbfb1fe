import type { DevPagemap } from '@hmm/mm';

/** Pages of a chunk: 2 MiB. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c DMEM_CHUNK_NPAGES */
export const DMEM_CHUNK_NPAGES = 512;

/** A pinned buffer of device memory with struct pages. @kernel drivers/gpu/drm/nouveau/nouveau_dmem.c nouveau_dmem_chunk */
export interface NouveauDmemChunk {
  /** First frame. */
  readonly first: number;
  readonly pagemap: DevPagemap;
  /** Pages in use. */
  callocated: number;
}
