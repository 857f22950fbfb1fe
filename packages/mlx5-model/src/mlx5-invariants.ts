import type { BrokenNow } from '@hmm/ib-core';
import type { Mlx5Device } from './mlx5-device.js';
import { isImplicit, type Mlx5Mr } from './mlx5-mr.js';

/** OI9: a slot names the null key, a child of the array, or one that is being destroyed and has not given the slot up. */
function OI9(device: Mlx5Device, imr: Mlx5Mr): string | undefined {
  for (const [idx, child] of imr.ksm) {
    if (!child.freed && (imr.implicitChildren.get(idx) === child || device.dying.has(child))) continue;
    return `slot ${idx} of key ${imr.key} names key ${child.key}, which is gone`;
  }
  return undefined;
}

/** OI10: what is in the array is not being destroyed. */
function OI10(device: Mlx5Device, imr: Mlx5Mr): string | undefined {
  for (const child of imr.implicitChildren.values())
    if (device.dying.has(child)) return `key ${child.key} is among the children and is being destroyed`;
  return undefined;
}

/** OI11: the parent of a child is there. */
function OI11({ dying }: Mlx5Device): string | undefined {
  for (const { key, parent } of dying)
    if (parent?.freed === true) return `key ${key} is a child of key ${parent.key}, which is gone`;
  return undefined;
}

/** OI13: each event of the adapter was answered once. */
function OI13({ counted: { events, resumed, resumedWithError } }: Mlx5Device): string | undefined {
  const answers = resumed + resumedWithError;
  return answers === events ? undefined : `${events} faults were raised, and ${answers} answered`;
}

/** What is broken now; `atRest` also of what holds while no call is under way. */
export function mlx5BrokenNow(device: Mlx5Device, atRest: boolean): readonly BrokenNow[] {
  const broken: BrokenNow[] = [];
  const ask = (invariant: string, detail: string | undefined): void => {
    if (detail !== undefined) broken.push({ invariant, detail });
  };
  for (const mr of device.mkeys.values()) {
    if (!isImplicit(mr)) continue;
    ask('OI9', OI9(device, mr));
    ask('OI10', OI10(device, mr));
  }
  ask('OI11', OI11(device));
  if (atRest) ask('OI13', OI13(device));
  return broken;
}

/** OI10, where a child is queued for destruction: it is the first time. */
export function checkQueuedOnce({ broken, dying }: Mlx5Device, child: Mlx5Mr): void {
  if (dying.has(child)) broken.tell('OI10', `key ${child.key} is queued for destruction twice`);
}

/** OI12, where a deregistration has waited: no service and no prefetch of the region is under way any more. */
export function checkUnused({ broken }: Mlx5Device, { key, serving }: Mlx5Mr): void {
  if (serving > 0) broken.tell('OI12', `key ${key} is taken away while a fault of it is served`);
}

/** OI11 and OI12, where a deregistration ends: neither a child nor a key nor a notifier of the region is left. */
export function checkDeregistered({ broken, dying, mkeys, odpMkeys }: Mlx5Device, mr: Mlx5Mr): void {
  const { key, umem } = mr;
  for (const child of dying)
    if (child.parent === mr) broken.tell('OI11', `key ${key} is gone before its child ${child.key}`);
  if (mr.implicitChildren.size > 0) broken.tell('OI11', `key ${key} is gone and has children`);
  const notified = !('kind' in umem) && umem.notifier !== undefined;
  if (notified || mkeys.has(key) || odpMkeys.has(key)) broken.tell('OI12', `key ${key} is gone and is known`);
}
