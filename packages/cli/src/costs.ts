import type { ClientFactory } from '@hmm/device';
import { readInput } from './input.js';

/** Factories, or one line on what is wrong. */
export type CostsResult<F> =
  { readonly ok: true; readonly factory: F } | { readonly ok: false; readonly message: string };

/** The factory with the costs of a file; itself without one. A driver that takes none is an error. */
export async function factoryWithCosts(
  factory: ClientFactory,
  file: string | undefined,
): Promise<CostsResult<ClientFactory>> {
  if (file === undefined) return { ok: true, factory };
  if (factory.withCosts === undefined)
    return { ok: false, message: `--costs ${file}: ${factory.name} takes no costs from a file` };
  const input = await readInput(file);
  if (!input.ok) return input;
  const made = factory.withCosts(input.text);
  return made.ok ? made : { ok: false, message: `${file}: ${made.message}` };
}

/** The factories, those that take costs with the costs of a file. It is an error where none does. */
export async function factoriesWithCosts(
  factories: readonly ClientFactory[],
  file: string | undefined,
): Promise<CostsResult<readonly ClientFactory[]>> {
  if (file === undefined) return { ok: true, factory: factories };
  if (factories.every((factory) => factory.withCosts === undefined))
    return { ok: false, message: `--costs ${file}: no driver here takes costs from a file` };
  const made: ClientFactory[] = [];
  for (const factory of factories) {
    const one =
      factory.withCosts === undefined
        ? { ok: true as const, factory }
        : await factoryWithCosts(factory, file);
    if (!one.ok) return one;
    made.push(one.factory);
  }
  return { ok: true, factory: made };
}
