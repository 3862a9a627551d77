// A leg that comes back: while the session can live, a lost connection is made again with the return ticket, at any
// gateway of the list. Specification: docs/protocol/gateway.md, "Coming back".
import { browserConnect, type Connect, GatewayError, type GatewayEvents, GatewayLeg, type GatewayOptions, type Socket } from './gateway';
import { Second } from './second';
import { type Bytes } from './wire/codec';
import { type Leaving, type ReportKind } from './wire/gateway';
import { type Right } from './wire/right';

/** Pauses before each try, in milliseconds; the last one is repeated. Each is varied by up to a quarter. */
export const PAUSES: readonly number[] = [500, 1000, 2000, 4000, 8000, 15_000];
/** A leg that lived this long was no failure: the next pauses begin anew. In milliseconds. */
const LIVED = 15_000;
/** What was asked on the first connection when it became doubtful has so many milliseconds more to be answered once a second one stands. */
const LAST_CHANCE = 100;
/** New tickets in a row that may be refused: more of them mean that the session is over. */
const MAX_RENEWALS = 5;

/** Gateways and a ticket for them, asked for when the return ticket is not taken any more. */
export interface Renewal {
  gateways: readonly string[];
  /** 32 bytes. */
  credential: Bytes;
}

/** How a lost connection comes back. */
export interface Return {
  /** Asks the website for a new ticket; rejects when it gives none now, and is then asked again later. */
  renew?: () => Promise<Renewal>;
  /** In place of `PAUSES`. */
  pauses?: readonly number[];
  /** After how many milliseconds without an acknowledgement or any word of the gateway's a connection counts as dead. */
  silence?: number;
}

export interface ReturningEvents extends Omit<GatewayEvents, 'admitted'> {
  admitted(session: string): void;
  /** The connection is lost; it is being made again. */
  lost(error: GatewayError): void;
}

export class ReturningLeg {
  private leg: GatewayLeg | undefined;
  /** Made because the first may be dead. */
  private second: Second | undefined;
  private gateways: readonly string[];
  private credential: Bytes;
  private admittedOnce = false;
  private admittedAt: number | undefined;
  private stale = false;
  private renewals = 0;
  private tries = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private over = false;

  /** Without `returning` a lost connection is the end of the leg. */
  constructor(
    private readonly options: GatewayOptions,
    private readonly returning: Return | undefined,
    private readonly events: ReturningEvents,
  ) {
    this.gateways = options.gateways;
    this.credential = options.credential;
    this.connect();
  }

  get buffered(): number {
    return this.leg?.buffered ?? 0;
  }

  send(bytes: Bytes): void {
    this.leg?.send(bytes);
  }

  report(report: ReportKind, right: Right): void {
    this.leg?.report(report, right);
  }

  /** Leaves for this reason, for good; nothing is called any more. */
  bye(reason: Leaving): void {
    this.over = true;
    clearTimeout(this.timer);
    this.sure();
    this.leg?.bye(reason);
  }

  /** A session is up again: the next loss starts with the shortest pause. */
  settled(): void {
    this.tries = 0;
  }

  /** A pause is cut short. Does nothing while there is a connection or a try is under way. */
  tryNow(): void {
    if (this.timer === undefined || this.over) return;
    this.tries = 0;
    this.again();
  }

  /** The connection is thought to be dead: it is let go of, and the next try follows at once. */
  abandon(why: string): void {
    if (!this.letGo(why)) return;
    this.timer = setTimeout(() => this.again(), 0);
  }

  /**
   * The connection may be dead: another is made beside it, and takes its place if `silent` when it stands. Does nothing while there is
   * one already.
   */
  doubt(why: string, silent: () => boolean): void {
    const address = this.leg?.address;
    if (this.returning === undefined || this.admittedAt === undefined || this.over || address === undefined) return;
    const stands = (): void => {
      const { second } = this;
      setTimeout(() => {
        if (this.second === second) this.replace(why, silent, address);
      }, LAST_CHANCE);
    };
    this.second ??= new Second(this.options.connect ?? browserConnect, address, stands);
  }

  /** The second connection stands: it is used if the first is still silent. */
  private replace(why: string, silent: () => boolean, address: string): void {
    if (!silent()) {
      this.sure();
      return;
    }
    const socket = this.second?.take();
    this.second = undefined;
    // A ticket that must be asked for anew is asked for at the website.
    if (socket !== undefined && this.letGo(why)) this.connect({ socket, address });
    else socket?.close();
  }

  /** The connection lives. */
  sure(): void {
    this.second?.close();
    this.second = undefined;
  }

  private letGo(why: string): boolean {
    if (this.returning === undefined || this.admittedAt === undefined || this.over) return false;
    this.sure();
    this.leg?.abandon();
    this.leg = undefined;
    this.gone();
    this.events.lost(new GatewayError('closed', why));
    return !this.over;
  }

  /** `stands`: a connection to this gateway that nothing was said on yet. */
  private connect(stands?: { socket: Socket; address: string }): void {
    const { credential } = this;
    const others = this.gateways.filter((address) => address !== stands?.address);
    const gateways = stands === undefined ? this.gateways : [stands.address, ...others];
    const connect = this.options.connect ?? browserConnect;
    let first = stands?.socket;
    const connectFirst: Connect = (url, subprotocol) => {
      const socket = first;
      first = undefined;
      if (socket === undefined) return connect(url, subprotocol);
      // One that does not tell that it is open.
      if (socket.readyState === undefined) queueMicrotask(() => (socket.onopen as (() => void) | null)?.());
      return socket;
    };
    const mine = (act: () => void): void => {
      if (this.leg === leg && !this.over) act();
    };
    const leg: GatewayLeg = new GatewayLeg(
      { ...this.options, gateways, credential, connect: connectFirst },
      {
        admitted: (session, returnTicket) => mine(() => this.admitted(session, returnTicket)),
        paired: (pairing) => mine(() => this.events.paired(pairing)),
        frame: (bytes) => mine(() => this.events.frame(bytes)),
        partnerLeft: (reason) => mine(() => this.events.partnerLeft(reason)),
        relaying: (servers) => mine(() => this.events.relaying?.(servers)),
        closed: (error) => mine(() => this.closed(error)),
      },
    );
    this.leg = leg;
  }

  private admitted(session: string, returnTicket: Bytes): void {
    this.credential = returnTicket;
    this.renewals = 0;
    this.admittedOnce = true;
    this.admittedAt = performance.now();
    this.events.admitted(session);
  }

  private gone(): void {
    if (this.admittedAt !== undefined && performance.now() - this.admittedAt >= LIVED) this.tries = 0;
    this.admittedAt = undefined;
  }

  private closed(error: GatewayError): void {
    this.sure();
    this.leg = undefined;
    const wasAdmitted = this.admittedAt !== undefined;
    this.gone();
    if (this.returning === undefined || !this.admittedOnce || !this.mayReturn(error)) {
      this.over = true;
      this.events.closed(error);
      return;
    }
    if (wasAdmitted) this.events.lost(error);
    // Whoever hears of the loss may have left.
    if (this.over) return;
    // A return ticket may have been used by a try whose answer was lost: the website knows better, and is asked at once.
    if (this.stale && this.renewals === 0) void this.renew();
    else this.pause();
  }

  /** Whether another try makes sense; notes when the ticket is not taken any more. */
  private mayReturn({ fault }: GatewayError): boolean {
    switch (fault) {
      case 'closed':
      case 'unreachable':
      case 'refused_full':
      case 'refused_slow_down':
      case 'refused_unavailable':
        return true;
      case 'refused_unknown':
      case 'refused_used':
      case 'refused_expired': {
        this.stale = this.returning?.renew !== undefined && this.renewals < MAX_RENEWALS;
        return this.stale;
      }
      case 'protocol':
      case 'refused_foreign':
      case 'refused_protocol':
      case 'refused_replaced':
        return false;
    }
  }

  private pause(): void {
    const pauses = this.returning?.pauses ?? PAUSES;
    const pause = pauses[Math.min(this.tries, pauses.length - 1)] ?? 0;
    this.tries += 1;
    this.timer = setTimeout(() => this.again(), pause * (0.75 + Math.random() / 2));
  }

  private again(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.over) return;
    if (this.stale) void this.renew();
    else this.connect();
  }

  private async renew(): Promise<void> {
    let renewal: Renewal | undefined;
    try {
      renewal = await this.returning?.renew?.();
    } catch (error) {
      console.warn('the website gives no new ticket yet', error);
    }
    if (this.over) return;
    if (renewal === undefined) {
      this.pause();
      return;
    }
    this.gateways = renewal.gateways;
    this.credential = renewal.credential;
    this.stale = false;
    this.renewals += 1;
    this.connect();
  }
}
