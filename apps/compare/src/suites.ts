import { devicesByClient } from '@hmm/explore/internal';
import { NOUVEAU_DEFECTS } from '@hmm/nouveau-model/internal';
import { gpusvmRules, igtSvm, kfdSvm, type Suite, type SuiteClient } from '@hmm/suites';
import { litmusDevices } from '@hmm/test-device';
import { allClients } from './clients.js';

/** Defects of the real nouveau that its model has. */
const nouveauDefects = {
  names: NOUVEAU_DEFECTS,
  mended: (names: readonly string[]) => new Map([['mended', names.join(',')]]),
  link: () =>
    'https://github.com/hmm-ts/hmm/blob/main/packages/nouveau-model/README.md#defects-of-the-real-driver',
};

/** What the command's suites are run on: every driver that claims memory of the process, on a device that can. */
export const suiteClients: readonly SuiteClient[] = [
  client('nouveau', 'p100', true),
  client('nvidia', 'h100', true),
  client('nvidia', 'gh200'),
  client('test-device', 'dmirror-private'),
].flat();

/** The suites of the command `suites`. */
export const suites: readonly Suite[] = [
  igtSvm(devicesByClient(allClients, litmusDevices)),
  kfdSvm(),
  gpusvmRules(),
];

/** @param explored whether small tests are searched in every interleaving, too. */
function client(driver: string, gpu: string, explored = false): SuiteClient[] {
  const factory = allClients.find(({ name }) => name === driver);
  if (factory === undefined) return [];
  const defects = driver === 'nouveau' ? nouveauDefects : undefined;
  return [
    {
      name: `${driver}/${gpu}`,
      factory,
      gpu,
      explored,
      settings: new Map(),
      ...(defects ? { defects } : {}),
    },
  ];
}
