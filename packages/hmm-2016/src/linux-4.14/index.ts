/**
 * HMM as Linux 4.14 has it, the first release with it: `mm/hmm.c` and `migrate_vma` of `mm/migrate.c`.
 *
 * @packageDocumentation
 */
export { hmmVmaAllocLockedPage } from '../locked-page.js';
export { hmmDevmemAdd, hmmDevmemFaultRange, hmmDevmemRemove } from './devmem.js';
export { migrateVma, type MigrateVmaOps } from './migrate.js';
export { hmmMirrorRegister, hmmMirrorUnregister } from './mirror.js';
export { hmmVmaFault, hmmVmaGetPfns, hmmVmaRangeDone } from './range.js';
