import { tracepoint } from '@hmm/kernel';
import { EVENT_TO_DEVICE, EVENT_TO_HOST, meaningOf } from '@hmm/kernel/internal';
import {
  packUvmEvent,
  UvmEventMigrationCauseEviction,
  UvmEventMigrationCausePrefetch,
  UvmEventTypeMigration,
} from '@hmm/nvidia-uvm-model';
import { UVM_ID_CPU, UVM_ID_GPU } from '@hmm/nvidia-uvm-model/internal';
import { expect, test } from 'vitest';

test('the destination and the cause of a migration are told from its value', () => {
  const up = packUvmEvent(UvmEventMigrationCausePrefetch, UVM_ID_CPU, UVM_ID_GPU);
  const down = packUvmEvent(UvmEventMigrationCauseEviction, UVM_ID_GPU, UVM_ID_CPU);
  expect([up, down].map((value) => meaningOf(UvmEventTypeMigration, value))).toEqual([
    EVENT_TO_DEVICE,
    EVENT_TO_HOST,
  ]);
  expect([up, down].map((value) => tracepoint(UvmEventTypeMigration).cause?.(value))).toEqual([
    'prefetch',
    'eviction',
  ]);
});
