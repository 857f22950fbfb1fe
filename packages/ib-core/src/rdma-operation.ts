import type { DeviceOperation } from '@hmm/device';
import type { RegionPiece } from './rdma-verbs.js';

/** A verb with its operands. */
export type VerbCall =
  | { readonly name: 'ropen' }
  | {
      readonly name: 'reg';
      readonly mr: number;
      readonly vpn: number;
      /** 0: the whole address space. */
      readonly pages: number;
      /** `IB_ACCESS_*`. */
      readonly access: number;
    }
  | { readonly name: 'dereg'; readonly mr: number }
  | ({ readonly name: 'adv'; readonly advice: number } & RegionPiece)
  | ({ readonly name: 'rread' | 'lsend' } & RegionPiece)
  | ({ readonly name: 'rwrite' | 'radd' | 'lrecv'; readonly value: number } & RegionPiece);

/** Names of the verbs that a device takes as operations. */
export const VERBS: readonly VerbCall['name'][] = [
  'ropen',
  'reg',
  'dereg',
  'adv',
  'rread',
  'rwrite',
  'radd',
  'lsend',
  'lrecv',
];

/**
 * The verb of a device's operation. `vpn` is the first page of what is registered, and else the page within the region;
 * the operands are the region's number, as the verb takes it access bits, advice or a shift in bytes, and 1 where
 * `vpn` is a page of the process instead.
 */
export function verbOf({ name, vpn, pages, value, operands = [] }: DeviceOperation): VerbCall | undefined {
  const verb = VERBS.find((each) => each === name);
  if (verb === undefined) return undefined;
  const [mr = 0, second = 0, byAddress = 0] = operands;
  const piece = { mr, page: vpn, pages, shift: second, byAddress: byAddress !== 0 };
  switch (verb) {
    case 'ropen':
      return { name: verb };
    case 'reg':
      return { name: verb, mr, vpn, pages, access: second };
    case 'dereg':
      return { name: verb, mr };
    case 'adv':
      return { name: verb, advice: second, ...piece, shift: 0 };
    case 'rread':
    case 'lsend':
      return { name: verb, ...piece };
    default:
      return { name: verb, value, ...piece };
  }
}
