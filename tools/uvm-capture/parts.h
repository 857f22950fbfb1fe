// Steps on parts of the allocation: advice, prefetches and discards, forks, accesses by the kernel, copies and fills of the runtime.
// SPDX-License-Identifier: MIT
#pragma once

#include "scenario.h"

#include <sys/uio.h>

#include <cstring>

namespace {

struct Part {
  std::string what, where;
  unsigned long first = 0, count = 0;
};

// The fields of advr:WHAT:WHERE:FIRST:COUNT, gup:WHAT:FIRST:COUNT, mc:WHAT:FIRST:COUNT.
Part partOf(const std::string& text, uint32_t pages) {
  std::vector<std::string> words;
  std::istringstream in(text);
  for (std::string word; std::getline(in, word, ':');) words.push_back(word);
  const bool advice = words[0] == "advr";
  if (words.size() != (advice ? 5u : 4u)) die("a step on a part is advr:WHAT:WHERE:FIRST:COUNT or gup|mc:WHAT:FIRST:COUNT, not '" + text + "'");
  Part part;
  part.what = words[1];
  if (advice) part.where = words[2];
  part.first = std::stoul(words[words.size() - 2]);
  part.count = std::stoul(words.back());
  if (part.count == 0 || part.first + part.count > pages) die("no such pages: '" + text + "'");
  return part;
}

std::string rangeText(const Part& part) {
  return "range:" + std::to_string(part.first) + "+" + std::to_string(part.count);
}

void discardPart(void* at, size_t bytes) {
#if CUDART_VERSION >= 13000
  void* places[] = {at};
  size_t sizes[] = {bytes};
  // It takes no legacy stream.
  cuda(cudaMemDiscardBatchAsync(places, sizes, 1, 0, cudaStreamPerThread), "cudaMemDiscardBatchAsync");
  cuda(cudaDeviceSynchronize(), "discard");
#else
  (void)at, (void)bytes;
  die("discard needs CUDA 13");
#endif
}

void advisePart(void* at, size_t bytes, const Part& part) {
  cudaMemLocation place{};
  place.type = part.where == "cpu" ? cudaMemLocationTypeHost : cudaMemLocationTypeDevice;
  place.id = 0;
  static const struct {
    const char* name;
    cudaMemoryAdvise advice;
  } kAdvice[] = {
      {"preferred", cudaMemAdviseSetPreferredLocation}, {"unset_preferred", cudaMemAdviseUnsetPreferredLocation},
      {"accessed_by", cudaMemAdviseSetAccessedBy},      {"unset_accessed_by", cudaMemAdviseUnsetAccessedBy},
      {"read_mostly", cudaMemAdviseSetReadMostly},      {"unset_read_mostly", cudaMemAdviseUnsetReadMostly},
  };
  if (part.what == "discard") return discardPart(at, bytes);
  if (part.what == "prefetch") {
    cuda(cudaMemPrefetchAsync(at, bytes, place, 0, nullptr), "cudaMemPrefetchAsync");
    cuda(cudaDeviceSynchronize(), "prefetch");
    return;
  }
  for (const auto& known : kAdvice)
    if (part.what == known.name) return cuda(cudaMemAdvise(at, bytes, known.advice, place), "cudaMemAdvise");
  die("unknown advice " + part.what);
}

// The kernel itself reads or writes the pages: get_user_pages. Returns what the step's order ends in.
std::string accessByKernel(unsigned char* at, size_t bytes, unsigned char* buffer, bool write) {
  iovec mine{buffer, bytes}, theirs{at, bytes};
  const ssize_t done = write ? process_vm_writev(getpid(), &mine, 1, &theirs, 1, 0) : process_vm_readv(getpid(), &mine, 1, &theirs, 1, 0);
  return done == static_cast<ssize_t>(bytes) ? "ok" : std::to_string(done < 0 ? errno : 0);
}

// The child leaves at once.
void forkOnce() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int status = 0;
  waitpid(child, &status, 0);
}

void copyPart(const std::string& way, unsigned char* at, size_t bytes, unsigned char* device, unsigned char* host) {
  if (way == "todev") cuda(cudaMemcpy(device, at, bytes, cudaMemcpyDefault), "cudaMemcpy");
  else if (way == "fromdev") cuda(cudaMemcpy(at, device, bytes, cudaMemcpyDefault), "cudaMemcpy");
  else if (way == "tohost") cuda(cudaMemcpy(host, at, bytes, cudaMemcpyDefault), "cudaMemcpy");
  else if (way == "fromhost") cuda(cudaMemcpy(at, host, bytes, cudaMemcpyDefault), "cudaMemcpy");
  else if (way == "set") cuda(cudaMemset(at, 7, bytes), "cudaMemset");
  else die("unknown copy " + way);
  cuda(cudaDeviceSynchronize(), "copy");
}

}  // namespace
