// Both ends of a session in one page, over a gateway in memory and WebRTC as the browser has it: for e2e/direct.test.mjs.
import { Channel } from '../src/channel';
import { ConsoleDirect } from '../src/direct';
import { type PathReport } from '../src/paths';
import { type Relaying } from '../src/wire/gateway';
import { type Bytes } from '../src/wire/codec';
import { AnsweringDirect } from './answering';
import { FakeGateway } from './fake_gateway';

const binding = new Uint8Array(32).fill(5);
const common = { gateways: ['wss://gateway.example'], account: '00112233-4455-6677-8899-aabbccddeeff', version: 'test', platform: 'browser', binding };
const renew = async (): Promise<{ gateways: string[]; credential: Bytes }> => ({
  gateways: common.gateways,
  credential: crypto.getRandomValues(new Uint8Array(32)),
});
const returning = { pauses: [20, 100], renew };

export class Two {
  readonly gateway = new FakeGateway();
  readonly events: string[] = [];
  readonly paths: PathReport[] = [];
  readonly got = { console: [] as string[], applet: [] as string[] };
  readonly peers: RTCPeerConnection[] = [];
  screenBytes = 0;
  screens = 0;
  inOrder = true;
  readonly console: Channel;
  readonly applet: Channel;

  /** `delay`: how long a frame takes by the gateway, in milliseconds. */
  constructor(delay: number, policy: RTCConfiguration = {}) {
    this.gateway.delay = delay;
    const peer = (configuration: RTCConfiguration): RTCPeerConnection => {
      const made = new RTCPeerConnection({ ...configuration, ...policy });
      this.peers.push(made);
      return made;
    };
    this.applet = new Channel(
      {
        ...common,
        ...{ role: 'applet', credential: new Uint8Array(16), returning, connect: this.gateway.connect },
        direct: (host) => new AnsweringDirect(host, peer),
      },
      {
        message: (bytes) => this.got.applet.push(text(bytes)),
        interrupted: () => this.events.push('applet interrupted'),
        broken: (error) => this.events.push(`applet ${error.message}`),
      },
    );
    this.console = new Channel(
      {
        ...common,
        ...{ role: 'console', credential: new Uint8Array(32), returning, connect: this.gateway.connect },
        direct: (host) => new ConsoleDirect(host, { peer, retries: [300], patience: 8000 }),
      },
      {
        secured: () => this.events.push('secured'),
        message: (bytes, of) => (of === 'screen' ? this.screen(bytes) : this.got.console.push(text(bytes))),
        interrupted: (by) => this.events.push(`interrupted ${by}`),
        resumed: () => this.events.push('resumed'),
        path: (report) => this.paths.push(report),
        broken: (error) => this.events.push(error.message),
      },
    );
  }

  say(from: 'console' | 'applet', line: string): void {
    this[from].sendBytes('ordered', new TextEncoder().encode(`x${line}`));
  }

  /** The applet sends so many pictures, as fast as the path takes them; resolves with the milliseconds it took. */
  async show(count: number, size: number): Promise<number> {
    const begin = performance.now();
    const before = this.screens;
    for (let number = 0; number < count; number += 1) {
      const bytes = new Uint8Array(size);
      new DataView(bytes.buffer).setUint32(0, before + number);
      while (this.applet.congested) await pause();
      this.applet.sendBytes('screen', bytes);
    }
    while (this.screens < before + count) await pause();
    return performance.now() - begin;
  }

  servers(servers: Relaying): void {
    this.gateway.say('console', { kind: 'relaying', ...servers });
  }

  close(): void {
    this.console.bye('closed');
    this.applet.bye('closed');
  }

  private screen(bytes: Bytes): void {
    this.inOrder &&= new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === this.screens;
    this.screens += 1;
    this.screenBytes += bytes.length;
  }
}

function text(bytes: Bytes): string {
  return new TextDecoder().decode(bytes.subarray(1));
}

/** Not by a timer, which a page may have only every few milliseconds. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(0);
  });
}

declare global {
  var Two: unknown;
}
globalThis.Two = Two;
