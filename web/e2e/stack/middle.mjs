// A gateway in hostile hands: it sits before the real one, with a certificate that everybody trusts, keeps whatever passes, and
// does with it what a test wants.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { connect } from 'node:tls';

/** Kinds of the first byte (docs/protocol/gateway.md, seal.md). */
export const HELLO = 0x01;
export const FRAME = 0x02;
export const ADMITTED = 0x81;
export const RELAYING = 0x85;
export const ANSWER = 0x11;
export const OPEN = 0x12;
const SEALED = 0x13;
const ROLE_AT = 3 + 'belay-gateway/1'.length;
/** After the role and 16 bytes of the account: its length in two bytes, then itself. */
const CREDENTIAL_AT = ROLE_AT + 1 + 16;
const BINARY = 2;

/** The secret by which a leg asks to be let in. */
export function credentialOf(hello) {
  const length = hello.readUInt16BE(CREDENTIAL_AT);
  return hello.subarray(CREDENTIAL_AT + 2, CREDENTIAL_AT + 2 + length);
}

/** The same Hello with another secret of the same length. */
export function withCredential(hello, credential) {
  const other = Buffer.from(hello);
  credential.copy(other, CREDENTIAL_AT + 2);
  return other;
}

/** The same Admitted with another session's UUID. */
export function withSession(admitted, session) {
  const other = Buffer.from(admitted);
  Buffer.from(session.replaceAll('-', ''), 'hex').copy(other, 1);
  return other;
}

export const isSealed = (message) => message[0] === FRAME && message[1] === SEALED;

export class Middle {
  /** Listens at `port` with the pair of PEM files, and passes on to `authority` (host and port of the real gateway). */
  static async open({ certificate, key, port, gateway }) {
    const middle = new Middle();
    middle.gateway = gateway;
    /** Every message that passed: {from: 'console' | 'applet' | 'gateway', to, message}. */
    middle.seen = [];
    middle.pass = undefined;
    /** Connections that have said Hello and are still there: {role, credential, down(message)}. */
    middle.legs = [];
    middle.sockets = new Set();
    middle.server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (_, answer) => { answer.statusCode = 404; answer.end(); });
    middle.server.on('upgrade', (request, socket, head) => middle.#upgrade(request, socket, head));
    await new Promise((resolve, reject) => { middle.server.once('error', reject); middle.server.listen(port, '127.0.0.1', resolve); });
    return middle;
  }

  /**
   * What happens to messages: `act({from, message, leg})` returns those that go on in its place. Without one all go on as they are.
   * What the two ends say to each other comes by twice: from one of them, and on from the gateway to the other.
   */
  tamper(act) {
    this.pass = act;
  }

  /** All bytes that passed, one after the other. */
  bytes() {
    return Buffer.concat(this.seen.map(({ message }) => message));
  }

  #upgrade(request, near, head) {
    const far = connect({ ...this.gateway, rejectUnauthorized: false });
    const leg = { role: undefined };
    this.sockets.add(near).add(far);
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on('error', () => other.destroy());
      one.on('close', () => { other.destroy(); this.sockets.delete(one); this.legs = this.legs.filter((known) => known !== leg); });
    }
    leg.down = (message) => near.write(framed(message, false));
    const lines = [`GET ${request.url} HTTP/1.1`];
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      const [name, value] = [request.rawHeaders[at], request.rawHeaders[at + 1]];
      lines.push(`${name}: ${/^host$/i.test(name) ? `localhost:${this.gateway.port}` : value}`);
    }
    far.write(`${lines.join('\r\n')}\r\n\r\n`);
    const upward = new Messages((message) => {
      if (message[0] === HELLO) {
        leg.role = message[ROLE_AT] === 1 ? 'applet' : 'console';
        leg.credential = Buffer.from(credentialOf(message));
        this.legs.push(leg);
      }
      this.#forward(leg, leg.role, message, (one) => far.write(framed(one, true)));
    }, (raw) => far.write(raw));
    upward.take(head);
    near.on('data', (data) => upward.take(data));
    // The answer's head goes through as it is; what follows are messages.
    let answered = Buffer.alloc(0);
    let downward;
    far.on('data', (data) => {
      if (downward) { downward.take(data); return; }
      answered = Buffer.concat([answered, data]);
      const end = answered.indexOf('\r\n\r\n');
      if (end < 0) return;
      near.write(answered.subarray(0, end + 4));
      downward = new Messages((message) => this.#forward(leg, 'gateway', message, (one) => near.write(framed(one, false))), (raw) => near.write(raw));
      downward.take(answered.subarray(end + 4));
    });
  }

  #forward(leg, from, message, send) {
    this.seen.push({ from, message });
    for (const one of this.pass?.({ from, message, leg }) ?? [message]) send(one);
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => { this.server.close(resolve); });
  }
}

/** Finds the WebSocket messages in a stream (RFC 6455). Binary ones are handed on opened, all others as they are. */
class Messages {
  constructor(message, other) {
    Object.assign(this, { message, other, rest: Buffer.alloc(0) });
  }

  take(data) {
    this.rest = Buffer.concat([this.rest, data]);
    while (this.#next());
  }

  #next() {
    const { rest } = this;
    if (rest.length < 2) return false;
    let length = rest[1] & 0x7f;
    let at = 2;
    if (length === 126) { if (rest.length < 4) return false; length = rest.readUInt16BE(2); at = 4; }
    else if (length === 127) { if (rest.length < 10) return false; length = Number(rest.readBigUInt64BE(2)); at = 10; }
    const masked = (rest[1] & 0x80) !== 0;
    const end = at + (masked ? 4 : 0) + length;
    if (rest.length < end) return false;
    this.rest = rest.subarray(end);
    const whole = (rest[0] & 0x80) !== 0 && (rest[0] & 0x0f) === BINARY;
    if (!whole) { this.other(rest.subarray(0, end)); return true; }
    const payload = Buffer.from(rest.subarray(end - length, end));
    if (masked) for (let index = 0; index < length; index += 1) payload[index] ^= rest[at + (index & 3)];
    this.message(payload);
    return true;
  }
}

/** A binary message as a frame; a client's is masked (with zeroes: nobody asks for more). */
function framed(payload, masked) {
  const bit = masked ? 0x80 : 0;
  const head = payload.length < 126 ? Buffer.from([0x82, bit | payload.length]) : Buffer.alloc(payload.length < 65536 ? 4 : 10);
  if (head.length === 4) { head[0] = 0x82; head[1] = bit | 126; head.writeUInt16BE(payload.length, 2); }
  if (head.length === 10) { head[0] = 0x82; head[1] = bit | 127; head.writeBigUInt64BE(BigInt(payload.length), 2); }
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), payload]);
}
