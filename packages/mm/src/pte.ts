import { ENTRY_TABLE } from '@hmm/kernel/internal';

/**
 * Page-table entries of the CPU. An entry is two int32 lanes (see `PageTablePool`): flags, and a payload that is a pfn
 * (present, migration, device-private, device-exclusive, hwpoison) or a swap slot (swap).
 *
 * ```text
 * 30      ENTRY_TABLE: links to a lower table (upper levels only)
 * 14..12  type of a non-present entry, PTE_TYPE_*; 0 for present entries
 * 9       EXCLUSIVE: swap entry of an exclusive page; migration entry of flavour RE
 * 8..0    PRESENT WRITE DIRTY YOUNG HUGE SPECIAL PROTNONE SOFT_DIRTY UFFD_WP
 * ```
 *
 * The word 0 is "none". A migration entry is W with PTE_WRITE, RE with PTE_EXCLUSIVE, else R.
 *
 * @packageDocumentation
 */

/** Mapped: the payload is a pfn that the CPU can access. */
export const PTE_PRESENT = 1 << 0;
/** Present: writable. Migration, device-private, device-exclusive: the mapping was writable. */
export const PTE_WRITE = 1 << 1;
/** Written through since it was mapped. */
export const PTE_DIRTY = 1 << 2;
/** Accessed since it was mapped. */
export const PTE_YOUNG = 1 << 3;
/** A leaf at the PMD or PUD level, present or not. */
export const PTE_HUGE = 1 << 4;
/** No `struct page` accounting: the zero page, PFN maps. */
export const PTE_SPECIAL = 1 << 5;
/** Present, but an access faults: a page of a VMA without permissions, or a NUMA hint. */
export const PTE_PROTNONE = 1 << 6;
/** Soft-dirty tracking. */
export const PTE_SOFT_DIRTY = 1 << 7;
/** Write-protected by userfaultfd. */
export const PTE_UFFD_WP = 1 << 8;
/** Swap: the page belongs to this mapping alone. Migration: flavour RE. */
export const PTE_EXCLUSIVE = 1 << 9;

/** The type field of a non-present entry. */
export const PTE_TYPE_MASK = 7 << 12;
/** In a swap slot. */
export const PTE_TYPE_SWAP = 1 << 12;
/** Being migrated. */
export const PTE_TYPE_MIGRATION = 2 << 12;
/** In device memory that the CPU cannot address. */
export const PTE_TYPE_DEVICE_PRIVATE = 3 << 12;
/** In system memory, for one device's exclusive use. */
export const PTE_TYPE_DEVICE_EXCLUSIVE = 4 << 12;
/** The memory failed. */
export const PTE_TYPE_HWPOISON = 5 << 12;
/** A guard: no page, and an access is an error. @kernel include/linux/leafops.h softleaf_is_guard_marker (from 6.19 on) */
export const PTE_TYPE_MARKER = 6 << 12;

/**
 * Whether nothing is there.
 * @kernel arch/x86/include/asm/pgtable.h pte_none (without: bits that an erratum sets)
 */
export const pteNone = (flags: number): boolean => flags === 0;
/** Whether the CPU maps a page here. @kernel arch/x86/include/asm/pgtable.h pte_present (all) */
export const ptePresent = (flags: number): boolean => (flags & PTE_PRESENT) !== 0;
/**
 * Whether a write succeeds without a fault.
 * @kernel arch/x86/include/asm/pgtable.h pte_write (without: shadow stacks)
 */
export const pteWrite = (flags: number): boolean => (flags & PTE_WRITE) !== 0;
/** Whether it links to a lower table. */
export const isTable = (flags: number): boolean => flags === ENTRY_TABLE;
/** Whether it is a leaf at the PMD or PUD level: present, being migrated, or in device memory. @kernel include/linux/huge_mm.h pmd_is_huge (from 6.19 on) */
export const isHuge = (flags: number): boolean => (flags & PTE_HUGE) !== 0;
/** Whether it is an entry in a swap slot. */
export const isSwapPte = (flags: number): boolean => (flags & PTE_TYPE_MASK) === PTE_TYPE_SWAP;
/** Whether it is a migration entry. @kernel include/linux/swapops.h is_migration_entry (all) */
export const isMigrationPte = (flags: number): boolean => (flags & PTE_TYPE_MASK) === PTE_TYPE_MIGRATION;
/** Whether it is a guard. */
export const isMarkerPte = (flags: number): boolean => (flags & PTE_TYPE_MASK) === PTE_TYPE_MARKER;
/** Whether it is a device-private entry. @kernel include/linux/swapops.h is_device_private_entry (all) */
export const isDevicePrivatePte = (flags: number): boolean =>
  (flags & PTE_TYPE_MASK) === PTE_TYPE_DEVICE_PRIVATE;
/** Whether it is a device-exclusive entry. @kernel include/linux/swapops.h is_device_exclusive_entry (all) */
export const isDeviceExclusivePte = (flags: number): boolean =>
  (flags & PTE_TYPE_MASK) === PTE_TYPE_DEVICE_EXCLUSIVE;
