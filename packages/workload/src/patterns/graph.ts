import { ACCESS_READ, ACCESS_WRITE } from '../readers/access-batch.js';
import { Streaming } from './linear.js';
import { InOrder } from './combine.js';
import { mixBelow, mixUnit } from './mix.js';
import type { AccessPattern, PatternBatch } from './pattern.js';
import { PAGE_BYTES, RowPattern, writeAccess } from './row-pattern.js';

/** A graph in compressed rows, as GPU traversals hold it. */
export interface GraphShape {
  readonly vertices: number;
  /** Edges in all; every vertex has about `edges / vertices`. */
  readonly edges: number;
  /** Bytes of a vertex record (row start and degree). Default 8. */
  readonly vertexBytes?: number;
}

/** Regions of a traversal, in this order. */
export const BFS_REGIONS = ['nodes', 'edges', 'mask', 'updating', 'visited', 'cost'] as const;

const NODES = 0;
const EDGES = 1;
const MASK = 2;
const UPDATING = 3;
const VISITED = 4;
const COST = 5;

/** Neighbours of a vertex that are followed, at most. */
const MAX_NEIGHBOURS = 8;

/** Pages of each of {@link BFS_REGIONS}. */
export function bfsRegionPages({ vertices, edges, vertexBytes = 8 }: GraphShape): number[] {
  const bytes = [vertices * vertexBytes, edges * 4, vertices, vertices, vertices, vertices * 4];
  return bytes.map((size) => Math.ceil(size / PAGE_BYTES));
}

/**
 * Vertices in each level's frontier, starting from one: each frontier edge reaches a vertex that is new with the share of
 * vertices still unseen, less those reached twice. Ends when less than a vertex is new, or after `levels`.
 */
export function bfsFrontiers({ vertices, edges }: GraphShape, levels = 64): number[] {
  const sizes: number[] = [];
  let unseen = vertices - 1;
  let frontier = 1;
  while (frontier >= 1 && sizes.length < levels) {
    sizes.push(frontier);
    const reach = (frontier * edges) / vertices / vertices;
    frontier = Math.floor((unseen * reach) / (1 + reach));
    unseen -= frontier;
  }
  return sizes;
}

/**
 * The vertices of one frontier, ascending as threads are, but at random places: each reads its record and edges,
 * then for each neighbour reads whether it was visited and writes its cost and its mark.
 */
export class BfsFrontier extends RowPattern {
  readonly name = 'graph frontier';
  private readonly graph: GraphShape;
  private readonly size: number;
  private readonly neighbours: number;

  constructor(graph: GraphShape, size: number) {
    const degree = Math.ceil(graph.edges / graph.vertices);
    const neighbours = Math.min(degree, MAX_NEIGHBOURS);
    super(size * (4 + 3 * neighbours));
    this.graph = graph;
    this.size = size;
    this.neighbours = neighbours;
  }

  protected access(batch: PatternBatch, row: number, index: number, seed: number): void {
    const perVertex = 4 + 3 * this.neighbours;
    const nth = Math.floor(index / perVertex);
    const step = index % perVertex;
    const { vertices, edges, vertexBytes = 8 } = this.graph;
    if (step < 4) {
      const vertex = Math.floor(((nth + mixUnit(seed, nth)) * vertices) / this.size);
      const edgeByte = Math.floor((vertex * edges) / vertices) * 4;
      if (step === 0) writeAccess(batch, row, MASK, page(vertex), ACCESS_READ);
      else if (step === 1) writeAccess(batch, row, MASK, page(vertex), ACCESS_WRITE);
      else if (step === 2) writeAccess(batch, row, NODES, page(vertex * vertexBytes), ACCESS_READ);
      else writeAccess(batch, row, EDGES, page(edgeByte), ACCESS_READ);
      return;
    }
    const which = Math.floor((step - 4) / 3);
    const neighbour = mixBelow(seed ^ 0x51ed270b, nth * MAX_NEIGHBOURS + which, vertices);
    const part = (step - 4) % 3;
    if (part === 0) writeAccess(batch, row, VISITED, page(neighbour), ACCESS_READ);
    else if (part === 1) writeAccess(batch, row, COST, page(neighbour * 4), ACCESS_WRITE);
    else writeAccess(batch, row, UPDATING, page(neighbour), ACCESS_WRITE);
  }
}

const page = (byte: number): number => Math.floor(byte / PAGE_BYTES);

/** The two kernels of one level: mask sweep and frontier; then the sweep that turns new marks into the next mask. */
export function bfsLevel(graph: GraphShape, frontier: number): [AccessPattern, AccessPattern] {
  const flags = Math.ceil(graph.vertices / PAGE_BYTES);
  const sweep = (region: number, kind: number): AccessPattern =>
    new Streaming({ region, pages: flags, kind });
  const expand = new InOrder([sweep(MASK, ACCESS_READ), new BfsFrontier(graph, frontier)], 'graph level');
  const turn = [sweep(UPDATING, ACCESS_WRITE), sweep(MASK, ACCESS_WRITE), sweep(VISITED, ACCESS_WRITE)];
  return [expand, new InOrder(turn, 'graph level end')];
}
