/** The request was done. */
export const IB_WC_SUCCESS = 0;
/** A received message did not fit into the buffer. */
export const IB_WC_LOC_LEN_ERR = 1;
/** The queue pair could not do the request. */
export const IB_WC_LOC_QP_OP_ERR = 2;
/** A local buffer could not be reached. */
export const IB_WC_LOC_PROT_ERR = 4;
/** The queue pair was in error before the request was done. */
export const IB_WC_WR_FLUSH_ERR = 5;
/** The peer found the request malformed. */
export const IB_WC_REM_INV_REQ_ERR = 9;
/** The peer's memory could not be reached, or the key does not allow it. */
export const IB_WC_REM_ACCESS_ERR = 10;
/** The peer could not do the request. */
export const IB_WC_REM_OP_ERR = 11;
/** The peer did not answer. */
export const IB_WC_RETRY_EXC_ERR = 12;
/** The peer was not ready, more often than the queue pair may try again. */
export const IB_WC_RNR_RETRY_EXC_ERR = 13;

const NAMES = new Map([
  [IB_WC_SUCCESS, 'SUCCESS'],
  [IB_WC_LOC_LEN_ERR, 'LOC_LEN_ERR'],
  [IB_WC_LOC_QP_OP_ERR, 'LOC_QP_OP_ERR'],
  [IB_WC_LOC_PROT_ERR, 'LOC_PROT_ERR'],
  [IB_WC_WR_FLUSH_ERR, 'WR_FLUSH_ERR'],
  [IB_WC_REM_INV_REQ_ERR, 'REM_INV_REQ_ERR'],
  [IB_WC_REM_ACCESS_ERR, 'REM_ACCESS_ERR'],
  [IB_WC_REM_OP_ERR, 'REM_OP_ERR'],
  [IB_WC_RETRY_EXC_ERR, 'RETRY_EXC_ERR'],
  [IB_WC_RNR_RETRY_EXC_ERR, 'RNR_RETRY_EXC_ERR'],
]);

/** The name of a completion's status without its prefix `IBV_WC_`; its digits where it has none. @kernel include/rdma/ib_verbs.h ib_wc_status */
export function wcStatusName(status: number): string {
  return NAMES.get(status) ?? String(status);
}

/** The status that a program calls `name`, with its prefix (`IBV_WC_REM_ACCESS_ERR`); undefined for another name. */
export function wcStatusValue(name: string): number | undefined {
  for (const [status, known] of NAMES) if (name === `IBV_WC_${known}`) return status;
  return undefined;
}
