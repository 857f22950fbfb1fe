import { useEffect, useRef, useState } from 'preact/hooks';
import type { Engine } from '../engine/engine.js';
import type { RunView } from '../engine/run-view.js';
import type { RasterView } from '../tiles/residency-raster.js';

/**
 * The bitmap of a pane's map for a view; the one before until it is there. While one is being made, only the latest view
 * that was asked for meanwhile is made next: scrubbing does not queue up.
 */
export function useRaster(
  engine: Engine,
  pane: number,
  run: RunView,
  view: RasterView,
): Uint8Array | undefined {
  const [raster, setRaster] = useState<Uint8Array>();
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
          const made = await engine.call({ kind: 'raster', pane, view: asked });
          setRaster(made);
        }
      } finally {
        busy.current = false;
      }
    };
    void makeAll();
  }, [run, pane, from, to, width, height]);

  return raster;
}
