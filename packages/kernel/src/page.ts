/**
 * Page arithmetic. Addresses inside the model are virtual page numbers (VPN): plain numbers, up to 2^45 for
 * 57-bit virtual addresses, exact in a double. A byte offset inside the page travels apart.
 *
 * `vpn << n` and `vpn | x` are wrong above 2^31: use these helpers. `vpn & 511` and `vpn >>> 9 & 511` are right
 * for any VPN, since the operators take the value modulo 2^32.
 *
 * @packageDocumentation
 */

/** log2 of the page size in bytes. */
export const PAGE_SHIFT = 12;
/** Bytes in a page. */
export const PAGE_SIZE = 4096;
/** Entries in a page table of any level. */
export const PTRS_PER_TABLE = 512;
/** Order (log2 of pages) of a PMD mapping: 2 MiB. */
export const HPAGE_PMD_ORDER = 9;
/** Pages in a PMD mapping. */
export const HPAGE_PMD_NR = 512;
/** Order of a PUD mapping: 1 GiB. */
export const HPAGE_PUD_ORDER = 18;
/** Pages in a PUD mapping. */
export const HPAGE_PUD_NR = 262144;

const PGDIR_PAGES = 2 ** 27;
const PGDIR5_PAGES = 2 ** 36;

/** Index into the last-level (PTE) table. */
export const pteIndex = (vpn: number): number => vpn & 511;
/** Index into the PMD table. */
export const pmdIndex = (vpn: number): number => (vpn >>> 9) & 511;
/** Index into the PUD table. */
export const pudIndex = (vpn: number): number => (vpn >>> 18) & 511;
/** Index into the level-4 table (the root with 4 levels). */
export const p4dIndex = (vpn: number): number => Math.floor(vpn / PGDIR_PAGES) & 511;
/** Index into the level-5 table (the root with 5 levels). */
export const pgdIndex = (vpn: number): number => Math.floor(vpn / PGDIR5_PAGES) & 511;

/** `vpn` rounded down to a multiple of `2^order` pages. */
export function alignDown(vpn: number, order: number): number {
  return vpn - (vpn % 2 ** order);
}

/** `vpn` rounded up to a multiple of `2^order` pages. */
export function alignUp(vpn: number, order: number): number {
  return alignDown(vpn + 2 ** order - 1, order);
}

/** Whole pages that `bytes` bytes need. */
export const pagesOf = (bytes: number): number => Math.ceil(bytes / PAGE_SIZE);

/** The byte address of a page as `0x…` text, exact beyond 2^53 (for messages and exports). */
export function vpnToHex(vpn: number): string {
  return '0x' + (BigInt(vpn) << 12n).toString(16);
}
