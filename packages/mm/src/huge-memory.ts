import type { Task } from '@hmm/kernel';
import type { MmuGather } from './mmu-gather.js';
import type { Vma } from './vma.js';
export function* splitHugePmd(_vma: Vma, _vpn: number): Task {}
export function zapHugePmd(_tlb: MmuGather, _vma: Vma, _pmd: number): void {}
export function* splitHugePmdAddress(_vma: Vma, _vpn: number): Task {}
