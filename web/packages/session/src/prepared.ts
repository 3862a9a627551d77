// A connection to a gateway that is made beforehand, while the pointer is on its way to the button that needs it: three
// round trips that nobody waits for. Nothing is said on it before it is used.
import { type Connect, gatewayUrl, type Socket } from './gateway';
import { openSocket } from './sockets';
import { SUBPROTOCOL } from './wire/gateway';

/** A connection that is not used within so many milliseconds is closed; the gateway waits five seconds for a first word. */
const KEPT = 4000;
const [CONNECTING, OPEN] = [0, 1];

/** One connection at a time, to the gateway that will most likely be used. */
export class Prepared {
  private kept: { url: string; socket: Socket; timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(private readonly connectNow: Connect) {}

  /** Connects to this gateway, unless that has been done just now. Throws `TypeError` when it is no address. */
  prepare(address: string): void {
    const url = gatewayUrl(address);
    if (this.kept?.url === url && usable(this.kept.socket)) return;
    this.drop();
    const socket = this.connectNow(url, SUBPROTOCOL);
    // Nobody may come for it; what went wrong is found again by whoever really connects.
    socket.onerror = () => undefined;
    this.kept = { url, socket, timer: setTimeout(() => this.drop(), KEPT) };
  }

  /** Connects, or hands out the connection that was prepared. */
  readonly connect: Connect = (url, subprotocol) => {
    const { kept } = this;
    if (kept === undefined || kept.url !== url || subprotocol !== SUBPROTOCOL || !usable(kept.socket)) {
      return this.connectNow(url, subprotocol);
    }
    clearTimeout(kept.timer);
    this.kept = undefined;
    return kept.socket;
  };

  private drop(): void {
    clearTimeout(this.kept?.timer);
    this.kept?.socket.close();
    this.kept = undefined;
  }
}

function usable({ readyState }: Socket): boolean {
  return readyState === CONNECTING || readyState === OPEN;
}

const shared = new Prepared(openSocket);

/** Connects to a gateway that is about to be needed. Never fails. */
export function prepareGateway(address: string): void {
  try {
    shared.prepare(address);
  } catch (error) {
    console.warn('a gateway could not be connected to beforehand', error);
  }
}

/** Connects to a gateway, by a prepared connection if there is one. */
export const connectToGateway: Connect = shared.connect;
