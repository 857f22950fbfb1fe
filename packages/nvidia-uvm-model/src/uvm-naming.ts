import type { FunctionNaming } from '@hmm/device';

/** Under which names nvidia-uvm knows the functions of its model. */
export const UVM_NAMING: FunctionNaming = {
  functions: {
    serviceFaultBatch: 'service_fault_batch',
    uvmHmmMigrate: 'uvm_hmm_va_block_migrate_locked',
    uvmHmmMigrateToRam: 'devmem_fault',
    uvmHmmServiceGpuFaults: 'uvm_hmm_va_block_service_locked',
  },
  methods: {},
  unnamed: [
    'addPage',
    'allocHome',
    'attachMm',
    'awaitReplay',
    'bringIn',
    'copyHome',
    'faultsPending',
    'launchKernel',
    'managedCpuAccess',
    'migrateIn',
    'serviceHmm',
    'takeOffGpu',
    'uvmCpuAccess',
  ],
};
