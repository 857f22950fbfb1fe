import { PTE_DIRTY, PTE_PRESENT, PTE_PROTNONE, PTE_SPECIAL, PTE_WRITE, PTE_YOUNG } from './pte.js';
import { PG_anon, PG_anon_exclusive } from './mem-map.js';
import { VM_EXEC, VM_READ, VM_SHARED, VM_WRITE, type Vma } from './vma.js';

const SHARED_WRITE = VM_SHARED | VM_WRITE;
const ACCESS = VM_READ | VM_WRITE | VM_EXEC;

/**
 * Flags of a present, young, clean entry with the VMA's protection: writable only in a shared writable mapping, since in a
 * private one a write has to find out whose the page is; inaccessible in a VMA without permissions. @kernel arch/x86/include/asm/pgtable.h mk_pte
 */
export function mkPte(vma: Vma): number {
  const { flags } = vma;
  if ((flags & SHARED_WRITE) === SHARED_WRITE) return PTE_PRESENT | PTE_YOUNG | PTE_WRITE;
  return (flags & ACCESS) === 0 ? PTE_PRESENT | PTE_YOUNG | PTE_PROTNONE : PTE_PRESENT | PTE_YOUNG;
}

/** `flags` made writable if the VMA is. @kernel include/linux/mm.h maybe_mkwrite (without: shadow stacks) */
export function maybeMkwrite(flags: number, vma: Vma): number {
  return (vma.flags & VM_WRITE) !== 0 ? flags | PTE_WRITE : flags;
}

/** {@link mkPte} for the page that a write fault installs: writable and dirty if the VMA allows. */
export function mkPteForWrite(vma: Vma): number {
  return maybeMkwrite(mkPte(vma) | PTE_DIRTY, vma);
}

/**
 * Whether a write would only find the page to be its own.
 * @kernel mm/mprotect.c can_change_pte_writable (without: NUMA hints, soft-dirty, userfaultfd, shared
 * mappings that track writes)
 */
export function canChangePteWritable(vma: Vma, pte: number, pfn: number): boolean {
  if ((vma.flags & (VM_WRITE | VM_SHARED)) !== VM_WRITE || (pte & PTE_SPECIAL) !== 0) return false;
  const { map } = vma.mm.system;
  return map.test(map.folio(pfn), PG_anon) && map.test(pfn, PG_anon_exclusive);
}
