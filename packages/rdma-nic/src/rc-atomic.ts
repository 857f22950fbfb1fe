import { EINVAL, type Task } from '@hmm/kernel';
import { IB_ACCESS_LOCAL_WRITE, IB_ACCESS_REMOTE_ATOMIC } from './access.js';
import { type Completion, IB_WC_REM_ACCESS_ERR, IB_WC_REM_INV_REQ_ERR, IB_WC_SUCCESS } from './completion.js';
import { TRANSFER_FAULTED } from './nic-memory.js';
import { failed, responderError } from './packet.js';
import type { QueuePair } from './queue-pair.js';
import type { AtomicRequest } from './work-request.js';

/** Bytes of an atomic. */
const ATOMIC_BYTES = 8;

/** An atomic at the peer, its old value stored here. A reply of `rnr` asks to try again. */
export function* atomicRequest(
  qp: QueuePair,
  request: AtomicRequest,
): Task<Completion | { readonly rnr: number }> {
  const { peer } = qp;
  const { local, remote, opcode, compareAdd, swap } = request;
  const { memory } = peer.port;
  const refuse = (status: number): Completion => {
    responderError(peer, status);
    return failed(qp, status);
  };
  if (memory.check(peer, remote.key, IB_ACCESS_REMOTE_ATOMIC, remote.addr, ATOMIC_BYTES) !== 0)
    return refuse(IB_WC_REM_ACCESS_ERR);
  const old = yield* memory.atomic({
    qp: peer,
    key: remote.key,
    addr: remote.addr,
    opcode,
    compareAdd,
    swap,
  });
  if (old === TRANSFER_FAULTED) return { rnr: 0 };
  if (typeof old === 'number') return refuse(old === -EINVAL ? IB_WC_REM_INV_REQ_ERR : IB_WC_REM_ACCESS_ERR);
  const bytes = new Uint8Array(ATOMIC_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, old, true);
  const errno = yield* qp.port.memory.transfer({
    qp,
    side: 'requester',
    opcode,
    key: local.key,
    access: IB_ACCESS_LOCAL_WRITE,
    start: local.addr,
    total: ATOMIC_BYTES,
    offset: 0,
    bytes,
    toMemory: true,
  });
  if (errno !== 0) return failed(qp, qp.port.statuses.scatter);
  return { status: IB_WC_SUCCESS, bytes: ATOMIC_BYTES };
}
