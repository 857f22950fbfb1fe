import { behaviour as has, type Behaviours } from './releases.js';

/**
 * What the releases of Linux differ in, as far as a program, a driver or a subscriber can see it. The core asks for a row by
 * its name (`kernel.does.collectsHugePmds`) and nowhere for a release. Drivers have tables of their own.
 *
 * A column is a release of `RELEASES`. To add a release is to add a column: see "Adding a release" in CONTRIBUTING.
 */
export const CORE_BEHAVIOURS = {
  //                     6.1 6.12 6.19 7.3
  collectsHugePmds: has(
    '- - + +',
    'mm/migrate_device.c migrate_vma_collect_huge_pmd',
    'A huge page that is migrated whole is one slot; a huge zero page is a hole and stays; huge pages that were not selected are left alone.',
  ),
  collectsHugeHoles: has(
    '- - + +',
    'mm/migrate_device.c migrate_vma_collect_hole',
    'Untouched, aligned 2 MiB of anonymous memory go to a device as one huge page, whatever the setting of huge pages.',
  ),
  collectSplitsLargeFolios: has(
    '- - + +',
    'mm/migrate_device.c migrate_vma_collect_pmd',
    'A page of a large folio that PTEs map is migrated after the folio is split; it used to be left out.',
  ),
  largeDeviceFolios: has(
    '- - + +',
    'mm/memremap.c memremap_pages',
    'Device memory is aligned to 2 MiB, so that it can be handed out in large folios.',
  ),
} as const;

/** Whether a machine behaves as each row of {@link CORE_BEHAVIOURS} says. */
export type CoreBehaviours = Behaviours<typeof CORE_BEHAVIOURS>;
