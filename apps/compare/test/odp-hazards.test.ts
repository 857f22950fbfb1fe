import { compileLitmus, type LitmusProgram, runLitmus } from '@hmm/explore';
import { devicesByClient } from '@hmm/explore/internal';
import { Mlx5Client, mlx5Factory, MLX5_MEMORY, SMALL_LEAF_PAGES } from '@hmm/mlx5-model';
import { RXE_INTENDED, RxeClient, rxeFactory, type RxeOptions } from '@hmm/rxe-model';
import { litmusDevices } from '@hmm/test-device';
import { parseProgram } from '@hmm/workload';
import { expect, test } from 'vitest';

/** A hazard as a switch, and the small concurrent test that runs into it. */
interface Hazard {
  readonly id: string;
  readonly odp?: Partial<RxeOptions['odp']>;
  readonly rxe?: Partial<RxeOptions>;
  readonly breaks: string;
  readonly test: string;
  /** How it is searched, where not exhaustively. */
  readonly strategy?: 'random';
}

const HAZARDS: readonly Hazard[] = [
  {
    id: 'OO2: on mlx5 a fault of a neighbour programs a frame that nobody has validated',
    odp: { sharedList: true },
    breaks: 'OI1',
    strategy: 'random',
    test: `set client = mlx5
      malloc a 2pages
      open D0
      cpu write a = 5
      reg mr 0 a rw
      madvise a dontneed
      cpu write a = 6
      T0 | T1 | T2 ;
      rread mr 0 a[0] rc e | rread mr 0 a[1] rc f | madvise a[0] dontneed ;`,
  },
  {
    id: 'OO3: on rxe a frame that nobody has validated can be used',
    odp: { sharedList: true },
    breaks: 'OI1',
    test: `set client = rxe
      malloc a 1page
      open D0
      cpu write a = 5
      reg mr 0 a rw
      madvise a dontneed
      cpu write a = 6
      T0 | T1 ;
      rread mr 0 a rc e | madvise a dontneed ;`,
  },
  {
    id: 'OO8: what the adapter wrote to a page that was clean is lost',
    rxe: { neverDirty: true },
    breaks: 'forall',
    test: `set client = rxe
      malloc a 1page
      open D0
      cpu write a = 5
      reg mr 0 a rw
      madvise a free
      T0 | T1 ;
      rwrite mr 0 a = 7 | madvise a pageout ;
      final { madvise a pageout cpu read a -> v }
      forall v == 7`,
  },
  {
    id: 'OO14: a deregistration does not wait for a fault that names a leaf',
    odp: { childReference: true },
    breaks: 'OI12',
    test: `set client = mlx5
      malloc a 2pages
      open D0
      cpu write a = 5
      reg_implicit mr 0 rw
      rread mr 0 a[0]
      madvise a[1] dontneed
      T0 | T1 ;
      rread mr 0 a[1] rc e | dereg mr 0 rc f ;`,
  },
  {
    id: 'OO15: the waiter has freed the region that it is woken in',
    odp: { lateWake: true },
    breaks: 'OI12',
    test: `set client = mlx5
      malloc a 1page
      open D0
      reg mr 0 a rw
      T0 | T1 ;
      rread mr 0 a rc e | dereg mr 0 rc f ;`,
  },
];

/** The two adapters, with some switches on. */
function adapters({ odp, rxe }: Hazard, on: boolean): Parameters<typeof devicesByClient>[0] {
  const switches = on ? { ...RXE_INTENDED.odp, ...odp } : RXE_INTENDED.odp;
  const soft = { ...RXE_INTENDED, ...(on ? rxe : {}), odp: switches };
  const hard = { ...MLX5_MEMORY, odp: switches, leafPages: SMALL_LEAF_PAGES };
  return [
    {
      ...rxeFactory(),
      create: ({ memory, exploration }) => ({ ok: true, client: new RxeClient(memory, soft, exploration) }),
    },
    {
      ...mlx5Factory(),
      create: ({ memory, exploration }, gpu) => ({
        ok: true,
        client: new Mlx5Client(memory, gpu, hard, exploration),
      }),
    },
  ];
}

function program(text: string): LitmusProgram {
  const parsed = parseProgram(`litmus hazard\n${text}\n`, 'hazard');
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join('\n'));
  const compiled = compileLitmus(parsed.program, 'hazard');
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));
  return compiled.program;
}

test.each(HAZARDS.map((each) => [each.id, each] as const))('%s', (_id, hazard) => {
  const explored = (on: boolean): string | undefined => {
    const devices = devicesByClient(adapters(hazard, on), litmusDevices);
    const { strategy = 'dpor' } = hazard;
    const { report } = runLitmus(program(hazard.test), devices, {
      strategy,
      maxExecutions: strategy === 'random' ? 500 : 2000,
      minimiseExecutions: 0,
    });
    return report.counterexample?.invariant;
  };
  expect(explored(true)).toBe(hazard.breaks);
  expect(explored(false)).toBeUndefined();
});
