// A set of byte offsets as ranges: ascending, disjoint, neighbours joined.
import { type Range } from '../wire/link';

export class Ranges {
  private list: Range[] = [];

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  get all(): readonly Range[] {
    return this.list;
  }

  get first(): Range | undefined {
    return this.list[0];
  }

  clear(): void {
    this.list = [];
  }

  add(from: number, to: number): void {
    if (from >= to) return;
    // The first range that ends at or after `from` is the first to be joined.
    const start = this.search(from);
    let end = start;
    let joined: Range = [from, to];
    for (let range = this.list[end]; range !== undefined && range[0] <= to; range = this.list[end]) {
      joined = [Math.min(joined[0], range[0]), Math.max(joined[1], range[1])];
      end += 1;
    }
    this.list.splice(start, end - start, joined);
  }

  remove(from: number, to: number): void {
    if (from >= to) return;
    const start = this.search(from + 1);
    let end = start;
    const rest: Range[] = [];
    for (let range = this.list[end]; range !== undefined && range[0] < to; range = this.list[end]) {
      if (range[0] < from) rest.push([range[0], from]);
      if (range[1] > to) rest.push([to, range[1]]);
      end += 1;
    }
    if (end > start) this.list.splice(start, end - start, ...rest);
  }

  /** Whether all of it is in the set. */
  has(from: number, to: number): boolean {
    const range = this.list[this.search(from + 1)];
    return range !== undefined && range[0] <= from && range[1] >= to;
  }

  /** The parts of this range that are not in the set. */
  gaps(from: number, to: number): Range[] {
    const gaps: Range[] = [];
    let at = from;
    for (let index = this.search(from); at < to; index += 1) {
      const range = this.list[index];
      if (range === undefined || range[0] >= to) break;
      if (range[0] > at) gaps.push([at, range[0]]);
      at = Math.max(at, range[1]);
    }
    if (at < to) gaps.push([at, to]);
    return gaps;
  }

  /** Index of the first range whose end is at or after `at`. */
  private search(at: number): number {
    let [low, high] = [0, this.list.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.list[middle]?.[1] ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
