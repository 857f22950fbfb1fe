import { expect, test } from 'vitest';
import type { ClientFactory } from '@hmm/device';
import { Machine, runProgram } from '@hmm/machine';
import { testDeviceFactory } from '@hmm/test-device';
import { parseProgram } from '@hmm/workload';

const factory: ClientFactory = testDeviceFactory();

test('a program of ioctls runs on the device that the factory makes', () => {
  const parsed = parseProgram(
    `malloc a 4pages
    cpu write a = 5 step 1
    todev a -> v
    assert v == [5, 6, 7, 8] /\\ where(a[0]) == gpu /\\ count(bytes_to_device) == 16384
    dwrite a = 9
    cpu read a[1] -> x
    snap a -> s
    assert x == 10 /\\ where(a[1]) == cpu /\\ s == [0x22, 2, 0x22, 0x22]`,
    'ioctls',
  );
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  const machine = new Machine();
  const made = factory.create(
    { kernel: machine.kernel, memory: machine.memory, seed: 1 },
    'dmirror-private',
    new Map(),
  );
  if (!made.ok) throw new Error(made.message);
  machine.addDevice('D0', made.client);
  expect(runProgram(machine, parsed.program)).toMatchObject({ problem: undefined, failures: [] });
});

test('wrong settings are one line that names what was expected', () => {
  const { kernel, memory } = new Machine();
  const make = (gpu: string, value: string): unknown =>
    factory.create({ kernel, memory, seed: 1 }, gpu, new Map([['corrected', value]]));
  expect(make('h100', '1')).toEqual({ ok: false, message: 'no test device is called h100' });
  expect(make('dmirror-private', 'x')).toEqual({ ok: false, message: 'corrected is 0 or 1, not x' });
});
