import { OneRegionPattern, type RegionUse } from './linear.js';
import { mixUnit, permuted } from './mix.js';

/** Counters that one access may use up while rejecting: far more than it ever needs. */
const TRIES = 64;

/**
 * Zipf's law: the page of rank r is drawn with a probability in proportion to r^-exponent. Ranks are scattered over the
 * region unless `hotFirst`, so that hot pages are not neighbours.
 *
 * Drawn by rejection from the integral of r^-exponent (Hörmann and Derflinger 1996), which needs no table and less than
 * 1.2 tries on average.
 */
export class Zipf extends OneRegionPattern {
  readonly name: string;
  private readonly exponent: number;
  private readonly hotFirst: boolean;
  private readonly low: number;
  private readonly high: number;
  private readonly sure: number;

  /** `exponent` is above 0; 1 is the classic. */
  constructor(use: RegionUse & { accesses: number; exponent: number; hotFirst?: boolean }) {
    super(use, use.accesses);
    this.exponent = use.exponent;
    this.hotFirst = use.hotFirst ?? false;
    this.name = `zipf ${use.exponent}`;
    this.low = this.integral(1.5) - 1;
    this.high = this.integral(use.pages + 0.5);
    this.sure = 2 - this.inverse(this.integral(2.5) - 2 ** -this.exponent);
  }

  protected pages(page: Uint32Array, at: number, first: number, count: number, seed: number): void {
    const { pages } = this.use;
    for (let i = 0; i < count; i++) {
      const rank = this.rank(seed, (first + i) * TRIES);
      page[at + i] = this.hotFirst ? rank - 1 : permuted(rank - 1, pages, seed);
    }
  }

  private rank(seed: number, counter: number): number {
    const { pages } = this.use;
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const u = this.high + mixUnit(seed, counter + attempt) * (this.low - this.high);
      const x = this.inverse(u);
      const rank = Math.min(pages, Math.max(1, Math.floor(x + 0.5)));
      if (rank - x <= this.sure || u >= this.integral(rank + 0.5) - rank ** -this.exponent) return rank;
    }
    return 1;
  }

  /** The integral of x^-exponent, up to a constant. */
  private integral(x: number): number {
    const power = 1 - this.exponent;
    return power === 0 ? Math.log(x) : (x ** power - 1) / power;
  }

  private inverse(y: number): number {
    const power = 1 - this.exponent;
    return power === 0 ? Math.exp(y) : Math.max(0, 1 + y * power) ** (1 / power);
  }
}
