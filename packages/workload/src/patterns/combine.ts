import type { AccessPattern, PatternBatch } from './pattern.js';

/** Its own seed for each part of a pattern, so that equal parts do not draw equal numbers. */
const partSeed = (seed: number, part: number): number => (seed + Math.imul(part, 0x3c6ef372)) | 0;

/** Patterns one after another. */
export class InOrder implements AccessPattern {
  readonly name: string;
  readonly accesses: number;
  private readonly parts: readonly AccessPattern[];
  /** Number of the first access of each part, and of the one after the last. */
  private readonly starts: Float64Array;

  constructor(parts: readonly AccessPattern[], name?: string) {
    this.parts = parts;
    this.starts = new Float64Array(parts.length + 1);
    parts.forEach((part, i) => (this.starts[i + 1] = (this.starts[i] ?? 0) + part.accesses));
    this.accesses = this.starts[parts.length] ?? 0;
    this.name = name ?? parts.map((part) => part.name).join(', then ');
  }

  fill(batch: PatternBatch, first: number, count: number, seed: number): void {
    let part = this.partAt(first);
    let at = first;
    while (at < first + count) {
      const start = this.starts[part] ?? 0;
      const end = Math.min(this.starts[part + 1] ?? 0, first + count);
      if (end > at) this.parts[part]?.fill(batch, at - start, end - at, partSeed(seed, part));
      at = Math.max(at, end);
      part++;
    }
  }

  private partAt(access: number): number {
    let low = 0;
    let high = this.parts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] ?? 0) <= access) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** One access of each pattern in turn: how `c[i] = a[i] + b[i]` touches three regions. Ends with the shortest. */
export class Interleaved implements AccessPattern {
  readonly name: string;
  readonly accesses: number;
  private readonly parts: readonly AccessPattern[];

  constructor(parts: readonly AccessPattern[], name?: string) {
    this.parts = parts;
    this.accesses = Math.min(...parts.map((part) => part.accesses)) * parts.length;
    this.name = name ?? parts.map((part) => part.name).join(' with ');
  }

  fill(batch: PatternBatch, first: number, count: number, seed: number): void {
    const { parts } = this;
    let part = first % parts.length;
    let at = Math.floor(first / parts.length);
    for (let i = 0; i < count; i++) {
      parts[part]?.fill(batch, at, 1, partSeed(seed, part));
      if (++part < parts.length) continue;
      part = 0;
      at++;
    }
  }
}

/** A pattern several times over, with the same random numbers each time. */
export class Repeated implements AccessPattern {
  readonly name: string;
  readonly accesses: number;
  private readonly pattern: AccessPattern;

  constructor(pattern: AccessPattern, times: number) {
    this.pattern = pattern;
    this.accesses = pattern.accesses * times;
    this.name = `${times} × ${pattern.name}`;
  }

  fill(batch: PatternBatch, first: number, count: number, seed: number): void {
    const { accesses } = this.pattern;
    for (let at = first; at < first + count;) {
      const inPattern = at % accesses;
      const here = Math.min(accesses - inPattern, first + count - at);
      this.pattern.fill(batch, inPattern, here, seed);
      at += here;
    }
  }
}
