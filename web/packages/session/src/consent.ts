// What the end user allows, as far as the console knows: requests, decisions, withdrawals. The applet decides; this only
// keeps the buttons of the page honest.
import { type ConsentState } from './interface';
import { type Cause, type Message, type Outcome } from './wire/message';
import { type Right, RIGHTS } from './wire/right';

/** How a right stands after it has ended. */
const AFTER: Record<Cause, ConsentState> = {
  end_user: 'withdrawn',
  technician: 'none',
  dependent: 'withdrawn',
  failure: 'failed',
  offline: 'offline',
};

export class Consent {
  private readonly states = new Map<Right, ConsentState>(RIGHTS.map((right) => [right, 'none']));
  private readonly requests = new Map<number, { rights: Right[]; before: Map<Right, ConsentState> }>();
  private nextRequest = 1;

  constructor(
    private readonly send: (message: Message) => void,
    private readonly changed: (right: Right, state: ConsentState) => void,
  ) {}

  has(right: Right): boolean {
    return this.states.get(right) === 'granted';
  }

  state(right: Right): ConsentState {
    return this.states.get(right) ?? 'none';
  }

  /** Asks for those of the rights that are neither granted nor asked for; `allowed` is what the charter names. */
  request(rights: readonly Right[], allowed: readonly Right[]): void {
    const wanted: Right[] = [];
    for (const right of RIGHTS) {
      if (!rights.includes(right) || this.has(right) || this.state(right) === 'asking') continue;
      if (allowed.includes(right)) wanted.push(right);
      else this.set(right, 'not_allowed');
    }
    if (wanted.length === 0) return;
    const request = this.nextRequest;
    this.nextRequest += 1;
    this.requests.set(request, {
      rights: wanted,
      before: new Map(wanted.map((right) => [right, this.state(right)])),
    });
    for (const right of wanted) this.set(right, 'asking');
    this.send({ kind: 'request', request, rights: wanted });
  }

  /** Gives a right back, or takes its request back. What depends on it goes too. */
  release(right: Right): void {
    if (this.state(right) === 'asking') {
      for (const [request, { rights }] of this.requests) {
        if (!rights.includes(right)) continue;
        this.requests.delete(request);
        this.send({ kind: 'cancel', request });
        for (const other of rights) this.set(other, 'none');
      }
    } else if (this.has(right)) {
      this.send({ kind: 'release', rights: [right] });
      for (const other of withDependents([right])) if (this.has(other)) this.set(other, 'none');
    }
  }

  decided(request: number, rights: readonly Right[], outcome: Outcome): void {
    const asked = this.requests.get(request);
    this.requests.delete(request);
    // A grant that crossed our cancellation is given back: the technician no longer wants it.
    if (asked === undefined) {
      if (outcome === 'granted') this.send({ kind: 'release', rights: [...rights] });
      return;
    }
    for (const right of asked.rights) {
      if (outcome === 'granted') this.set(right, rights.includes(right) ? 'granted' : 'refused');
      else if (outcome === 'busy' || outcome === 'out_of_order') this.set(right, asked.before.get(right) ?? 'none');
      else this.set(right, outcome);
    }
  }

  withdrawn(rights: readonly Right[], cause: Cause): void {
    for (const right of rights) {
      if (this.has(right)) this.set(right, AFTER[cause]);
    }
  }

  /** A new pairing starts from nothing. */
  reset(): void {
    this.requests.clear();
    for (const right of RIGHTS) this.set(right, 'none');
  }

  private set(right: Right, state: ConsentState): void {
    if (this.states.get(right) === state) return;
    this.states.set(right, state);
    this.changed(right, state);
  }
}

/** Control makes no sense without view. */
function withDependents(rights: readonly Right[]): Right[] {
  return rights.includes('desktop_view') ? [...RIGHTS] : [...rights];
}
