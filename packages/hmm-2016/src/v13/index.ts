/**
 * HMM as it was posted on 18 November 2016: version 13 of the series, 18 patches. `@v13 patch 9 hmm_mirror_register` in a doc comment
 * names the patch and the function.
 *
 * @packageDocumentation
 */
export { hmmVmaAllocLockedPage } from '../locked-page.js';
export { hmmDevmemAdd, hmmDevmemFaultRange, hmmDevmemRemove } from './devmem.js';
export { hmmVmaMigrate, type HmmMigrateOps } from './migrate.js';
export { hmmMirrorRegister, hmmMirrorUnregister } from './mirror.js';
export { hmmVmaRangeLock } from './range-lock.js';
export { hmmVmaRangeMonitorEnd, hmmVmaRangeMonitorStart } from './range-monitor.js';
export { hmmVmaRangeUnlock } from './range-unlock.js';
export { hmmVmaFault, hmmVmaGetPfns } from './snapshot.js';
