/**
 * HMM as it was posted in November 2016, and as Linux 4.14 took it, on today's memory management; and the device of the announcement as a
 * client of each. The calls themselves are in `@hmm/hmm-2016/v13` and `@hmm/hmm-2016/linux-4.14`.
 *
 * @packageDocumentation
 */
export {
  HMM_2016_BEHAVIOURS,
  HMM_2016_VERSIONS,
  hmm2016Behaviours,
  type Hmm2016Behaviour,
  type Hmm2016BehaviourName,
  type Hmm2016Behaviours,
  type Hmm2016Version,
} from './behaviours.js';
export { hmm2016Factory } from './client/factory.js';
export { ANNOUNCED_DEVICE, Hmm2016Client, type Hmm2016Options } from './client/hmm-2016-client.js';
export { MirrorProcess, type MirrorPolicy } from './client/mirror-process.js';
export { Hmm, HMM_UPDATE_INVALIDATE, HmmCore, HmmMirror, type HmmUpdate } from './hmm.js';
export { HmmDevmem, type HmmDevmemOps } from './hmm-devmem.js';
export {
  HMM_PFN_DEVICE,
  HMM_PFN_EMPTY,
  HMM_PFN_ERROR,
  HMM_PFN_FAULT,
  HMM_PFN_LANES,
  HMM_PFN_LOCKED,
  HMM_PFN_MIGRATE,
  HMM_PFN_READ,
  HMM_PFN_SPECIAL,
  HMM_PFN_UNADDRESSABLE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
} from './hmm-pfn.js';
export { HmmRange } from './hmm-range.js';
