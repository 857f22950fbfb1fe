import type { FunctionNaming } from '@hmm/device';
import type { AccessObserver } from '@hmm/kernel/internal';
import { KERNEL_NAMES, METHODS, PLUMBING } from './kernel-names.js';

/** `mmuIntervalReadRetry` → `mmu_interval_read_retry`; '' for what is no function of the kernel or of a driver. */
export function kernelName(owner: string, called: string, namings: readonly FunctionNaming[]): string {
  // A bundler numbers functions of different files that have one name, and marks classes that name themselves.
  const name = called.replace(/\$?\d+$/, '');
  const method = `${owner.replace(/^_|\d+$/g, '')}.${name}`;
  for (const { functions, methods, unnamed } of namings) {
    const own = methods[method] ?? (Object.hasOwn(functions, name) ? functions[name] : undefined);
    if (own !== undefined) return own;
    if (unnamed.includes(name)) return '';
  }
  const known = METHODS.get(method) ?? KERNEL_NAMES.get(name);
  if (known !== undefined) return known;
  if (PLUMBING.test(name) || !/[a-z][A-Z]/.test(name)) return '';
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

/** Collects the names of the functions that touch shared state, from the call stack. */
export class FunctionNames implements AccessObserver {
  private names: string[] = [];
  private readonly whole: boolean;
  private readonly namings: readonly FunctionNaming[];

  /**
   * @param whole names the callers too, outermost first; otherwise only the function that touches the state.
   * @param namings the names of drivers' functions; the kernel's own are known.
   */
  constructor(whole = false, namings: readonly (FunctionNaming | undefined)[] = []) {
    this.whole = whole;
    this.namings = namings.filter((naming) => naming !== undefined);
  }

  /** @inheritdoc */
  access(): void {
    this.note();
  }

  /** @inheritdoc */
  count(): void {
    this.note();
  }

  /** @inheritdoc */
  acquire(): void {
    this.note();
  }

  /** @inheritdoc */
  release(): void {
    this.note();
  }

  /** The names since the last call, in order. */
  take(): string[] {
    const { names } = this;
    this.names = [];
    return names;
  }

  private note(): void {
    const stack = new Error().stack ?? '';
    const chain: string[] = [];
    // What is further out than the scheduler is no part of the model.
    const inside = stack.replace(/\n[^\n]*\bSched\.step\b[^]*/, '');
    for (const [, owner = '', name = ''] of inside.matchAll(/^\s*at (?:async )?(?:(\w+)\.)?([\w$]+) /gm)) {
      const spoken = kernelName(owner, name, this.namings);
      if (spoken === '') continue;
      chain.push(spoken);
      if (!this.whole) break;
    }
    for (const spoken of chain.reverse()) if (this.names.at(-1) !== spoken) this.names.push(spoken);
  }
}
