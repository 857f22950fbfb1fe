import type { Task } from '@hmm/kernel';
import type { MmuGather } from './mmu-gather.js';
import type { Vma } from './vma.js';
export function* splitHugePmd(_vma: Vma, _vpn: number): Task {}
export function zapHugePmd(_tlb: MmuGather, _vma: Vma, _pmd: number): void {}
export function* splitHugePmdAddress(_vma: Vma, _vpn: number): Task {}
export function changeHugePmd(_vma: Vma, _pmd: number): void {}
import type { MemorySystem } from './memory-system.js';
export function folioLikelyMappedShared(_system: MemorySystem, _folio: number): boolean { return false; }
export function* madviseFreeHugePmd(_vma: Vma, _at: number, _next: number, _pmd: number): Task {}
export function* splitFolio(_system: MemorySystem, _folio: number): Task<number> { return 0; }
export function* copyHugePmd(_dst: Vma, _src: Vma, _srcPmd: number, _vpn: number): Task<number> { return 0; }
