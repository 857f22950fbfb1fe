// Records what NVIDIA's UVM driver does on this machine's GPU, in the JSON lines that `hmm validate` reads.
// Usage: uvm_capture [--runs N] [--out FILE] SCENARIOS      (see README.md)
//
// Each run of each scenario gets a process of its own, since the first fault of a process costs more than later
// ones. All managed memory of a scenario is one allocation, refused above half of the card's free memory.
// SPDX-License-Identifier: MIT

#include "parts.h"
#include "scenario.h"

#include <cupti.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr size_t kBlock = 2u << 20;
constexpr size_t kListedPages = 16384;      // longest page list written out
constexpr size_t kListedEvents = 2000000;   // beyond this only a histogram is written
constexpr size_t kActivityBuffer = 8u << 20;

void cupti(CUptiResult status, const char* what) {
  if (status == CUPTI_SUCCESS) return;
  const char* text = nullptr;
  cuptiGetResultString(status, &text);
  die(std::string(what) + ": " + (text != nullptr ? text : "?"));
}

uint64_t now() {
  uint64_t ns = 0;
  cupti(cuptiGetTimestamp(&ns), "cuptiGetTimestamp");
  return ns;
}

// ---- device code --------------------------------------------------------------------------------------------

enum Access { kRead, kWrite, kAtomic };

__device__ void touch(volatile unsigned char* base, uint32_t page, Access access, unsigned* sink) {
  volatile unsigned char* at = base + size_t{page} * kPage;
  if (access == kRead) {
    *sink += *at;
  } else if (access == kWrite) {
    *at = static_cast<unsigned char>(page + 1);
    __threadfence_system();
  } else {
    *sink += atomicAdd(reinterpret_cast<unsigned*>(const_cast<unsigned char*>(at)), 1u);
  }
}

// One thread; each access waits for the one before, so that there is one fault at a time.
__global__ void chain(unsigned char* base, const uint32_t* pages, uint32_t count, Access access, unsigned* out) {
  unsigned sink = 0;
  for (uint32_t i = 0; i < count; i++) {
    touch(base + (sink == 0xffffffffu ? 1 : 0), pages[i], access, &sink);
  }
  *out = sink;
}

// One thread a page, all at once.
__global__ void parallel(unsigned char* base, const uint32_t* pages, uint32_t count, Access access, unsigned* out) {
  const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned sink = 0;
  if (i < count) touch(base, pages[i], access, &sink);
  if (sink == 0xffffffffu) *out = sink;
}

__global__ void stream(const uint4* base, size_t count, unsigned* out) {
  unsigned sum = 0;
  for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < count; i += size_t{gridDim.x} * blockDim.x) {
    const uint4 v = base[i];
    sum ^= v.x ^ v.y ^ v.z ^ v.w;
  }
  if (sum == 0x12345u) *out = sum;
}

__global__ void duelKernel(volatile unsigned char* base, uint32_t pages, uint32_t rounds) {
  for (uint32_t r = 0; r < rounds; r++)
    for (uint32_t p = 0; p < pages; p++) {
      base[size_t{p} * kPage] = static_cast<unsigned char>(r);
      __threadfence_system();
    }
}

// ---- events -------------------------------------------------------------------------------------------------

struct Event {
  const char* kind;
  uint64_t address, value, start, end;
  int32_t src, dst;
  uint32_t flags;
};

std::vector<Event> events;
size_t dropped = 0;

const char* kindName(CUpti_ActivityUnifiedMemoryCounterKind kind) {
  switch (kind) {
    case CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_BYTES_TRANSFER_HTOD: return "htod";
    case CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_BYTES_TRANSFER_DTOH: return "dtoh";
    case CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_CPU_PAGE_FAULT_COUNT: return "cpu_fault";
    case CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_GPU_PAGE_FAULT: return "gpu_fault";
    case CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_THRASHING: return "thrash";
    case CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_THROTTLING: return "throttle";
    case CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_REMOTE_MAP: return "remote_map";
    case CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_BYTES_TRANSFER_DTOD: return "dtod";
    default: return "unknown";
  }
}

void CUPTIAPI bufferRequested(uint8_t** buffer, size_t* size, size_t* maxRecords) {
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(8, kActivityBuffer));
  *size = kActivityBuffer;
  *maxRecords = 0;
}

void CUPTIAPI bufferCompleted(CUcontext context, uint32_t streamId, uint8_t* buffer, size_t, size_t valid) {
  CUpti_Activity* record = nullptr;
  while (cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
    if (record->kind != CUPTI_ACTIVITY_KIND_UNIFIED_MEMORY_COUNTER) continue;
    // The first fields are those of every version of the record since CUDA 9.
    const auto* um = reinterpret_cast<const CUpti_ActivityUnifiedMemoryCounter3*>(record);
    // A CPU fault's value is the faulting instruction's address: of this run, so left out.
    const bool cpuFault = um->counterKind == CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_CPU_PAGE_FAULT_COUNT;
    events.push_back({kindName(um->counterKind), um->address, cpuFault ? 0 : um->value, um->start, um->end,
                      static_cast<int32_t>(um->srcId), static_cast<int32_t>(um->dstId), um->flags});
  }
  size_t lost = 0;
  if (cuptiActivityGetNumDroppedRecords(context, streamId, &lost) == CUPTI_SUCCESS) dropped += lost;
  std::free(buffer);
}

void startRecording() {
  const CUpti_ActivityUnifiedMemoryCounterKind kinds[] = {
      CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_BYTES_TRANSFER_HTOD,
      CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_BYTES_TRANSFER_DTOH,
      CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_CPU_PAGE_FAULT_COUNT,
      CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_GPU_PAGE_FAULT,
      CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_THRASHING,
      CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_THROTTLING,
      CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_KIND_REMOTE_MAP,
  };
  std::vector<CUpti_ActivityUnifiedMemoryCounterConfig> config;
  for (const auto kind : kinds) {
    CUpti_ActivityUnifiedMemoryCounterConfig one{};
    one.scope = CUPTI_ACTIVITY_UNIFIED_MEMORY_COUNTER_SCOPE_PROCESS_SINGLE_DEVICE;
    one.kind = kind;
    one.deviceId = 0;
    one.enable = 1;
    config.push_back(one);
  }
  cupti(cuptiActivityRegisterCallbacks(bufferRequested, bufferCompleted), "register callbacks");
  cupti(cuptiActivityConfigureUnifiedMemoryCounter(config.data(), config.size()), "configure counters");
  cupti(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_UNIFIED_MEMORY_COUNTER), "enable counters");
}

// ---- steps --------------------------------------------------------------------------------------------------

struct Step {
  std::string op, order;
  std::vector<uint32_t> pages;
  uint64_t t0 = 0, t1 = 0;
};

struct Allocation {
  unsigned char* base;
  size_t bytes;
  uint32_t pages;
  unsigned* sink;
  // As large as the allocation: what copies, and the kernel's accesses, have on their other side.
  unsigned char* device;
  unsigned char* host;
};

void cpuStep(const Allocation& a, Step& step, bool write) {
  volatile unsigned char* base = a.base;
  unsigned sum = 0;
  step.t0 = now();
  for (const uint32_t p : step.pages) {
    if (write) base[size_t{p} * kPage] = static_cast<unsigned char>(p + 1);
    else sum += base[size_t{p} * kPage];
  }
  step.t1 = now();
  if (sum == 0xffffffffu) std::fputs("", stderr);
}

void gpuStep(const Allocation& a, Step& step, char how, Access access) {
  uint32_t* pages = nullptr;
  const uint32_t count = step.pages.size();
  if (count > 0) {
    cuda(cudaMalloc(&pages, count * sizeof(uint32_t)), "cudaMalloc of the page list");
    cuda(cudaMemcpy(pages, step.pages.data(), count * sizeof(uint32_t), cudaMemcpyHostToDevice), "copy of the page list");
  }
  step.t0 = now();
  if (how == 'g') chain<<<1, 1>>>(a.base, pages, count, access, a.sink);
  else if (how == 'p') parallel<<<(count + 127) / 128, 128>>>(a.base, pages, count, access, a.sink);
  else stream<<<1056, 256>>>(reinterpret_cast<const uint4*>(a.base), a.bytes / sizeof(uint4), a.sink);
  cuda(cudaDeviceSynchronize(), "kernel");
  step.t1 = now();
  if (pages != nullptr) cuda(cudaFree(pages), "cudaFree");
}

void duelStep(const Allocation& a, Step& step) {
  unsigned pages = 0, rounds = 0;
  if (std::sscanf(step.order.c_str(), "%ux%u", &pages, &rounds) != 2 || pages > a.pages) die("bad duel " + step.order);
  step.t0 = now();
  duelKernel<<<1, 1>>>(a.base, pages, rounds);
  volatile unsigned char* base = a.base;
  for (unsigned r = 0; r < rounds; r++)
    for (unsigned p = 0; p < pages; p++) base[size_t{p} * kPage] = static_cast<unsigned char>(r);
  cuda(cudaDeviceSynchronize(), "duel");
  step.t1 = now();
}

void adviseStep(const Allocation& a, Step& step, const std::string& what, const std::string& where) {
  cudaMemLocation place{};
  place.type = where == "cpu" ? cudaMemLocationTypeHost : cudaMemLocationTypeDevice;
  place.id = 0;
  step.op = what + "_" + where;
  step.order = "-";
  step.t0 = now();
  if (what == "prefetch") {
    cuda(cudaMemPrefetchAsync(a.base, a.bytes, place, 0, nullptr), "cudaMemPrefetchAsync");
    cuda(cudaDeviceSynchronize(), "prefetch");
  } else {
    const cudaMemoryAdvise advice = what == "preferred"     ? cudaMemAdviseSetPreferredLocation
                                    : what == "accessed_by" ? cudaMemAdviseSetAccessedBy
                                    : what == "read_mostly" ? cudaMemAdviseSetReadMostly
                                                            : (die("unknown advice " + what), cudaMemAdviseSetReadMostly);
    cuda(cudaMemAdvise(a.base, a.bytes, advice, place), "cudaMemAdvise");
  }
  step.t1 = now();
}

void partStep(const Allocation& a, Step& step, const std::string& op, const std::string& text) {
  const Part part = partOf(text, a.pages);
  unsigned char* at = a.base + part.first * kPage;
  const size_t bytes = part.count * kPage;
  step.order = rangeText(part);
  step.op = op == "advr" ? part.what + "_" + part.where : op == "gup" ? (part.what == "w" ? "gup_write" : "gup_read") : "memcpy_" + part.what;
  std::string how;
  step.t0 = now();
  if (op == "advr") advisePart(at, bytes, part);
  else if (op == "gup") how = accessByKernel(at, bytes, a.host, part.what == "w");
  else copyPart(part.what, at, bytes, a.device, a.host);
  step.t1 = now();
  if (!how.empty()) step.order += ":" + how;
}

Step runStep(const Allocation& a, const std::string& text) {
  Step step;
  const size_t colon = text.find(':');
  const std::string op = text.substr(0, colon);
  const std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (op == "adv") {
    const size_t second = rest.find(':');
    if (second == std::string::npos) die("advice is adv:WHAT:WHERE, not '" + text + "'");
    adviseStep(a, step, rest.substr(0, second), rest.substr(second + 1));
    return step;
  }
  if (op == "advr" || op == "gup" || op == "mc") {
    partStep(a, step, op, text);
    return step;
  }
  if (op == "fork") {
    step.op = op;
    step.order = "-";
    step.t0 = now();
    forkOnce();
    step.t1 = now();
    return step;
  }
  if (op == "duel") {
    step.op = "duel";
    step.order = rest;
    std::replace(step.order.begin(), step.order.end(), ':', 'x');
    duelStep(a, step);
    return step;
  }
  step.order = op == "st" ? "-" : rest;
  if (op != "st") step.pages = orderOf(rest, a.pages);
  if (op == "cw" || op == "cr") {
    step.op = op == "cw" ? "cpu_write" : "cpu_read";
    cpuStep(a, step, op == "cw");
  } else if (op == "gr" || op == "gw" || op == "ga") {
    step.op = op == "gr" ? "gpu_chain_read" : op == "gw" ? "gpu_chain_write" : "gpu_chain_atomic";
    gpuStep(a, step, 'g', op == "gr" ? kRead : op == "gw" ? kWrite : kAtomic);
  } else if (op == "pr" || op == "pw") {
    step.op = op == "pr" ? "gpu_par_read" : "gpu_par_write";
    gpuStep(a, step, 'p', op == "pr" ? kRead : kWrite);
  } else if (op == "st") {
    step.op = "gpu_stream_read";
    gpuStep(a, step, 's', kRead);
  } else {
    die("unknown step '" + text + "'");
  }
  return step;
}

// ---- one run ------------------------------------------------------------------------------------------------

void warmUp(unsigned* sink, uint32_t* page) {  // load every kernel before the clock starts
  unsigned char* local = nullptr;
  cuda(cudaMalloc(&local, kPage * 2), "cudaMalloc");
  chain<<<1, 1>>>(local, page, 1, kRead, sink);
  parallel<<<1, 128>>>(local, page, 1, kRead, sink);
  stream<<<1, 32>>>(reinterpret_cast<const uint4*>(local), 1, sink);
  duelKernel<<<1, 1>>>(local, 1, 1);
  cuda(cudaDeviceSynchronize(), "warm-up");
  cuda(cudaFree(local), "cudaFree");
}

void printStep(FILE* out, const Step& s, uint64_t zero, bool withPages) {
  std::fprintf(out, "{\"t0\":%lld,\"t1\":%lld,\"op\":\"%s\",\"order\":\"%s\",\"count\":%zu", (long long)(s.t0 - zero),
               (long long)(s.t1 - zero), s.op.c_str(), s.order.c_str(), s.pages.size());
  if (withPages) {
    std::fputs(",\"pages\":[", out);
    const size_t listed = s.pages.size() <= kListedPages ? s.pages.size() : 0;
    for (size_t i = 0; i < listed; i++) std::fprintf(out, i == 0 ? "%u" : ",%u", s.pages[i]);
    std::fputs("]", out);
  }
  std::fputs("}\n", out);
}

void printEvents(FILE* out, const Allocation& a, uint64_t zero) {
  const uint64_t first = reinterpret_cast<uint64_t>(a.base);
  const uint64_t last = first + a.bytes;
  std::stable_sort(events.begin(), events.end(), [](const Event& x, const Event& y) { return x.start < y.start; });
  size_t outside = 0;
  const bool list = events.size() <= kListedEvents;
  for (const Event& e : events) {
    if (e.address < first || e.address >= last) {
      outside++;
      continue;
    }
    if (!list) continue;
    const long long dt = e.end > e.start ? (long long)(e.end - e.start) : -1;
    std::fprintf(out, "{\"e\":\"%s\",\"at\":%llu,\"v\":%llu,\"t\":%lld,\"dt\":%lld,\"src\":%d,\"dst\":%d,\"f\":%u}\n", e.kind,
                 (unsigned long long)(e.address - first), (unsigned long long)e.value, (long long)(e.start - zero), dt, e.src,
                 e.dst, e.flags);
  }
  std::fprintf(out, "{\"end\":true,\"records\":%zu,\"outside\":%zu}\n", events.size(), outside);
}

int runScenario(FILE* out, const std::string& line, int run) {
  const Scenario scenario = scenarioOf(line);
  const size_t bytes = scenario.bytes;
  startRecording();
  Allocation a{};
  uint32_t* page = nullptr;
  cuda(cudaMalloc(&a.sink, 64), "cudaMalloc");
  cuda(cudaMalloc(&page, 64), "cudaMalloc");
  cuda(cudaMemset(page, 0, 64), "cudaMemset");
  warmUp(a.sink, page);
  cuda(cudaMalloc(&a.device, bytes), "cudaMalloc");
  a.host = static_cast<unsigned char*>(std::calloc(bytes, 1));
  if (a.host == nullptr) die("no memory for the other side of copies");
  cuda(cudaMallocManaged(&a.base, bytes), "cudaMallocManaged");
  a.bytes = bytes;
  a.pages = (bytes + kPage - 1) / kPage;
  const uint64_t zero = now();
  std::vector<Step> done;
  for (const std::string& text : scenario.steps) {
    // A pause shows in the times of its neighbours: it has no line of its own.
    if (text.rfind("sleep:", 0) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(std::stoul(text.substr(6))));
    else done.push_back(runStep(a, text));
  }
  cupti(cuptiActivityFlushAll(1), "flush");

  std::fprintf(out, "{\"run\":%d,\"scenario\":\"%s\",\"bytes\":%zu,\"base_mod_2m\":%llu,\"dropped\":%zu,\"steps\":\"%s\"}\n", run,
               scenario.name.c_str(), bytes, (unsigned long long)(reinterpret_cast<uint64_t>(a.base) % kBlock), dropped,
               scenario.joined().c_str());
  for (const Step& s : done) printStep(out, s, zero, run == 0);
  printEvents(out, a, zero);
  std::fflush(out);
  cuda(cudaFree(a.base), "cudaFree");
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return runScenarios(argc, argv, "capture.jsonl", runScenario); }
