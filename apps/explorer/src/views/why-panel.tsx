import { useEffect, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import type { PrefetchTreeView, WhyLink } from '../engine/why-view.js';
import { results, selectEvent, selection } from '../state/store.js';

/** The chain behind the selected event: each link names what happened and by which rule. */
export function WhyPanel({ engine }: { readonly engine: Engine }): preact.JSX.Element {
  const chosen = selection.value;
  const [links, setLinks] = useState<readonly WhyLink[]>([]);
  const result = chosen === undefined ? undefined : results.value[chosen.pane];
  const run = result?.ok === true ? result.run : undefined;
  const event = chosen?.event;

  useEffect(() => {
    if (chosen === undefined || run === undefined) {
      setLinks([]);
      return;
    }
    let live = true;
    void engine.call({ kind: 'why', pane: chosen.pane, event: chosen.event }).then((answer) => {
      if (live) setLinks(answer);
    });
    return () => {
      live = false;
    };
  }, [run, chosen?.pane, event]);

  return (
    <section class="card why" aria-label="Why" aria-live="polite">
      <h2>Why{run === undefined ? '' : ` (${run.client})`}</h2>
      {run === undefined || links.length === 0 ? (
        <p class="soft">Select an event in the lanes, or a page of the map, to see the chain behind it.</p>
      ) : (
        <ol class="chain">
          {links.map((link, at) => (
            <li key={`${at} ${link.title}`} aria-current={link.event === event ? 'true' : undefined}>
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
          ))}
        </ol>
      )}
    </section>
  );
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
          const percent = ((100 * level.set) / level.pages).toFixed(
            level.set * 100 === level.pages * threshold ? 1 : 0,
          );
          return (
            <g key={at} class={at === chosen ? 'chosen' : level.dense ? 'dense' : 'sparse'}>
              <rect
                x={level.first * scale}
                y={row * ROW}
                width={Math.max(2, level.pages * scale)}
                height={ROW - 4}
              />
              <text x={LEAF_WIDTH + 8} y={row * ROW + 11}>
                {level.set}/{level.pages} = {percent} %
                {at === chosen ? ' ← taken' : level.dense ? ' dense' : ''}
              </text>
            </g>
          );
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
      <figcaption>{sentence}</figcaption>
    </figure>
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
