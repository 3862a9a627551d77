// How large each monitor of a session is drawn, as the technician has chosen it.
import { SvelteMap } from 'svelte/reactivity';
import type { Scaling } from './fit';

/** What is remembered of a session's monitors: one that is new is fitted, one that comes back is drawn as before. */
export class Scalings {
  // By name, which stays when a monitor is plugged out and in again; its number does not. Only choices are kept, so a program that
  // invents names fills nothing.
  readonly #chosen = new SvelteMap<string, Scaling>();

  of(monitor: string): Scaling {
    return this.#chosen.get(monitor) ?? 'fit';
  }

  choose(monitor: string, scaling: Scaling): void {
    this.#chosen.set(monitor, scaling);
  }
}
