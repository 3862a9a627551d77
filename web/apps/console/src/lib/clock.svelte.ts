// A slow clock for "waiting 3 min": one timer for the whole page.
let now = $state(Date.now());
setInterval(() => (now = Date.now()), 10_000);

export const clock = {
  get now(): number {
    return now;
  },
};
