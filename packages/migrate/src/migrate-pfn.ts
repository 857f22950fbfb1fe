/**
 * The slots of a migration: one int32 a page, a frame number and `MIGRATE_PFN_*` flags. Frames stay below 2^26
 * (256 GiB), so that the kernel's layout fits.
 *
 * @packageDocumentation
 */

/** The slot names a page. */
export const MIGRATE_PFN_VALID = 1 << 0;
/** Source slots: can be migrated; after `migrateVmaPages`: has been. */
export const MIGRATE_PFN_MIGRATE = 1 << 1;
/** Source slots: the CPU's mapping was writable. Destination slots: advice, which the core ignores. */
export const MIGRATE_PFN_WRITE = 1 << 3;
/** The slot is of 2 MiB, and the 511 slots behind it are 0. From 6.19 on. */
export const MIGRATE_PFN_COMPOUND = 1 << 4;
/** The frame number is above this bit. */
export const MIGRATE_PFN_SHIFT = 6;

/** Migrate ordinary pages and the zero page. */
export const MIGRATE_VMA_SELECT_SYSTEM = 1 << 0;
/** Migrate device-private pages of the given owner. */
export const MIGRATE_VMA_SELECT_DEVICE_PRIVATE = 1 << 1;
/** Migrate coherent device pages of the given owner. */
export const MIGRATE_VMA_SELECT_DEVICE_COHERENT = 1 << 2;
/** Migrate 2 MiB that a PMD maps, or where nothing is, as one. From 6.19 on. */
export const MIGRATE_VMA_SELECT_COMPOUND = 1 << 3;

/** The slot of frame `pfn`. @kernel include/linux/migrate.h migrate_pfn (all) */
export function migratePfn(pfn: number): number {
  return (pfn << MIGRATE_PFN_SHIFT) | MIGRATE_PFN_VALID;
}

/**
 * The frame that a slot names, 0 when it names none.
 * @kernel include/linux/migrate.h migrate_pfn_to_page (all)
 */
export function migratePfnToPage(slot: number): number {
  return (slot & MIGRATE_PFN_VALID) !== 0 ? slot >>> MIGRATE_PFN_SHIFT : 0;
}
