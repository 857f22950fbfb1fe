import type { Task } from '@hmm/kernel';
import { VM_FAULT_FALLBACK } from './fault.js';
import type { Vma } from './vma.js';
export function* createHugePmd(_vma: Vma, _vpn: number, _pmd: number, _flags: number): Task<number> { return VM_FAULT_FALLBACK; }
export function* doHugePmdFault(_vma: Vma, _vpn: number, _pmd: number, _flags: number): Task<number> { return VM_FAULT_FALLBACK; }
