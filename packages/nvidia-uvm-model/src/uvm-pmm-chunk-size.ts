/** Pages of a root chunk (2 MiB). @uvm uvm_pmm_gpu.h UVM_CHUNK_SIZE_2M */
export const UVM_CHUNK_PAGES_2M = 512;
/** Pages of a 64 KiB chunk. @uvm uvm_pmm_gpu.h UVM_CHUNK_SIZE_64K */
export const UVM_CHUNK_PAGES_64K = 16;
