import type { Difference } from '@hmm/report';
import type { RasterView } from '../tiles/residency-raster.js';
import type { ExplicitView } from './explicit-view.js';
import type { LitmusStory, LitmusView } from './litmus-view.js';
import type { PaneResult } from './run-view.js';
import type { StepRun } from './step-view.js';
import type { WhyLink } from './why-view.js';

/** What one pane runs. */
export interface PaneSpec {
  /** A driver's short name. */
  readonly client: string;
  /** GPU preset, or a machine with several GPUs; '' for what the program asks for, else the driver's default. */
  readonly gpu: string;
  /** The program's parameters and the driver's settings, `name=value`. */
  readonly settings: readonly string[];
}

/** A driver that can be chosen. */
export interface ClientView {
  readonly name: string;
  readonly title: string;
  readonly gpus: readonly string[];
  /** A sentence by setting. */
  readonly settings: Readonly<Record<string, string>>;
}

/** An error in a program's text. */
export interface ProblemView {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** Requests to the engine's worker. */
export type EngineCall =
  | { readonly kind: 'clients' }
  /** `keep`: rasters and chains are asked for later, by pane. */
  | {
      readonly kind: 'run';
      readonly program: string;
      readonly panes: readonly PaneSpec[];
      readonly keep: boolean;
    }
  /** How the latest run compares with the program's explicit form. */
  | { readonly kind: 'explicit'; readonly program: string; readonly panes: readonly PaneSpec[] }
  | { readonly kind: 'raster'; readonly pane: number; readonly view: RasterView }
  | { readonly kind: 'why'; readonly pane: number; readonly event: number }
  /** Only the file's handle goes to the worker, which reads it piece by piece. */
  | { readonly kind: 'open'; readonly name: string; readonly file: Blob }
  | { readonly kind: 'steps'; readonly program: string; readonly pane: PaneSpec }
  | { readonly kind: 'litmus'; readonly test: string; readonly budgetMs: number }
  | { readonly kind: 'story'; readonly test: string; readonly replay: string };

/** What each request is answered with. */
export interface EngineAnswers {
  readonly clients: readonly ClientView[];
  readonly run: RunAnswer;
  readonly explicit: ExplicitView;
  readonly raster: Uint8Array;
  readonly why: readonly WhyLink[];
  readonly open: PaneResult;
  readonly steps: StepRun;
  readonly litmus: LitmusView;
  readonly story: LitmusStory;
}

/** The answer to a run: a result a pane and what differs, or what is wrong with the text. */
export type RunAnswer =
  | { readonly ok: true; readonly panes: readonly PaneResult[]; readonly differences: readonly Difference[] }
  | { readonly ok: false; readonly problems: readonly ProblemView[] };

/** A request on its way; it is answered once, under its id. */
export interface EngineRequest {
  readonly id: number;
  readonly call: EngineCall;
}

/** An answer on its way, or why there is none. */
export type EngineReply =
  | { readonly id: number; readonly ok: true; readonly answer: EngineAnswers[keyof EngineAnswers] }
  | { readonly id: number; readonly ok: false; readonly message: string };
