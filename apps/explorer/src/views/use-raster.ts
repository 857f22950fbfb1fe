import { useEffect, useRef, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import type { RunView } from '../engine/run-view.js';
import type { RasterView } from '../tiles/residency-raster.js';

/** A bitmap and what it is of. */
export interface ViewedRaster {
  readonly view: RasterView;
  /** A state for each cell. */
  readonly cells: Uint8Array;
}

/**
 * The bitmap of a pane's map for a view; the one before until it is there. While one is being made, only the latest view
 * that was asked for meanwhile is made next: scrubbing does not queue up.
 */
export function useRaster(
  engine: Engine,
  pane: number,
  run: RunView,
  view: RasterView,
): ViewedRaster | undefined {
  const [raster, setRaster] = useState<ViewedRaster & { readonly run: RunView }>();
  const wanted = useRef<RasterView>(undefined);
  const busy = useRef(false);
  const mounted = useRef(true);
  const { from, to, width, height } = view;

  useEffect(
    () => () => {
      mounted.current = false;
    },
    [],
  );
  useEffect(() => {
    wanted.current = view;
    if (busy.current) return;
    const makeAll = async (): Promise<void> => {
      busy.current = true;
      try {
        for (let asked = wanted.current; asked !== undefined && mounted.current; asked = wanted.current) {
          wanted.current = undefined;
          const cells = await engine.call({ kind: 'raster', pane, view: asked });
          setRaster({ view: asked, cells, run });
        }
      } catch {
        // The engine was stopped, or runs something else by now: a new run asks again.
      } finally {
        busy.current = false;
      }
    };
    void makeAll();
  }, [run, pane, from, to, width, height]);

  return raster?.run === run ? raster : undefined;
}
