import type { Task } from '@hmm/kernel';
import type { Vma } from './vma.js';
export function* madviseColdOrPageout(_vma: Vma, _start: number, _end: number, _pageout: boolean): Task {}
