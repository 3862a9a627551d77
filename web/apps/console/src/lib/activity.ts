// Tells the website that a person is at the console, at most once a minute.
export const REPORT_EVERY_MS = 60_000;

const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;

/** Decides when a sign of life is worth a report. Times in milliseconds of any steady clock. */
export class ActivityPace {
  #reported = Number.NEGATIVE_INFINITY;

  due(now: number): boolean {
    if (now - this.#reported < REPORT_EVERY_MS) return false;
    this.#reported = now;
    return true;
  }
}

/** Watches the page; answers with the way to stop. */
export function watchActivity(report: () => void): () => void {
  const pace = new ActivityPace();
  const seen = (): void => {
    if (pace.due(performance.now())) report();
  };
  for (const sign of SIGNS) window.addEventListener(sign, seen, { capture: true, passive: true });
  return () => {
    for (const sign of SIGNS) window.removeEventListener(sign, seen, { capture: true });
  };
}
