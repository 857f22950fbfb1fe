import { GPU_PTE_ATOMIC, GPU_PTE_SYSMEM, GPU_PTE_VALID, GPU_PTE_WRITE } from '@hmm/gpu';
import {
  PTE_WRITE,
  findPmd,
  isDeviceExclusivePte,
  isDevicePrivatePte,
  isHuge,
  ptePresent,
} from '@hmm/mm/internal';
import type { Setup } from './setup.js';

/** The GPU's entry of a page is no more than what the process's own entry allows. */
export function mirrorBroken(s: Setup, vpn: number): string | undefined {
  const { table } = s;
  const gpu = table.flags(vpn);
  if ((gpu & GPU_PTE_VALID) === 0) return undefined;
  const { lanes } = s.memory.tables;
  const small = s.memory.tables.findPte(s.mm.root, vpn);
  const entry = small >= 0 ? small : findPmd(s.mm, vpn);
  const pte = lanes[entry] ?? 0;
  const frame = (lanes[entry + 1] ?? 0) + (isHuge(pte) ? vpn & 511 : 0);
  if (table.frame(vpn) !== frame) return 'the GPU maps another frame';
  const exclusive = isDeviceExclusivePte(pte);
  if (!ptePresent(pte) && !isDevicePrivatePte(pte) && !exclusive)
    return 'the GPU maps what the process has not';
  if (((gpu & GPU_PTE_SYSMEM) === 0) !== isDevicePrivatePte(pte))
    return 'the GPU looks for it in the wrong memory';
  if ((gpu & GPU_PTE_WRITE) !== 0 && (pte & PTE_WRITE) === 0)
    return 'the GPU may write what the process may not';
  if ((gpu & GPU_PTE_ATOMIC) !== 0 && !exclusive)
    return 'the GPU has atomics on a page that the CPU can reach';
  return undefined;
}
