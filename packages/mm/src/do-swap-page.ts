import type { Task } from '@hmm/kernel';
import type { Vma } from './vma.js';
export function* doSwapPage(_vma: Vma, _vpn: number, _entry: number, _flags: number): Task<number> { return 0; }
