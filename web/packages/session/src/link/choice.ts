// Which path is used: the one that measures better, but a path is not changed for a little, for a moment, or too often.
// The same rule as core/link/src/choice.rs.
import { type Path } from './path';

/** A better path must be better by a fifth and by this many milliseconds: what people notice, and more than what measuring is out by. */
const [SHARE, ADVANTAGE] = [0.8, 5];
/** So many answers in a row have to say so. */
const IN_A_ROW = 3;
const ANSWERED_BEFORE_CHANGE = 3;
/**
 * How long a path is kept that was taken because it was better. A change costs everything that is on its way once more; paths that
 * are better by turns would have it paid again and again. So the time doubles with each change, up to the second value, and begins
 * anew after the third without one. For a path that is half as long the first is enough.
 */
const [KEPT, KEPT_AT_MOST, FORGOTTEN_AFTER] = [10_000, 160_000, 300_000];
/** How long another path has to have answered before a silent one is left for it. */
const STILL_SILENT = 150;
/** Paths are measured anew at most so often. */
const MEASURED_EVERY = 5000;

export class Choice {
  /** The path that has measured better, and how many answers in a row said so; and how many that it is half as long. */
  private better: { path: Path; times: number; halves: number } | undefined;
  /** The path that was taken because it was better, when, and how long it is kept. */
  private kept: { path: Path; since: number; time: number } | undefined;
  private measured = Number.NEGATIVE_INFINITY;
  /** Since when another path answers and the one in use does not. */
  private silent: number | undefined;

  /** An answer has come, on whatever path. */
  weigh(paths: readonly Path[], active: Path | undefined): void {
    const best = lowest(paths, (path) => path.usable && path !== active && Number.isFinite(path.score));
    if (best === undefined || active === undefined || !isBetter(best, active)) {
      this.better = undefined;
      return;
    }
    const { times, halves } = this.better?.path === best ? this.better : { times: 0, halves: 0 };
    this.better = { path: best, times: times + 1, halves: 2 * best.score <= active.score ? halves + 1 : 0 };
  }

  /** The path to use from now on. */
  next(paths: readonly Path[], active: Path | undefined, now: number): Path | undefined {
    const best = (): Path | undefined => lowest(paths, (path) => path.usable);
    if (active === undefined) return best();
    const answering = lowest(paths, (path) => path.usable && active.isOutlivedBy(path, now));
    if (answering === undefined) {
      this.silent = undefined;
    } else {
      // Somebody who was busy answers on one path after the other.
      this.silent ??= now;
      if (active.isLeft(now) && now - this.silent >= STILL_SILENT) {
        this.silent = undefined;
        return answering;
      }
    }
    if (!active.usable) {
      // A relay delivers everything until it dies, which its owner notices.
      if (active.kind === 'ordered') return best() ?? active;
      return active.isGivenUp(now) ? best() : active;
    }
    const { better } = this;
    if (better === undefined || better.times < IN_A_ROW || better.path.answered < ANSWERED_BEFORE_CHANGE) return active;
    if (!better.path.usable || !this.mayChange(active, better.path, better.halves >= IN_A_ROW, now)) return active;
    this.took(better.path, now);
    return better.path;
  }

  /** A path is gone. */
  forget(path: Path): void {
    if (this.better?.path === path) this.better = undefined;
  }

  /** Whether the paths should be measured anew, because the one in use seems to have become a worse one. */
  measureAgain(now: number): boolean {
    if (now - this.measured < MEASURED_EVERY) return false;
    this.measured = now;
    return true;
  }

  /** A path that fell silent does not come back sooner for it; one that was not there before is taken when it is better. */
  private mayChange(from: Path, to: Path, half: boolean, now: number): boolean {
    const { kept } = this;
    if (kept === undefined || (kept.path !== from && kept.path !== to)) return true;
    return now - kept.since >= (half ? KEPT : kept.time);
  }

  private took(path: Path, now: number): void {
    const { kept } = this;
    const again = kept !== undefined && now - kept.since < FORGOTTEN_AFTER;
    this.kept = { path, since: now, time: again ? Math.min(kept.time * 2, KEPT_AT_MOST) : KEPT };
    this.better = undefined;
  }
}

function lowest(paths: readonly Path[], wanted: (path: Path) => boolean): Path | undefined {
  let best: Path | undefined;
  for (const path of paths) if (wanted(path) && (best === undefined || path.score < best.score)) best = path;
  return best;
}

function isBetter(path: Path, active: Path): boolean {
  if (!Number.isFinite(active.score)) return true;
  // Half as long is better, however much both jitter.
  const doubt = Math.min(path.doubt + active.doubt, active.score / 2);
  return path.score <= SHARE * active.score && path.score + Math.max(doubt, ADVANTAGE) <= active.score;
}
