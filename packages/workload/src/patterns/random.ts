import { OneRegionPattern, type RegionUse } from './linear.js';
import { mix, mixBelow, permuted } from './mix.js';

/** Pages drawn uniformly, with replacement. */
export class UniformRandom extends OneRegionPattern {
  readonly name = 'uniform random';

  constructor(use: RegionUse & { accesses: number }) {
    super(use, use.accesses);
  }

  protected pages(page: Uint32Array, at: number, first: number, count: number, seed: number): void {
    const { pages } = this.use;
    for (let i = 0; i < count; i++) page[at + i] = mixBelow(seed, first + i, pages);
  }
}

/** Every page once, in a pseudo-random order; again in another order for each further pass. */
export class Shuffled extends OneRegionPattern {
  readonly name = 'shuffled';

  constructor(use: RegionUse & { passes?: number }) {
    super(use, use.pages * (use.passes ?? 1));
  }

  protected pages(page: Uint32Array, at: number, first: number, count: number, seed: number): void {
    const { pages } = this.use;
    for (let i = 0; i < count; i++) {
      const pass = Math.floor((first + i) / pages);
      page[at + i] = permuted((first + i) % pages, pages, seed + pass);
    }
  }
}

/** Page `pages · u^exponent` for a uniform u: hot at the front. Exact on every machine. */
export class Skewed extends OneRegionPattern {
  readonly name: string;
  private readonly exponent: number;

  /** `exponent` is a whole number, at least 1; 4 is strongly skewed. */
  constructor(use: RegionUse & { accesses: number; exponent: number }) {
    super(use, use.accesses);
    this.exponent = use.exponent;
    this.name = `skewed u^${use.exponent}`;
  }

  protected pages(page: Uint32Array, at: number, first: number, count: number, seed: number): void {
    const { exponent } = this;
    const { pages } = this.use;
    for (let i = 0; i < count; i++) {
      const u = mix(seed, first + i) / 4294967296;
      let skewed = u;
      for (let power = 1; power < exponent; power++) skewed *= u;
      page[at + i] = Math.floor(skewed * pages);
    }
  }
}
