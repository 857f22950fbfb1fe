// Records every fault that a kernel of one thread a page raises, with the unit it came through and the GPU's own time:
// how a GPU fills its fault buffer while NVIDIA's UVM driver reads it.
// Usage: uvm_faults [--runs N] [--out FILE] SCENARIOS      (see README.md)
//
// It reads the driver's event queue, which tools like CUPTI read too: ioctls and records as in the open kernel modules,
// release 580 (kernel-open/nvidia-uvm/uvm_ioctl.h, uvm_types.h). Nothing but this process's own events is asked for.
// SPDX-License-Identifier: MIT

#include "scenario.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cstring>

namespace {

constexpr uint32_t kQueueEntries = 1u << 17;
constexpr int kPerBlock = 128;

// ---- the driver's event queue --------------------------------------------------------------------------------

constexpr unsigned long kInitEventTracker = 56, kEnableEvents = 58, kFlushEvents = 67;
constexpr uint8_t kMigration = 2, kGpuFault = 3, kGpuFaultReplay = 4;

struct QueueControl {
  volatile uint32_t getAhead, getBehind, putAhead, putBehind;
  uint64_t dropped[64];
};

struct Record {  // the three kinds that are kept; every kind has 64 bytes
  uint8_t bytes[64];
  uint8_t type() const { return bytes[0]; }
  template <class T>
  T at(size_t offset) const {
    T value;
    std::memcpy(&value, bytes + offset, sizeof value);
    return value;
  }
};
static_assert(sizeof(Record) == 64, "records have 64 bytes");

struct InitEventTracker {
  uint64_t queue, entries, control;
  uint8_t processor[16];
  uint32_t allProcessors, uvmFd, status;
};

struct EnableEvents {
  uint64_t types;
  uint32_t status;
};

template <class T>
T* shared(size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (at == MAP_FAILED) die("mmap of the event queue failed");
  return static_cast<T*>(at);
}

class EventQueue {
 public:
  EventQueue() : records_(shared<Record>(kQueueEntries * sizeof(Record))), control_(shared<QueueControl>(sizeof(QueueControl))) {
    tools_ = open("/dev/nvidia-uvm-tools", O_RDWR | O_CLOEXEC);
    if (tools_ < 0) die("cannot open /dev/nvidia-uvm-tools");
    InitEventTracker init{};
    init.queue = reinterpret_cast<uint64_t>(records_);
    init.entries = kQueueEntries;
    init.control = reinterpret_cast<uint64_t>(control_);
    init.allProcessors = 1;
    for (const int fd : uvmDescriptors()) {
      init.uvmFd = fd;
      if (ioctl(tools_, kInitEventTracker, &init) == 0 && init.status == 0) {
        uvm_ = fd;
        break;
      }
    }
    if (uvm_ < 0) die("the driver gave no event queue");
    // As many kinds as CUPTI asks for: each costs the driver time.
    EnableEvents enable{};
    enable.types = 0x7ffe;
    if (ioctl(tools_, kEnableEvents, &enable) != 0 || enable.status != 0) die("the driver enabled no events");
  }

  void forget() { control_->getAhead = control_->getBehind = get_ = control_->putBehind; }

  std::vector<Record> take() {
    uint32_t status = 0;
    if (ioctl(uvm_, kFlushEvents, &status) != 0 || status != 0) die("the driver flushed no events");
    usleep(20000);
    std::vector<Record> list;
    for (const uint32_t put = control_->putBehind; get_ != put; get_ = (get_ + 1) % kQueueEntries) list.push_back(records_[get_]);
    forget();
    return list;
  }

  uint64_t dropped() const { return control_->dropped[kGpuFault]; }

 private:
  static std::vector<int> uvmDescriptors() {  // those that the CUDA runtime opened
    std::vector<int> list;
    DIR* dir = opendir("/proc/self/fd");
    if (dir == nullptr) die("cannot read /proc/self/fd");
    while (const dirent* entry = readdir(dir)) {
      char target[64] = {};
      if (readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1) > 0 && std::string(target) == "/dev/nvidia-uvm")
        list.push_back(std::atoi(entry->d_name));
    }
    closedir(dir);
    return list;
  }

  Record* records_;
  QueueControl* control_;
  int tools_ = -1, uvm_ = -1;
  uint32_t get_ = 0;
};

// ---- one run -------------------------------------------------------------------------------------------------

// One thread a page, all at once. Each block leaves the number of its SM.
__global__ void parallel(unsigned char* base, const uint32_t* pages, uint32_t count, bool write, unsigned* out, uint32_t* sms) {
  const uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  unsigned sink = 0;
  if (i < count) {
    volatile unsigned char* at = base + size_t{pages[i]} * kPage;
    if (write) {
      *at = static_cast<unsigned char>(pages[i] + 1);
      __threadfence_system();
    } else {
      sink += *at;
    }
  }
  if (sink == 0xffffffffu) *out = sink;
  if (threadIdx.x == 0) asm volatile("mov.u32 %0, %%smid;" : "=r"(sms[blockIdx.x]));
}

template <class T>
T* onDevice(size_t count, const T* from = nullptr) {
  T* at = nullptr;
  cuda(cudaMalloc(&at, count * sizeof(T)), "cudaMalloc");
  if (from != nullptr) cuda(cudaMemcpy(at, from, count * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  return at;
}

void launch(unsigned char* base, const std::vector<uint32_t>& pages, bool write, std::vector<uint32_t>& sms) {
  const uint32_t blocks = (pages.size() + kPerBlock - 1) / kPerBlock;
  uint32_t* list = onDevice(pages.size(), pages.data());
  uint32_t* smsThere = onDevice<uint32_t>(blocks);
  unsigned* sink = onDevice<unsigned>(1);
  parallel<<<blocks, kPerBlock>>>(base, list, pages.size(), write, sink, smsThere);
  cuda(cudaDeviceSynchronize(), "kernel");
  sms.resize(blocks);
  cuda(cudaMemcpy(sms.data(), smsThere, blocks * sizeof(uint32_t), cudaMemcpyDeviceToHost), "cudaMemcpy");
  cuda(cudaFree(list), "cudaFree");
  cuda(cudaFree(smsThere), "cudaFree");
  cuda(cudaFree(sink), "cudaFree");
}

void print(FILE* out, const std::string& step, const unsigned char* base, const std::vector<uint32_t>& sms,
           const std::vector<Record>& records) {
  uint64_t zero = ~0ull;
  for (const Record& r : records)
    if (r.type() == kGpuFault) zero = std::min(zero, r.at<uint64_t>(24));
  const auto since = [&](uint64_t time) { return (long long)(time - zero); };
  const auto page = [&](const Record& r) { return (long long)(r.at<uint64_t>(8) - reinterpret_cast<uint64_t>(base)) / (long long)kPage; };
  std::fprintf(out, "{\"step\":\"%s\",\"sms\":[", step.c_str());
  for (size_t i = 0; i < sms.size(); i++) std::fprintf(out, i == 0 ? "%u" : ",%u", sms[i]);
  const auto each = [&](const char* name, uint8_t type, const auto& one) {
    std::fprintf(out, "],\"%s\":[", name);
    const char* separator = "";
    for (const Record& r : records) {
      if (r.type() != type) continue;
      std::fputs(separator, out);
      one(r);
      separator = ",";
    }
  };
  each("faults", kGpuFault, [&](const Record& r) {
    std::fprintf(out, "[%u,%lld,%lld,%u,%u]", r.at<uint32_t>(32), page(r), since(r.at<uint64_t>(24)), r.at<uint16_t>(4),
                 r.at<uint16_t>(6));
  });
  each("replays", kGpuFaultReplay,
       [&](const Record& r) { std::fprintf(out, "[%u,%lld]", r.at<uint32_t>(4), since(r.at<uint64_t>(16))); });
  each("copies", kMigration, [&](const Record& r) {
    std::fprintf(out, "[%u,%lld,%llu,%lld]", r.at<uint8_t>(1), page(r), (unsigned long long)(r.at<uint64_t>(16) / kPage),
                 since(r.at<uint64_t>(56)));
  });
  std::fputs("]}\n", out);
}

int runScenario(FILE* out, const std::string& line, int run) {
  const Scenario scenario = scenarioOf(line);
  unsigned char* base = nullptr;
  std::vector<uint32_t> sms;
  unsigned char* local = onDevice<unsigned char>(2 * kPage);
  launch(local, {0}, false, sms);  // loads the kernel
  cuda(cudaFree(local), "cudaFree");
  cuda(cudaMallocManaged(&base, scenario.bytes), "cudaMallocManaged");
  const uint32_t pageCount = (scenario.bytes + kPage - 1) / kPage;
  EventQueue queue;
  std::fprintf(out, "{\"run\":%d,\"scenario\":\"%s\",\"bytes\":%zu,\"base\":%llu}\n", run, scenario.name.c_str(), scenario.bytes,
               (unsigned long long)reinterpret_cast<uint64_t>(base));
  for (const std::string& step : scenario.steps) {
    const std::string op = step.substr(0, step.find(':'));
    const std::vector<uint32_t> pages = orderOf(step.substr(op.size() + 1), pageCount);
    if (op == "cw") {
      volatile unsigned char* at = base;
      for (const uint32_t p : pages) at[size_t{p} * kPage] = static_cast<unsigned char>(p + 1);
      queue.forget();
    } else if (op == "pr" || op == "pw") {
      launch(base, pages, op == "pw", sms);
      print(out, step, base, sms, queue.take());
    } else {
      die("steps are cw, pr and pw here, not '" + step + "'");
    }
  }
  if (queue.dropped() > 0) std::fprintf(stderr, "%s: %llu faults lost\n", line.c_str(), (unsigned long long)queue.dropped());
  std::fprintf(out, "{\"end\":true,\"dropped\":%llu}\n", (unsigned long long)queue.dropped());
  std::fflush(out);
  cuda(cudaFree(base), "cudaFree");
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return runScenarios(argc, argv, "faults.jsonl", runScenario); }
