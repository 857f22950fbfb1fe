// What both programs here share: errors, the orders in which scenarios touch pages, and a process for each run of each
// scenario (see README.md).
// SPDX-License-Identifier: MIT
#pragma once

#include <cuda_runtime.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr size_t kPage = 4096;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, what.c_str());
  std::exit(2);
}

void cuda(cudaError_t status, const char* what) {
  if (status != cudaSuccess) die(std::string(what) + ": " + cudaGetErrorString(status));
}

uint64_t nextRandom(uint64_t& state) {  // splitmix64
  uint64_t z = (state += 0x9e3779b97f4a7c15ull);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

std::vector<uint32_t> shuffled(uint32_t pages, uint64_t seed) {
  std::vector<uint32_t> order(pages);
  std::iota(order.begin(), order.end(), 0u);
  uint64_t state = seed;
  for (uint32_t i = pages; i > 1; i--) std::swap(order[i - 1], order[nextRandom(state) % i]);
  return order;
}

std::vector<uint32_t> orderOf(const std::string& order, uint32_t pages) {
  const size_t colon = order.find(':');
  const std::string name = order.substr(0, colon);
  const uint32_t arg = colon == std::string::npos ? 0 : std::stoul(order.substr(colon + 1));
  std::vector<uint32_t> list;
  if (name == "seq") {
    for (uint32_t p = 0; p < pages; p++) list.push_back(p);
  } else if (name == "rev") {
    for (uint32_t p = pages; p > 0; p--) list.push_back(p - 1);
  } else if (name == "stride" && arg > 0) {
    for (uint32_t first = 0; first < arg; first++)
      for (uint32_t p = first; p < pages; p += arg) list.push_back(p);
  } else if (name == "sparse" && arg > 0) {
    for (uint32_t p = 0; p < pages; p += arg) list.push_back(p);
  } else if (name == "page" && arg < pages) {
    list.push_back(arg);
  } else if (name == "range") {
    const size_t plus = order.find('+');
    const uint32_t count = plus == std::string::npos ? 0 : std::stoul(order.substr(plus + 1));
    if (count == 0 || arg + count > pages) die("no such pages: '" + order + "'");
    for (uint32_t p = arg; p < arg + count; p++) list.push_back(p);
  } else if (name == "rand") {
    list = shuffled(pages, arg);
  } else if (name == "subset") {
    list = shuffled(pages, arg / 100);
    list.resize(std::max<size_t>(1, size_t{pages} * (arg % 100) / 100));
  } else {
    die("unknown order '" + order + "'");
  }
  return list;
}

struct Scenario {
  std::string name;
  size_t bytes = 0;
  std::vector<std::string> steps;
  std::string joined() const {
    std::string all;
    for (const std::string& step : steps) all += (all.empty() ? "" : " ") + step;
    return all;
  }
};

Scenario scenarioOf(const std::string& line) {
  std::istringstream words(line);
  Scenario s;
  std::string step;
  if (!(words >> s.name >> s.bytes) || s.bytes == 0) die("a scenario is NAME BYTES STEP …, not '" + line + "'");
  while (words >> step) s.steps.push_back(step);
  cuda(cudaFree(nullptr), "no usable GPU");
  size_t freeBytes = 0, totalBytes = 0;
  cuda(cudaMemGetInfo(&freeBytes, &totalBytes), "cudaMemGetInfo");
  if (s.bytes > freeBytes / 2) die(s.name + ": more than half of the card's free memory; refused");
  return s;
}

int runScenarios(int argc, char** argv, std::string outPath, int (*runScenario)(FILE*, const std::string&, int)) {
  const std::string usage = std::string("usage: ") + program_invocation_short_name + " [--runs N] [--out FILE] SCENARIOS";
  int runs = 2;
  std::string scenarios;
  for (int i = 1; i < argc; i++) {
    const std::string arg = argv[i];
    if (arg == "--runs" && i + 1 < argc) runs = std::atoi(argv[++i]);
    else if (arg == "--out" && i + 1 < argc) outPath = argv[++i];
    else if (arg[0] != '-' && scenarios.empty()) scenarios = arg;
    else die(usage);
  }
  if (scenarios.empty()) die(usage);
  std::ifstream in(scenarios);
  if (!in) die("cannot read " + scenarios);
  FILE* out = std::fopen(outPath.c_str(), "w");
  if (out == nullptr) die("cannot write " + outPath);
  std::string line;
  int failures = 0;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') continue;
    for (int run = 0; run < runs; run++) {
      std::fflush(out);
      const pid_t child = fork();
      if (child == 0) _exit(runScenario(out, line, run));
      int status = 0;
      waitpid(child, &status, 0);
      if (status != 0) {
        failures++;
        std::fprintf(stderr, "%s: run %d of '%s' failed\n", program_invocation_short_name, run, line.c_str());
      }
    }
  }
  std::fclose(out);
  return failures == 0 ? 0 : 1;
}

}  // namespace
