import { describe, expect, test } from 'vitest';
import type { ClientHost, DeviceClient } from '@hmm/device';
import { contractCases } from '@hmm/machine/contract';
import { ANNOUNCED_DEVICE, HMM_2016_VERSIONS, hmm2016Factory, type Hmm2016Version } from '@hmm/hmm-2016';

/** What a version cannot keep, and why: it must be broken there, and whole once the defect is mended. */
const COULD_NOT: Readonly<Record<Hmm2016Version, Readonly<Record<string, string>>>> = {
  v13: { 'every page of a huge page is somewhere': 'compoundLosesMapping' },
  '4.14': {},
};

function client(version: Hmm2016Version, mend: string): (host: ClientHost) => DeviceClient {
  return (host) => {
    const made = hmm2016Factory(version).create(host, ANNOUNCED_DEVICE, new Map([['mend', mend]]));
    if (!made.ok) throw new Error(made.message);
    return made.client;
  };
}

describe.each(HMM_2016_VERSIONS)('the announced device on %s keeps the contract of clients', (version) => {
  for (const { name, check } of contractCases()) {
    const defect = COULD_NOT[version][name];
    if (defect === undefined) {
      test(name, ({ skip }) => {
        const broken = check(client(version, ''));
        if (broken?.startsWith('skip:') === true) skip(broken);
        expect(broken).toBeUndefined();
      });
      continue;
    }
    test(`${name}: not here, since ${defect}`, () => {
      expect(check(client(version, ''))).toBeDefined();
      expect(check(client(version, defect))).toBeUndefined();
    });
  }
});
