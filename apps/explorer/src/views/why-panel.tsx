import { useEffect, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import { placeOf } from '../engine/page-name.js';
import type { RunView } from '../engine/run-view.js';
import type { PrefetchTreeView, WhyLink } from '../engine/why-view.js';
import { results, selectEvent, selection } from '../state/store.js';
import { eventName } from './lanes.js';
import { timeText } from './time-text.js';

/** The chain behind the selected event, at the foot of the window: each link names what happened and by which rule. */
export function WhyPanel({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const chosen = selection.value;
  const result = chosen === undefined ? undefined : results.value[chosen.pane];
  const run = result?.ok === true ? result.run : undefined;
  const links = useChain(engine, run);
  if (run === undefined || links.length === 0) {
    return (
      <section class="card why hint" aria-label="Why">
        <h2>Why?</h2>
        <p class="soft">
          Select a bar of the lanes, a page of a map, or a cause above: the chain behind it is told here.
        </p>
      </section>
    );
  }
  return (
    <section
      class="card why"
      aria-label="Why"
      onKeyDown={(pressed) => {
        if (pressed.key === 'Escape') selection.value = undefined;
      }}
    >
      <header>
        <h2>
          Why <span class="soft">under {run.title}</span>
        </h2>
        <button
          type="button"
          class="quiet"
          aria-label="Close"
          onClick={() => {
            selection.value = undefined;
          }}
        >
          ×
        </button>
      </header>
      <div class="why-scroll" role="region" aria-label="Chain" aria-live="polite" tabIndex={0}>
        <ol class="chain">
          {links.map((link, at) => (
            <ChainLink key={`${at} ${link.title}`} link={link} />
          ))}
        </ol>
      </div>
    </section>
  );
}

/** The chain behind the selected event of `run`, asked of the engine anew with each selection. */
function useChain(engine: Engine, run: RunView | undefined): readonly WhyLink[] {
  const chosen = selection.value;
  const [links, setLinks] = useState<readonly WhyLink[]>([]);
  useEffect(() => {
    if (chosen === undefined || run === undefined) {
      setLinks([]);
      return;
    }
    if (run.report === undefined) {
      setLinks([recordedLink(run, chosen.event)]);
      return;
    }
    let live = true;
    engine.call({ kind: 'why', pane: chosen.pane, event: chosen.event }).then(
      (answer) => {
        if (live) setLinks(answer);
      },
      () => {
        if (live) setLinks([]);
      },
    );
    return () => {
      live = false;
    };
  }, [run, chosen?.pane, chosen?.event]);
  return links;
}

/** One link: what happened, by which rule; its title selects its event. */
function ChainLink({ link }: { readonly link: WhyLink }): preact.JSX.Element {
  const chosen = selection.value;
  return (
    <li aria-current={link.event === chosen?.event ? 'true' : undefined}>
      <button
        type="button"
        class="link-title"
        disabled={link.event < 0}
        onClick={() => {
          if (chosen !== undefined) selectEvent(chosen.pane, link.event);
        }}
      >
        {link.title}
      </button>
      <div>
        {link.text}
        {link.rule !== '' && <div class="rule">{link.rule}</div>}
        {link.tree !== undefined && <PrefetchTree tree={link.tree} />}
      </div>
    </li>
  );
}

/** All that is known of an event of a recorded trace. */
function recordedLink(run: RunView, event: number): WhyLink {
  const { events } = run;
  const place = placeOf(run.regions, events.row[event] ?? -1, events.pages[event] ?? 0);
  const text = `${eventName(run, event)} ${place} at ${timeText(events.time[event] ?? 0)}`;
  return { title: 'recorded', text, rule: '', event };
}

const LEAF_WIDTH = 512;
const ROW = 17;
const LEAF_NAMES = ['', 'resident before', 'faulted now', 'taken along'] as const;

/** The density prefetcher's tree: the block's pages below, and the nodes from the faulted page up to the root. */
export function PrefetchTree({ tree }: { readonly tree: PrefetchTreeView }): preact.JSX.Element {
  const { levels, leaves, pages, threshold, faulted } = tree;
  const scale = LEAF_WIDTH / pages;
  const chosen = levels.findLastIndex(({ dense }) => dense);
  const height = (levels.length + 1) * ROW + 6;
  const sentence =
    chosen < 0
      ? `No node is denser than ${threshold} %: nothing is taken along.`
      : `The largest node denser than ${threshold} % has ${levels[chosen]?.pages ?? 0} pages: they are taken along.`;
  return (
    <figure class="tree">
      <svg
        width={LEAF_WIDTH + 170}
        height={height}
        role="img"
        aria-label={`Prefetch tree of page ${faulted}. ${sentence}`}
      >
        {levels.toReversed().map((level, row) => {
          const at = levels.length - 1 - row;
          return <TreeNode key={at} tree={tree} level={level} row={row} taken={at === chosen} />;
        })}
        {runsOf(leaves).map(({ first, count, state }) => (
          <rect
            key={first}
            class={`leaf leaf-${state}`}
            x={first * scale}
            y={levels.length * ROW}
            width={Math.max(1, count * scale)}
            height={ROW - 4}
          >
            <title>{`${LEAF_NAMES[state] ?? ''}: pages ${first} to ${first + count - 1}`}</title>
          </rect>
        ))}
        <text x={LEAF_WIDTH + 8} y={levels.length * ROW + 11}>
          {pages} pages of the block
        </text>
      </svg>
      <figcaption>
        <ul class="legend" aria-label="Legend of the tree">
          {[2, 3, 1].map((state) => (
            <li key={state}>
              <i class={`leaf-${state}`} /> {LEAF_NAMES[state]}
            </li>
          ))}
        </ul>
        {sentence}
      </figcaption>
    </figure>
  );
}

/** A node of the tree: its share of the width, how full it is, and whether its pages are taken along. */
function TreeNode(props: {
  readonly tree: PrefetchTreeView;
  readonly level: PrefetchTreeView['levels'][number];
  readonly row: number;
  readonly taken: boolean;
}): preact.JSX.Element {
  const { tree, level, row, taken } = props;
  const scale = LEAF_WIDTH / tree.pages;
  const exact = level.set * 100 === level.pages * tree.threshold;
  const percent = ((100 * level.set) / level.pages).toFixed(exact ? 1 : 0);
  return (
    <g class={taken ? 'chosen' : level.dense ? 'dense' : 'sparse'}>
      <rect x={level.first * scale} y={row * ROW} width={Math.max(2, level.pages * scale)} height={ROW - 4} />
      <text x={LEAF_WIDTH + 8} y={row * ROW + 11}>
        {level.set}/{level.pages} = {percent} %{taken ? ' ← taken' : level.dense ? ' dense' : ''}
      </text>
    </g>
  );
}

function runsOf(leaves: Uint8Array): { first: number; count: number; state: number }[] {
  const runs: { first: number; count: number; state: number }[] = [];
  for (let page = 0; page < leaves.length;) {
    const state = leaves[page] ?? 0;
    const first = page;
    while (page < leaves.length && leaves[page] === state) page++;
    if (state !== 0) runs.push({ first, count: page - first, state });
  }
  return runs;
}
