export {
  IB_WC_SUCCESS,
  IB_WC_LOC_LEN_ERR,
  IB_WC_LOC_QP_OP_ERR,
  IB_WC_LOC_PROT_ERR,
  IB_WC_WR_FLUSH_ERR,
  IB_WC_REM_INV_REQ_ERR,
  IB_WC_REM_ACCESS_ERR,
  IB_WC_REM_OP_ERR,
  IB_WC_RETRY_EXC_ERR,
  IB_WC_RNR_RETRY_EXC_ERR,
  wcStatusName,
} from '@hmm/device/internal';

/** What the completion queue says of a work request. @kernel include/rdma/ib_verbs.h ib_wc */
export interface Completion {
  /** One of `IB_WC_*`. */
  readonly status: number;
  /** Bytes received or read; 0 after an error. */
  readonly bytes: number;
}
