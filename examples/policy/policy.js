// A policy: what a GPU kernel will touch is prefetched before it starts. All else stays NVIDIA's driver.
import { gpuDrivers } from '@hmm/drivers';

/** `inner`, with all but `changes` as it was: methods keep running on the driver's own object. */
const wrapped = (inner, changes) =>
  new Proxy(inner, {
    get(target, key) {
      if (key in changes) return changes[key];
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

const eager = (process) =>
  wrapped(process, {
    *launch(stream) {
      const pages = [...stream.pages].sort((a, b) => a - b);
      const first = pages[0] ?? 0;
      const dense = pages.length === (pages.at(-1) ?? -1) - first + 1;
      if (dense) yield* process.prefetch(stream.base + first, pages.length, 'gpu');
      return yield* process.launch(stream);
    },
  });

const eagerClient = (client) =>
  wrapped(client, {
    *openProcess(mm) {
      const opened = yield* client.openProcess(mm);
      return opened.ok ? { ok: true, process: eager(opened.process) } : opened;
    },
  });

export const nvidia = gpuDrivers().find(({ name }) => name === 'nvidia');
export const policy = wrapped(nvidia, {
  name: 'eager',
  create(host, gpu, settings) {
    const made = nvidia.create(host, gpu, settings);
    return made.ok ? { ok: true, client: eagerClient(made.client) } : made;
  },
});
